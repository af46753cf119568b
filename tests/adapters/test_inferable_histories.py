"""The control plane keeps its word, whatever machines, people and power cuts do in whatever order."""

import tempfile
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from harness.model import Choice
from tests.adapters.inferable_plane import Bench

_MACHINES = st.sampled_from(("w1", "w2"))
_PEOPLE = st.sampled_from(("ann", "bob", "eve"))


class _History(RuleBasedStateMachine):
    """Steps of every client; what each call's machines hold is remembered as they were told."""

    HARDENED: ClassVar[bool]
    calls: Bundle[str] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name) / "plane.sqlite3", hardened=self.HARDENED)
        self.started = 0
        self.handed: list[tuple[str, str, bool]] = []
        self.cancelled: list[str] = []
        self.ended: dict[str, dict[str, Any]] = {}

    @initialize(retries=st.integers(0, 2))
    def register(self, retries: int) -> None:
        self.bench.register(retries=retries, timeout_s=5)

    @rule(target=calls)
    def start(self) -> str:
        self.started += 1
        return self.bench.start(f"c{self.started}")

    @rule(machine=_MACHINES)
    def poll(self, machine: str) -> None:
        for call in (*self.bench.polled(machine), *self.bench.poll(machine)):
            self.handed.append((machine, call["id"], call["approved"]))

    @rule(machine=_MACHINES)
    def carry_out_what_was_handed_out(self, machine: str) -> None:
        for call in self.bench.polled(machine):
            self.handed.append((machine, call["id"], call["approved"]))
        for place, (holder, call_id, approved) in enumerate(self.handed):
            if holder == machine:
                del self.handed[place]
                if approved:
                    self.bench.result(machine, call_id)
                else:
                    self.bench.ask(machine, call_id)
                return

    @rule(person=_PEOPLE, call=calls, approved=st.booleans())
    def answer(self, person: str, call: str, approved: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        self.bench.answer(person, call, approved=approved)

    @rule(call=calls)
    def cancel(self, call: str) -> None:
        if self.bench.cancel(call)[1] == {"cancelled": True}:
            self.cancelled.append(call)

    @rule(seconds=st.sampled_from((1, 6, 30)))
    def let_time_pass(self, seconds: int) -> None:
        self.bench.later(seconds)

    @rule()
    def kill(self) -> None:
        self.bench.killed_and_started_again()

    @invariant()
    def no_call_is_decided_twice(self) -> None:
        decided = [call for call, _ in self.bench.seen.decisions]
        assert len(decided) == len(set(decided))

    def teardown(self) -> None:
        self.bench.close()
        self.folder.cleanup()


class _HardenedHistory(_History):
    """The hardened control plane keeps more than one word."""

    HARDENED = True

    @invariant()
    def only_a_granted_call_is_handed_out_as_approved(self) -> None:
        granted = {call for call, choice in self.bench.seen.decisions if choice is Choice.APPROVED}
        assert {call for _, call, approved in self.handed if approved} <= granted

    @invariant()
    def a_cancelled_call_is_never_handed_out_as_approved(self) -> None:
        assert not {call for _, call, approved in self.handed if approved} & set(self.cancelled)

    @invariant()
    def what_is_over_stays_as_it_is(self) -> None:
        for number in range(1, self.started + 1):
            call = f"call{number:06}"
            record = self.bench.read(call)
            if call in self.ended:
                assert record == self.ended[call]
            elif record["status"] in ("success", "failure"):
                self.ended[call] = record


class _VendorHistory(_History):
    """The vendor's control plane decides a call once, however it is raced, killed or cancelled."""

    HARDENED = False


_SETTINGS = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHardenedHistories = _HardenedHistory.TestCase
TestVendorHistories = _VendorHistory.TestCase
TestHardenedHistories.settings = TestVendorHistories.settings = _SETTINGS

"""One model turn makes two or three calls at once: each is decided, run and reported on its own.

The calls are of one tool, with different arguments or with the same; some are answered, some never; decisions
are mixed; a card vanishes because somebody else answered it while another is being read; requests overtake
each other on their way to a screen; the agent dies in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    call,
    crash_makers,
    deviations,
    devices_of,
    edited,
    message_makers,
    person,
    press_makers,
    schedule_makers,
)
from harness.deviations import (
    AnswerAgain,
    CancelCall,
    CrashAtBoundary,
    CrashAtTime,
    DelayMessage,
    Deviation,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    PrioritySchedule,
    SeededSchedule,
    ToolFails,
)
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4
_SAME: Final = {"post": "post-1", "title": "Title 1"}
"""What every call of a batch is made with where they are all alike."""
_EDITS_IN: Final = 6
"""One answer in so many edits the arguments."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Parallel calls of one turn."""

    name: str = "batches"
    summary: str = "a decision about one call of a batch neither runs, drops nor decides another"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P6",
        "P7",
        "P13",
        "P14",
        "P15",
        "P16",
        "P17",
        "P19",
        "P20",
        "P22",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        CrashAtBoundary,
        CrashAtTime,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        DoubleTap,
        AnswerAgain,
        SeededSchedule,
        PrioritySchedule,
        CancelCall,
        ToolFails,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw a batch, and one or two people who answer all of it or a part."""
        calls = self._calls(choose)
        people = tuple(
            person(name, [answer for it in calls for answer in self._answers(choose, it)])
            for name in NAMES[: choose.integer(1, 2)]
        )
        hosts = (AGENT_HOST, *devices_of(people))
        ids = [it.id for it in calls]

        def cancel(choose: Chooser) -> Deviation:
            return CancelCall(choose.pick(ids), choose.integer(1, 40) * 50 * MS)

        def tool_fails(choose: Chooser) -> Deviation:
            return ToolFails(choose.pick(ids))

        makers = (
            *crash_makers(3 * SECOND),
            *message_makers(hosts),
            *press_makers(people, ids),
            *schedule_makers(hosts),
            cancel,
            tool_fails,
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _calls(self, choose: Chooser) -> tuple[CallSpec, ...]:
        count, gap_ns = choose.integer(2, 3), choose.pick((0, MS, 500 * MS))
        same = choose.pick((None, _SAME))
        fields: dict[str, object] = {} if same is None else {"arguments": same}
        return tuple(
            call(number, batch="turn-1", at_ns=(number - 1) * gap_ns, **fields)
            for number in range(1, count + 1)
        )

    def _answers(self, choose: Chooser, spec: CallSpec) -> list[AnswerSpec]:
        """Return how a person answers one card: after a moment, later, or (one card in six) never."""
        if choose.integer(0, 5) == 5:  # noqa: PLR2004 - one card in six
            return []
        edits = edited(spec, 1) if choose.integer(0, _EDITS_IN) == _EDITS_IN else None
        think_ns = SECOND + choose.integer(0, 8) * choose.pick((2, 125)) * MS
        return [AnswerSpec(spec.id, choose.pick(CHOICES), think_ns=think_ns, edits=edits)]


SCENARIOS: Final = (Batches(),)

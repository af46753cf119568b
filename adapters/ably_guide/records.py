"""The hardened variant's pending approvals: one durable record each, changed by compare-and-set.

Owns what the published pattern keeps in a map of the process. A record leaves ``pending`` once; a claim comes
before the side effect, so that a process that died in between is found out instead of executing again.

Invariant: :meth:`Records.replace` is atomic and durable, and refuses a writer whose view is out of date.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from pydantic import JsonValue, TypeAdapter

from harness.model import (
    Arguments,
    Choice,
    Outcome,
    OutcomeStatus,
    PersonId,
    Policy,
    Role,
    ToolCall,
)
from harness.sim import Disk


class State(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    CLAIMED = "claimed"
    REJECTED = "rejected"
    EXECUTED = "executed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Claimed by a process that died: the tool may have run or not."""


TRANSITIONS: Final[Mapping[State, tuple[State, ...]]] = {
    State.PENDING: (State.APPROVED, State.REJECTED),
    State.APPROVED: (State.CLAIMED,),
    State.CLAIMED: (State.EXECUTED, State.FAILED, State.UNKNOWN),
    State.REJECTED: (),
    State.EXECUTED: (),
    State.FAILED: (),
    State.UNKNOWN: (),
}
ENDS: Final = tuple(state for state, following in TRANSITIONS.items() if not following)


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval, by the id of its tool call.

    ``answer`` is the id of the answer that decided; ``worker`` names the process that claimed the execution.
    """

    tool_call_id: str
    channel: str
    tenant: str
    tool: str
    arguments: Arguments
    policy: Policy
    state: State = State.PENDING
    approver: PersonId | None = None
    role: Role | None = None
    answer: str = ""
    reason: str = ""
    worker: str = ""
    result: JsonValue = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.state in ENDS

    @property
    def choice(self) -> Choice | None:
        """What was decided, None while nothing is."""
        if self.state is State.PENDING:
            return None
        return Choice.REJECTED if self.state is State.REJECTED else Choice.APPROVED

    @property
    def outcome(self) -> Outcome:
        """What the caller of an ended approval is told; raises ValueError for another."""
        status = OutcomeStatus(self.state.value)
        return Outcome(status, self.result, self.choice, self.approver, self.role, self.reason)


def pending(call: ToolCall, channel: str) -> Approval:
    """Return the record of a new request."""
    return Approval(call.id, channel, call.tenant, call.tool, call.arguments, call.policy)


def moved(approval: Approval, state: State, **changes: object) -> Approval:
    """Return ``approval`` in its next state; raises ValueError for a move that the table does not list."""
    if state not in TRANSITIONS[approval.state]:
        raise ValueError(f"{approval.tool_call_id} is {approval.state}: it cannot become {state}")
    return replace(approval, state=state, **changes)  # type: ignore[arg-type]


_CODEC: Final = TypeAdapter(Approval)
_PREFIX: Final = "approval/"


class Records:
    """The durable approvals, on a disk that several agent processes may share."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._read: dict[str, tuple[bytes, Approval]] = {}

    def load(self, tool_call_id: str) -> Approval | None:
        """Return an approval, None where there is none."""
        found = self._disk.read(_PREFIX + tool_call_id)
        if found is None:
            return None
        known = self._read.get(tool_call_id)
        if known is None or known[0] != found:  # a waiting call looks at the same bytes many times
            known = self._read[tool_call_id] = (found, _CODEC.validate_json(found))
        return known[1]

    def replace(self, before: Approval | None, after: Approval) -> bool:
        """Write ``after`` if ``before`` (None: nothing) is what is there; return whether it was."""
        expected = None if before is None else _CODEC.dump_json(before)
        return self._disk.compare_and_swap(_PREFIX + after.tool_call_id, expected, _CODEC.dump_json(after))

    def all(self) -> Iterator[Approval]:
        """Yield every approval, in the order of their ids."""
        for key in self._disk.keys(_PREFIX):
            approval = self.load(key.removeprefix(_PREFIX))
            if approval is not None:
                yield approval

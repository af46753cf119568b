"""The hardened variant's requests: one durable ticket each, changed by compare-and-set.

Owns what the protocol keeps in a waiting coroutine. A ticket leaves ``pending`` once, and the tool runs only
under a durable claim, so that a process that died in between is found out instead of executing again.

Invariant: :meth:`Tickets.replace` is atomic and durable, and refuses a writer whose view is out of date.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from pydantic import JsonValue, TypeAdapter

from harness.model import Choice, Outcome, OutcomeStatus, PersonId, Policy, Role, digest
from harness.sim import Disk

from .protocol import ApprovalResponse, Status


class State(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    CLAIMED = "claimed"
    """One process may have started the tool; nobody else may."""
    DENIED = "denied"
    TIMEOUT = "timeout"
    ERROR = "error"
    """Nobody could be asked."""
    EXECUTED = "executed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Claimed by a process that died: the tool may have run or not."""


TRANSITIONS: Final[Mapping[State, tuple[State, ...]]] = {
    State.PENDING: (State.APPROVED, State.DENIED, State.TIMEOUT, State.ERROR),
    State.APPROVED: (State.CLAIMED,),
    State.CLAIMED: (State.EXECUTED, State.FAILED, State.UNKNOWN),
    State.DENIED: (),
    State.TIMEOUT: (),
    State.ERROR: (),
    State.EXECUTED: (),
    State.FAILED: (),
    State.UNKNOWN: (),
}
OUTCOMES: Final[Mapping[State, OutcomeStatus]] = {
    State.DENIED: OutcomeStatus.REJECTED,
    State.TIMEOUT: OutcomeStatus.EXPIRED,
    State.ERROR: OutcomeStatus.CANCELLED,
    State.EXECUTED: OutcomeStatus.EXECUTED,
    State.FAILED: OutcomeStatus.FAILED,
    State.UNKNOWN: OutcomeStatus.UNKNOWN,
}
"""The states that end a request, and what its caller is told there."""
STATUSES: Final[Mapping[State, Status]] = {
    State.PENDING: "pending",
    State.DENIED: "denied",
    State.TIMEOUT: "timeout",
    State.ERROR: "error",
}
"""What a manager answers in a state; in every other one the request was approved."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One admitted approval of a request that asks for several; ``granted`` is an edit, as in a ticket."""

    person: PersonId
    answer: str
    granted: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request for approval. ``votes`` are the approvals so far where the policy asks for several people.

    ``granted`` holds the approver's edit of ``params``, None where there is none. ``answer`` is the id of the
    answer that decided; ``worker`` names the process that claimed the tool; ``decided_s`` is Unix time.
    """

    request_id: str
    call: str
    channel: str
    tenant: str
    tool: str
    params: Mapping[str, JsonValue]
    policy: Policy
    requester: PersonId | None = None
    deadline_ns: int | None = None
    state: State = State.PENDING
    votes: tuple[Vote, ...] = ()
    approver: PersonId | None = None
    role: Role | None = None
    answer: str = ""
    reason: str = ""
    granted: Mapping[str, JsonValue] | None = None
    decided_s: float | None = None
    worker: str = ""
    result: JsonValue = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.state in OUTCOMES

    @property
    def shown(self) -> str:
        """The digest of the parameters that screens show."""
        return digest(self.params)

    @property
    def effective(self) -> Mapping[str, JsonValue]:
        """What an approval lets the tool run with."""
        return self.params if self.granted is None else self.granted

    @property
    def choice(self) -> Choice | None:
        """What a person decided, None where nobody did."""
        if self.approver is None:
            return None
        return Choice.REJECTED if self.state is State.DENIED else Choice.APPROVED

    @property
    def response(self) -> ApprovalResponse:
        """What a manager answers as the ticket stands."""
        status = STATUSES.get(self.state, "approved")
        response = ApprovalResponse(
            request_id=self.request_id,
            status=status,
            approver_id=self.approver,
            reason=self.reason or None,
            timestamp=self.decided_s,
        )
        if status == "approved":
            response["data_approved"] = {"tool_id": self.tool, "params": dict(self.effective)}
        return response

    @property
    def outcome(self) -> Outcome:
        """What the caller of an ended request is told; raises KeyError for another."""
        status = OUTCOMES[self.state]
        return Outcome(status, self.result, self.choice, self.approver, self.role, self.reason)

    def overdue(self, now_ns: int) -> bool:
        """Return whether the deadline has come."""
        return self.deadline_ns is not None and now_ns >= self.deadline_ns


def moved(ticket: Ticket, state: State, **changes: Any) -> Ticket:
    """Return ``ticket`` in its next state; raises ValueError for a move that the table does not list."""
    if state not in TRANSITIONS[ticket.state]:
        raise ValueError(f"{ticket.request_id} is {ticket.state}: it cannot become {state}")
    return replace(ticket, state=state, **changes)


_CODEC: Final = TypeAdapter(Ticket)
_PREFIX: Final = "ticket/"


class Tickets:
    """The durable tickets, on a disk that several agent processes may share."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def load(self, request_id: str) -> Ticket | None:
        """Return a ticket, None where there is none."""
        found = self._disk.read(_PREFIX + request_id)
        return None if found is None else _CODEC.validate_json(found)

    def replace(self, before: Ticket | None, after: Ticket) -> bool:
        """Write ``after`` if ``before`` (None: nothing) is what is there; return whether it was."""
        expected = None if before is None else _CODEC.dump_json(before)
        return self._disk.compare_and_swap(_PREFIX + after.request_id, expected, _CODEC.dump_json(after))

    def all(self) -> Iterator[Ticket]:
        """Yield every ticket, in the order of their ids."""
        for key in self._disk.keys(_PREFIX):
            ticket = self.load(key.removeprefix(_PREFIX))
            if ticket is not None:
                yield ticket

"""The life of one call in the control plane: its record, and the tables of what may happen when.

Owns the record that decides everything and every change it can go through. All of it is pure: no clock, no
HTTP, no store. Two tables stand side by side: what the vendor's control plane allows, and what the hardened
one does. Where the vendor's has no condition on the stage, a call that is over can still be answered.

Invariant: an answer changes a call only while approval is requested and ``approved`` is not yet set; the
loser of a race changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from pydantic import JsonValue

from harness.model import Choice, PersonId, Policy, Role

DENIED_TEXT: Final = "This call was denied by the user."
CANCELLED_TEXT: Final = "This call was cancelled by the user."
EXPIRED_TEXT: Final = "This call was not answered before its deadline."


class Status(StrEnum):
    """The status of a call as the API shows it."""

    PENDING = "pending"
    """Waits for a machine."""
    RUNNING = "running"
    """A machine has it, or it waits for an answer."""
    SUCCESS = "success"
    """It has a result, which may be a rejection."""
    FAILURE = "failure"
    """It stalled more often than it may be tried."""


class Stage(StrEnum):
    """Where a call stands, as status and answer together say."""

    QUEUED = "queued"
    WORKING = "working"
    ASKING = "asking"
    GRANTED = "granted"
    """Approved, and waiting for a machine to call the function again."""
    RESUMED = "resumed"
    DENIED = "denied"
    ENDED = "ended"
    LOST = "lost"


class Step(StrEnum):
    """What can happen to a call."""

    TAKE = "take"
    """A machine polls it."""
    ASK = "ask"
    """The function returned the approval request."""
    FINISH = "finish"
    """The function returned or raised."""
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    EXPIRE = "expire"
    STALL = "stall"
    """The machine that has it sent nothing within the timeout."""


class End(StrEnum):
    """Why a call ended without a result of its function."""

    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


Table: TypeAlias = Mapping[Step, frozenset[Stage]]

_EVERY: Final = frozenset(Stage)
_HELD: Final = frozenset({Stage.WORKING, Stage.RESUMED})
_OPEN: Final = frozenset({Stage.QUEUED, Stage.WORKING, Stage.ASKING})

PUBLISHED: Final[Table] = {
    Step.TAKE: frozenset({Stage.QUEUED, Stage.GRANTED}),
    Step.ASK: _EVERY,
    Step.FINISH: _HELD | {Stage.ASKING},
    Step.APPROVE: _EVERY,
    Step.DENY: _EVERY,
    Step.CANCEL: _EVERY,
    Step.EXPIRE: frozenset(),
    Step.STALL: _HELD,
}
HARDENED: Final[Table] = {
    Step.TAKE: frozenset({Stage.QUEUED, Stage.GRANTED}),
    Step.ASK: frozenset({Stage.WORKING}),
    Step.FINISH: _HELD,
    Step.APPROVE: frozenset({Stage.ASKING}),
    Step.DENY: frozenset({Stage.ASKING}),
    Step.CANCEL: _OPEN,
    Step.EXPIRE: _OPEN,
    Step.STALL: _HELD,
}


@dataclass(frozen=True, slots=True)
class Vote:
    """One admitted answer; the vendor's control plane keeps none."""

    person: PersonId
    role: Role | None
    choice: Choice
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the caller says of a call beside its input, in the run's context.

    The vendor's control plane hands it to the function and looks into it no further. ``deadline_ns`` counts
    from the start of the world.
    """

    call: str
    tool: str
    session: str
    tenant: str
    requester: PersonId | None
    deadline_ns: int | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class Job:
    """The durable record of one call.

    ``attempts_left`` counts how often a machine may still take it, ``timeout_ns`` how long one may have it.
    ``approved`` None means that nobody answered. ``votes`` are the approvals of a quorum still short.
    """

    id: str
    cluster: str
    run: str
    service: str
    function: str
    input: dict[str, JsonValue]
    gate: Gate
    timeout_ns: int
    attempts_left: int
    status: Status = Status.PENDING
    approval_requested: bool = False
    approved: bool | None = None
    machine: str | None = None
    taken_ns: int | None = None
    resulted: bool = False
    result_type: str | None = None
    result: JsonValue = None
    end: End | None = None
    votes: tuple[Vote, ...] = ()
    decision: Vote | None = None

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        match self.status:
            case Status.FAILURE:
                return Stage.LOST
            case Status.SUCCESS:
                return Stage.DENIED if self.approved is False else Stage.ENDED
            case Status.PENDING:
                return Stage.GRANTED if self.approved else Stage.QUEUED
            case Status.RUNNING if self.approved:
                return Stage.RESUMED
        return Stage.ASKING if self.approval_requested else Stage.WORKING

    @property
    def over(self) -> bool:
        """Whether the run is told its result."""
        return self.status in (Status.SUCCESS, Status.FAILURE)

    @property
    def unanswered(self) -> bool:
        """Whether it can be answered: the condition of the compare-and-set."""
        return self.approval_requested and self.approved is None

    def overdue(self, now_ns: int) -> bool:
        """Whether the caller's deadline has come."""
        return self.gate.deadline_ns is not None and now_ns >= self.gate.deadline_ns

    def stalled(self, now_ns: int) -> bool:
        """Whether the machine that has it is out of time."""
        return self.taken_ns is not None and now_ns >= self.taken_ns + self.timeout_ns


def taken(table: Table, job: Job, machine: str, now_ns: int) -> Job | None:
    """Return ``job`` handed to a machine, None where it is not waiting for one."""
    changes = {"machine": machine, "taken_ns": now_ns, "attempts_left": job.attempts_left - 1}
    return _moved(table, job, Step.TAKE, status=Status.RUNNING, **changes)


def asked(table: Table, job: Job) -> Job | None:
    """Return ``job`` with approval requested, None where the table forbids it."""
    return _moved(table, job, Step.ASK, approval_requested=True)


def finished(table: Table, job: Job, machine: str, result_type: str, result: JsonValue) -> Job | None:
    """Return ``job`` with the result of its function, None where ``machine`` no longer has it."""
    if job.machine != machine or job.resulted:
        return None
    changes = {"resulted": True, "result_type": result_type, "result": result}
    return _moved(table, job, Step.FINISH, status=Status.SUCCESS, **changes)


def approved(table: Table, job: Job, decision: Vote) -> Job | None:
    """Return ``job`` approved and queued once more, None where it cannot be answered."""
    if not job.unanswered:
        return None
    changes = {"machine": None, "taken_ns": None, "attempts_left": job.attempts_left + 1}
    return _moved(
        table, job, Step.APPROVE, approved=True, status=Status.PENDING, decision=decision, **changes
    )


def denied(table: Table, job: Job, decision: Vote) -> Job | None:
    """Return ``job`` ended by a rejection, None where it cannot be answered."""
    if not job.unanswered:
        return None
    return _moved(
        table, job, Step.DENY, approved=False, decision=decision, **_rejection(End.DENIED, DENIED_TEXT)
    )


def cancelled(table: Table, job: Job) -> Job | None:
    """Return ``job`` cancelled; the answer that it may still get is left as it was."""
    return _moved(table, job, Step.CANCEL, **_rejection(End.CANCELLED, CANCELLED_TEXT))


def expired(table: Table, job: Job) -> Job | None:
    """Return ``job`` ended by its deadline."""
    return _moved(table, job, Step.EXPIRE, **_rejection(End.EXPIRED, EXPIRED_TEXT))


def stalled(table: Table, job: Job) -> Job | None:
    """Return ``job`` taken from a silent machine: queued again, or failed where it may not be tried again."""
    if job.attempts_left > 0:
        changes = {"status": Status.PENDING, "attempts_left": job.attempts_left - 1}
        return _moved(table, job, Step.STALL, taken_ns=None, **changes)
    return _moved(table, job, Step.STALL, status=Status.FAILURE, taken_ns=None)


def counted(job: Job, vote: Vote) -> Job:
    """Return ``job`` with one more approval towards its quorum; a person counts once."""
    others = tuple(earlier for earlier in job.votes if earlier.person != vote.person)
    return replace(job, votes=(*others, vote))


def _rejection(end: End, text: str) -> dict[str, Any]:
    return {
        "status": Status.SUCCESS,
        "result_type": "rejection",
        "result": {"message": text},
        "end": end,
    }


def _moved(table: Table, job: Job, step: Step, **changes: Any) -> Job | None:
    return replace(job, **changes) if job.stage in table[step] else None

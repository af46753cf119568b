"""The life of one approval request: its durable record, and the table of what may follow what.

Owns the record that decides everything and every change it can go through. All of it is pure: no clock,
no channel, no store.

Invariant: a request leaves ``pending`` once, and an approval leads to at most one claim. A step that the
table does not list raises :class:`IllegalStepError`; it is a fault of the caller, never an outcome. Who
may decide is the business of :mod:`.arbiter`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from harness.model import (
    Arguments,
    CallId,
    Choice,
    Outcome,
    OutcomeStatus,
    PersonId,
    Policy,
    RequestId,
    Role,
    ToolCall,
    digest,
)


class State(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    """Decided, and not yet claimed by a worker that will carry it out."""
    CLAIMED = "claimed"
    """One worker may have started the side effect; nobody else may."""
    REJECTED = "rejected"
    EXECUTED = "executed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The worker died between claim and result: the side effect may have happened or not."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What can happen to a request."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    CANCEL = "cancel"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    """The worker that claimed the request is gone without a result."""


TRANSITIONS: Final[Mapping[tuple[State, Step], State]] = {
    (State.PENDING, Step.APPROVE): State.APPROVED,
    (State.PENDING, Step.REJECT): State.REJECTED,
    (State.PENDING, Step.EXPIRE): State.EXPIRED,
    (State.PENDING, Step.CANCEL): State.CANCELLED,
    (State.APPROVED, Step.CLAIM): State.CLAIMED,
    (State.CLAIMED, Step.SUCCEED): State.EXECUTED,
    (State.CLAIMED, Step.FAIL): State.FAILED,
    (State.CLAIMED, Step.LOSE): State.UNKNOWN,
}

OUTCOMES: Final[Mapping[State, OutcomeStatus]] = {
    State.REJECTED: OutcomeStatus.REJECTED,
    State.EXECUTED: OutcomeStatus.EXECUTED,
    State.FAILED: OutcomeStatus.FAILED,
    State.UNKNOWN: OutcomeStatus.UNKNOWN,
    State.EXPIRED: OutcomeStatus.EXPIRED,
    State.CANCELLED: OutcomeStatus.CANCELLED,
}
"""The states that end a request, and what the caller is told there."""


class IllegalStepError(Exception):
    """A step was taken from a state that does not allow it."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One admitted answer. ``arguments`` is the approver's edit, None where nothing was edited."""

    person: PersonId
    role: Role | None
    choice: Choice
    answer: str
    arguments: Arguments | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """The durable record of one request.

    ``channel`` is the session's channel: an answer counts only there. ``shown`` is the digest of
    ``arguments``, which an answer must repeat. ``deadline_ns`` is absolute, on the agent's clock; None
    never expires. ``approvals`` are the votes of a quorum still short; ``decision`` is the deciding vote.
    ``worker`` is the agent process that claimed the execution.
    """

    id: RequestId
    call: CallId
    channel: str
    tenant: str
    tool: str
    arguments: Arguments
    shown: str
    policy: Policy
    requester: PersonId | None
    deadline_ns: int | None
    state: State = State.PENDING
    approvals: tuple[Vote, ...] = ()
    decision: Vote | None = None
    worker: str = ""
    result: JsonValue = None
    note: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more can happen to this request."""
        return self.state in OUTCOMES

    @property
    def granted(self) -> Arguments:
        """The arguments that the approval binds: the approver's edit, or what was shown."""
        edit = None if self.decision is None else self.decision.arguments
        return self.arguments if edit is None else edit

    def overdue(self, now_ns: int) -> bool:
        """Whether the deadline has come; a request is overdue from the very instant of its deadline."""
        return self.deadline_ns is not None and now_ns >= self.deadline_ns


def requested(call: ToolCall, channel: str) -> Request:
    """Return the record of a new pending request for ``call``; the call's id is the request's."""
    return Request(
        id=RequestId(call.id),
        call=call.id,
        channel=channel,
        tenant=call.tenant,
        tool=call.tool,
        arguments=call.arguments,
        shown=digest(call.arguments),
        policy=call.policy,
        requester=call.requester,
        deadline_ns=call.deadline_ns,
    )


def never_asked(call: CallId) -> Request:
    """Return the record of a call that was cancelled before its request was made known."""
    request = Request(RequestId(call), call, "", "", "", {}, "", Policy(), None, None)
    return cancelled(request, "cancelled before anybody was asked")


def counted(request: Request, vote: Vote) -> Request:
    """Return ``request`` with one more approval towards its quorum; a person counts once."""
    others = tuple(earlier for earlier in request.approvals if earlier.person != vote.person)
    return replace(request, approvals=(*others, vote))


def decided(request: Request, vote: Vote) -> Request:
    """Return ``request`` decided by ``vote``."""
    step = Step.APPROVE if vote.choice is Choice.APPROVED else Step.REJECT
    return replace(request, state=_after(request, step), decision=vote)


def expired(request: Request) -> Request:
    """Return ``request`` ended by its deadline."""
    return replace(request, state=_after(request, Step.EXPIRE), note="the deadline passed")


def cancelled(request: Request, note: str = "") -> Request:
    """Return ``request`` ended by the agent's caller."""
    return replace(request, state=_after(request, Step.CANCEL), note=note)


def claimed(request: Request, worker: str) -> Request:
    """Return ``request`` with its execution claimed by ``worker``, which may now start the side effect."""
    return replace(request, state=_after(request, Step.CLAIM), worker=worker)


def succeeded(request: Request, result: JsonValue) -> Request:
    """Return ``request`` executed with ``result``."""
    return replace(request, state=_after(request, Step.SUCCEED), result=result)


def failed(request: Request, note: str) -> Request:
    """Return ``request`` as one whose tool ran and raised."""
    return replace(request, state=_after(request, Step.FAIL), result={"error": note}, note=note)


def lost(request: Request) -> Request:
    """Return ``request`` as one whose worker died between its claim and its result."""
    note = f"{request.worker} stopped after claiming the execution and before recording its result"
    return replace(request, state=_after(request, Step.LOSE), note=note)


def outcome(request: Request) -> Outcome:
    """Return what the caller of a settled request is told; raises KeyError where it is not settled.

    The reason is the approver's own where one was given; a tool's failure is also in the result.
    """
    vote = request.decision
    return Outcome(
        status=OUTCOMES[request.state],
        result=request.result,
        choice=None if vote is None else vote.choice,
        decided_by=None if vote is None else vote.person,
        role=None if vote is None else vote.role,
        reason=("" if vote is None else vote.reason) or request.note,
    )


def _after(request: Request, step: Step) -> State:
    state = TRANSITIONS.get((request.state, step))
    if state is None:
        raise IllegalStepError(f"request {request.id} is {request.state}: it cannot {step}")
    return state

"""The vocabulary of approval: people, tool calls, policies, decisions, receipts, outcomes.

Owns the words that plans, adapters, traces and properties share; one word has one meaning, kept in
``docs/glossary.md``. Every record is frozen and holds plain data, but for the two callbacks of a
:class:`ToolCall`, which stand for the application's own code.

Invariant: nothing here knows of a clock, a channel, an event loop or an implementation under test.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, TypeAlias

from pydantic import JsonValue as JsonValue  # noqa: PLC0414 - part of this vocabulary

CallId = NewType("CallId", str)
"""The harness's own name for one gated tool call; stable across retries and crashes."""
RequestId = NewType("RequestId", str)
"""The implementation's name for one approval request; opaque to the harness."""
AnswerId = NewType("AnswerId", str)
"""The harness's name for one press of a button."""
PersonId = NewType("PersonId", str)
DeviceId = NewType("DeviceId", str)
HostName = NewType("HostName", str)
Role = NewType("Role", str)

Arguments: TypeAlias = Mapping[str, JsonValue]
"""A tool call's arguments: a JSON object."""


def canonical_json(value: object) -> str:
    """Return the one JSON text of ``value``: keys sorted, no blanks, no NaN.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot hold.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class Choice(StrEnum):
    """What a person may answer."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer as a person gives it: the choice, edited arguments if any, and a reason."""

    choice: Choice
    arguments: Arguments | None = None
    reason: str = ""


class ReceiptStatus(StrEnum):
    """What the device that sent an answer was told about it."""

    DECIDED = "decided"
    """This answer decided the request."""
    COUNTED = "counted"
    """Recorded towards a quorum; more answers are needed."""
    ALREADY_DECIDED = "already-decided"
    """Another answer had decided the request before."""
    UNAUTHORISED = "unauthorised"
    """The verified identity may not decide this request."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN_REQUEST = "unknown-request"
    """No such request exists for this person."""
    INVALID = "invalid"
    """The answer itself is malformed, for instance an edit that the policy forbids."""
    SENT = "sent"
    """Handed over for delivery; nothing is claimed about its effect."""
    UNKNOWN = "unknown"
    """The connection was lost before a receipt came: it may have taken effect or not."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device is told after an answer.

    ``winner`` and ``choice`` name who decided and what, where the implementation says so.
    """

    status: ReceiptStatus
    winner: PersonId | None = None
    choice: Choice | None = None
    note: str = ""


class OutcomeStatus(StrEnum):
    """How one gated tool call ended, as its caller was told."""

    EXECUTED = "executed"
    REJECTED = "rejected"
    UNAUTHORISED = "unauthorised"
    """Ended because an answer came from somebody without the authority (``unauthorised = reject``)."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """The tool ran and raised."""
    UNKNOWN = "unknown"
    """The effect may have happened or not; the caller is told so instead of a guess."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the agent's caller is told at the end of a gated tool call."""

    status: OutcomeStatus
    result: JsonValue = None
    choice: Choice | None = None
    decided_by: PersonId | None = None
    role: Role | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may decide a request.

    ``hierarchy`` lists roles from the weakest to the strongest. ``minimum_role`` may name a role
    that the hierarchy does not list: then nobody qualifies. None means that any verified person of
    the tenant may decide. ``quorum`` distinct people must approve; one rejection rejects.
    """

    minimum_role: Role | None = None
    hierarchy: tuple[Role, ...] = (Role("editor"), Role("publisher"), Role("admin"))
    quorum: int = 1
    requester_may_decide: bool = True
    edits_allowed: bool = True

    def admits(self, role: Role | None) -> bool:
        """Return whether ``role`` reaches the minimum; unknown roles on either side never do."""
        if self.minimum_role is None:
            return True
        if self.minimum_role not in self.hierarchy or role not in self.hierarchy:
            return False
        return self.hierarchy.index(role) >= self.hierarchy.index(self.minimum_role)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as an adapter meets one: a name and a way to get a fresh token (a signed JWT)."""

    id: PersonId
    tenant: str
    sessions: tuple[str, ...]
    fresh_token: Callable[[], str]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One gated tool call, with the application's own code as two callbacks.

    An adapter places ``before_gate`` where code above the approval check would stand and ``effect``
    where the side effect would; it awaits both and passes what its function received. ``effect``
    raises :class:`ToolFailedError` when the tool itself fails. A call is identified by ``id``: after
    a crash the world calls again with the same id, as a caller that retries would, and a durable
    implementation carries on where it stood.

    ``deadline_ns`` is absolute virtual time, counted from the first request; None never expires.
    ``batch`` names calls that one model turn made together.
    """

    id: CallId
    tool: str
    arguments: Arguments
    policy: Policy
    session: str
    tenant: str
    requester: PersonId | None
    deadline_ns: int | None
    batch: str | None
    before_gate: Callable[[Arguments, bool], Awaitable[None]] = field(repr=False)
    effect: Callable[[Arguments], Awaitable[JsonValue]] = field(repr=False)


class ToolFailedError(Exception):
    """The application's own tool raised while it carried out the side effect."""


class ForgeryKind(StrEnum):
    """What a hostile client may send past the screens and buttons that it was given."""

    REQUEST = "request"
    """An approval request that no agent made."""
    APPROVAL = "approval"
    """An answer that claims to come from somebody with the authority."""
    DECISION = "decision"
    """An announcement, as if from the agent, that the request was approved."""
    REPLAY = "replay"
    """A message seen on the wire, sent again as it was."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """A forged message: what it is about, and whom it claims to come from."""

    kind: ForgeryKind
    request: RequestId
    call: CallId
    tool: str
    arguments: Arguments
    claimed_person: PersonId
    claimed_role: Role | None


@dataclass(frozen=True, slots=True)
class Card:
    """One pending request as a device shows it.

    ``call`` is the tool call that the implementation's own record names, None where it names none.
    """

    request: RequestId
    tool: str
    arguments: Arguments
    call: CallId | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How a device shows a request that is no longer pending."""

    status: OutcomeStatus
    choice: Choice | None = None
    decided_by: PersonId | None = None


class Style(StrEnum):
    """Whether an implementation runs the gated function once or calls it again after approval."""

    INLINE = "inline"
    REINVOKING = "re-invoking"


class OnUnauthorised(StrEnum):
    """What an unauthorised answer does to the request; ignoring it is what a system should do."""

    IGNORE = "ignore"
    REJECT = "reject"


class Level(StrEnum):
    """How binding a property is where its guarantee is offered."""

    MUST = "must"
    SHOULD = "should"
    INFO = "info"


class Guarantee(StrEnum):
    """What an implementation may promise; each is judged by the property of the same name."""

    SINGLE_WINNER = "single-winner"
    FIRST_VALID_WINS = "first-valid-wins"
    NO_EXECUTION_WITHOUT_GRANT = "no-execution-without-grant"
    AT_MOST_ONE_EXECUTION = "at-most-one-execution"
    FINALITY = "finality"
    ARGUMENT_BINDING = "argument-binding"
    ID_BINDING = "id-binding"
    PROVENANCE = "provenance"
    AUTHORITY = "authority"
    SEPARATION_OF_DUTY = "separation-of-duty"
    DEADLINE = "deadline"
    CANCEL_IS_FINAL = "cancel-is-final"
    DURABILITY = "durability"
    NO_ORPHAN = "no-orphan"
    TRUTHFUL_RECEIPT = "truthful-receipt"
    VIEW_CONVERGENCE = "view-convergence"
    DISCOVERABILITY = "discoverability"
    ONLY_DELIBERATE = "only-deliberate"
    BATCH_ISOLATION = "batch-isolation"
    REINVOCATION = "re-invocation"
    EARLY_RESPONSE = "early-response"
    SINGLE_USE = "single-use"
    FAIL_CLOSED = "fail-closed"
    AUDIT_TRUTH = "audit-truth"
    PROGRESS = "progress"
    PAUSE_IS_FREE = "pause-is-free"
    ISOLATION = "isolation"

"""What was seen at the boundary of an implementation: one frozen class per kind of event.

Owns the event vocabulary, its schema version and how a trace is written as JSON Lines. Properties read these
events and nothing else, so the same function judges a simulated run, a live run and a recorded log.

Invariant: an event holds plain data only: no clock reading but virtual nanoseconds, no ``repr`` of an
object, no memory address. Equal runs give equal bytes. This module does not record and does not judge.

On disk a trace is a header line ``{"format": "hitl-trace", "version": 1, ...}`` followed by one line an
event, each with its ``seq`` (0, 1, 2, ...), its ``kind`` and its fields.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

from harness.model import (
    AnswerId,
    Arguments,
    CallId,
    Card,
    Choice,
    DeviceId,
    ForgeryKind,
    HostName,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    Role,
    Settled,
    canonical_json,
)

FORMAT: Final = "hitl-trace"
VERSION: Final = 1


class Defect(StrEnum):
    """What is wrong with the credential behind an answer, as the identity provider knows it."""

    NONE = "none"
    MISSING_ROLE = "missing-role"
    MALFORMED_ROLE = "malformed-role"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    FORGED = "forged"
    UNSIGNED = "unsigned"
    WRONG_AUDIENCE = "wrong-audience"
    OTHER_TENANT = "other-tenant"
    WILDCARD = "wildcard"
    """Names no client in particular, so that nobody vouches for who sends with it."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who stands behind an answer in truth, whatever the message claims."""

    person: PersonId
    role: Role | None
    tenant: str
    defect: Defect = Defect.NONE


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The agent's caller started, or after a crash retried, a gated tool call."""

    at: int
    host: HostName
    call: CallId
    attempt: int
    tool: str
    arguments: Arguments
    policy: Policy
    session: str
    tenant: str
    requester: PersonId | None = None
    deadline: int | None = None
    batch: str | None = None
    kind: Literal["tool-called"] = "tool-called"


@dataclass(frozen=True, slots=True)
class RequestPublished:
    """The implementation acknowledged that the request is made known (``Req``)."""

    at: int
    host: HostName
    request: RequestId
    call: CallId
    arguments: Arguments
    kind: Literal["request-published"] = "request-published"


@dataclass(frozen=True, slots=True)
class DeviceJoined:
    """A person's device came up; ``sessions`` are those the person belongs to."""

    at: int
    host: HostName
    device: DeviceId
    person: PersonId
    tenant: str
    role: Role | None = None
    sessions: tuple[str, ...] = ()
    kind: Literal["device-joined"] = "device-joined"


@dataclass(frozen=True, slots=True)
class ScreenShown:
    """What a device shows as pending (``View``); recorded when it changed, and once at quiet."""

    at: int
    host: HostName
    device: DeviceId
    person: PersonId
    cards: tuple[Card, ...]
    kind: Literal["screen-shown"] = "screen-shown"


@dataclass(frozen=True, slots=True)
class SettledShown:
    """How a device shows one request that is no longer pending there; None: it does not know it."""

    at: int
    host: HostName
    device: DeviceId
    person: PersonId
    request: RequestId
    call: CallId | None
    settled: Settled | None
    kind: Literal["settled-shown"] = "settled-shown"


@dataclass(frozen=True, slots=True)
class AnswerSent:
    """A person pressed a button (``Resp``).

    ``shown`` is what the card showed when it was read, None where the person answered without one;
    ``arguments`` is the edit, None where nothing was edited.
    """

    at: int
    host: HostName
    answer: AnswerId
    request: RequestId
    call: CallId | None
    person: PersonId
    device: DeviceId
    choice: Choice
    credential: Credential
    shown: Arguments | None = None
    arguments: Arguments | None = None
    reason: str = ""
    kind: Literal["answer-sent"] = "answer-sent"


@dataclass(frozen=True, slots=True)
class ForgerySent:
    """A hostile client sent a forged message; ``person`` is who really did."""

    at: int
    host: HostName
    person: PersonId
    device: DeviceId
    forgery: ForgeryKind
    request: RequestId
    call: CallId
    kind: Literal["forgery-sent"] = "forgery-sent"


@dataclass(frozen=True, slots=True)
class ReceiptGiven:
    """What the device was told about an answer; a missing receipt is an unknown outcome."""

    at: int
    host: HostName
    answer: AnswerId
    status: ReceiptStatus
    winner: PersonId | None = None
    choice: Choice | None = None
    note: str = ""
    kind: Literal["receipt-given"] = "receipt-given"


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """A decision took effect at the arbiter or agent (``Dec``), as the implementation observed it."""

    at: int
    host: HostName
    request: RequestId
    call: CallId | None
    choice: Choice
    person: PersonId | None = None
    role: Role | None = None
    arguments: Arguments | None = None
    kind: Literal["decision-taken"] = "decision-taken"


@dataclass(frozen=True, slots=True)
class RequestExpired:
    """The implementation ended a request because its deadline passed (``Expire``)."""

    at: int
    host: HostName
    request: RequestId
    call: CallId | None
    kind: Literal["request-expired"] = "request-expired"


@dataclass(frozen=True, slots=True)
class BodyEntered:
    """The gated function was entered (``Body``); ``entry`` counts from 1 over all processes."""

    at: int
    host: HostName
    call: CallId
    entry: int
    approved: bool
    arguments: Arguments
    kind: Literal["body-entered"] = "body-entered"


@dataclass(frozen=True, slots=True)
class EffectExecuted:
    """The side effect happened (``Exec``); ``occurrence`` counts from 1 over all processes."""

    at: int
    host: HostName
    call: CallId
    occurrence: int
    arguments: Arguments
    failed: bool = False
    kind: Literal["effect-executed"] = "effect-executed"


@dataclass(frozen=True, slots=True)
class OutcomeReported:
    """What the agent's caller was told (``Outcome``)."""

    at: int
    host: HostName
    call: CallId
    attempt: int
    status: OutcomeStatus
    choice: Choice | None = None
    decided_by: PersonId | None = None
    role: Role | None = None
    reason: str = ""
    kind: Literal["outcome-reported"] = "outcome-reported"


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The agent's caller asked to cancel a call (``Cancel``)."""

    at: int
    host: HostName
    call: CallId
    kind: Literal["cancel-requested"] = "cancel-requested"


@dataclass(frozen=True, slots=True)
class CancelConfirmed:
    """The implementation told the caller whether the cancellation took effect."""

    at: int
    host: HostName
    call: CallId
    cancelled: bool
    kind: Literal["cancel-confirmed"] = "cancel-confirmed"


@dataclass(frozen=True, slots=True)
class StandingChanged:
    """The identity provider changed a person's role or revoked the person (``role`` None)."""

    at: int
    host: HostName
    person: PersonId
    role: Role | None
    revoked: bool = False
    kind: Literal["standing-changed"] = "standing-changed"


@dataclass(frozen=True, slots=True)
class HostCrashed:
    """A host lost power; ``boundary`` says after which of its boundary steps, if at one."""

    at: int
    host: HostName
    boundary: str = ""
    kind: Literal["host-crashed"] = "host-crashed"


@dataclass(frozen=True, slots=True)
class HostRestarted:
    """A host came back and its process booted again."""

    at: int
    host: HostName
    kind: Literal["host-restarted"] = "host-restarted"


@dataclass(frozen=True, slots=True)
class DeviationFired:
    """A deviation of the plan really took effect; ``index`` is its place in the plan."""

    at: int
    host: HostName
    index: int
    deviation: str
    kind: Literal["deviation-fired"] = "deviation-fired"


@dataclass(frozen=True, slots=True)
class AdapterFailed:
    """A call into the adapter raised, hung or leaked; never a verdict about the implementation."""

    at: int
    host: HostName
    where: str
    error: str
    kind: Literal["adapter-failed"] = "adapter-failed"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing more will happen: faults are healed, people are done, time has passed."""

    at: int
    host: HostName
    kind: Literal["quiet"] = "quiet"


@dataclass(frozen=True, slots=True)
class MessageMoved:
    """A message on the simulated network was sent, delivered, held or lost.

    ``message`` numbers the transmissions of a run; ``host`` is the sender for ``sent`` and ``lost``,
    the receiver for ``delivered``.
    """

    at: int
    host: HostName
    moved: str
    message: int
    source: HostName
    target: HostName
    label: str
    kind: Literal["message-moved"] = "message-moved"


Event: TypeAlias = (
    ToolCalled
    | RequestPublished
    | DeviceJoined
    | ScreenShown
    | SettledShown
    | AnswerSent
    | ForgerySent
    | ReceiptGiven
    | DecisionTaken
    | RequestExpired
    | BodyEntered
    | EffectExecuted
    | OutcomeReported
    | CancelRequested
    | CancelConfirmed
    | StandingChanged
    | HostCrashed
    | HostRestarted
    | DeviationFired
    | AdapterFailed
    | Quiet
    | MessageMoved
)

EVENT_CLASSES: Final[tuple[type[Any], ...]] = get_args(Event)
KINDS: Final = {cls.__dataclass_fields__["kind"].default: cls for cls in EVENT_CLASSES}


@dataclass(frozen=True, slots=True)
class Trace:
    """The ordered events of one run; a place in ``events`` is the event's ``seq``."""

    events: tuple[Event, ...]
    adapter: str = ""
    scenario: str = ""

    version: ClassVar[int] = VERSION

    def lines(self) -> Iterator[str]:
        """Yield the JSON Lines form, header first, each line canonical and without a line end."""
        yield canonical_json(
            {"format": FORMAT, "version": VERSION, "adapter": self.adapter, "scenario": self.scenario},
        )
        yield from (event_line(seq, event) for seq, event in enumerate(self.events))

    def digest(self) -> str:
        """Return the SHA-256 over the lines of the events; the header is not part of it."""
        sha = hashlib.sha256()
        for seq, event in enumerate(self.events):
            sha.update(event_line(seq, event).encode())
            sha.update(b"\n")
        return sha.hexdigest()


_RECORDS: Final[tuple[type[Any], ...]] = (*EVENT_CLASSES, Card, Credential, Policy, Settled)
FIELD_NAMES: Final = {cls: tuple(field.name for field in fields(cls)) for cls in _RECORDS}


def _plain(value: object) -> object:
    """Return ``value`` as what ``json`` can hold."""
    match value:
        case None | bool() | int() | str():
            return value
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return {name: _plain(getattr(value, name)) for name in FIELD_NAMES[type(value)]}


def event_line(seq: int, event: Event) -> str:
    """Return one event as a line of canonical JSON."""
    record = _plain(event)
    assert isinstance(record, dict)
    return canonical_json({"seq": seq, **record})

"""Deviations: everything in which a run may differ from the calm world, one frozen record a kind.

Owns the vocabulary of faults and misbehaviour as plain data. What a deviation does is carried out by
:mod:`harness.world`; how it reads in a sentence is in :mod:`harness.narrate`. Fields named after a person,
device, call or host must name one of the plan's. All times are integer virtual nanoseconds: ``at_ns`` from
the start of the run, everything else a duration.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from harness.model import CallId, Choice, DeviceId, ForgeryKind, HostName, PersonId, Role
from harness.trace import Defect


@dataclass(frozen=True, slots=True)
class SeededSchedule:
    """Ready callbacks run in a seeded random order instead of first-in first-out."""

    seed: int
    kind: Literal["seeded-schedule"] = "seeded-schedule"


@dataclass(frozen=True, slots=True)
class PrioritySchedule:
    """Hosts run by priority, earlier in ``order`` first; at each change point the front host goes last."""

    order: tuple[HostName, ...]
    change_points: tuple[int, ...] = ()
    kind: Literal["priority-schedule"] = "priority-schedule"


@dataclass(frozen=True, slots=True)
class Pick:
    """At scheduling step ``step`` the ``index``-th ready callback runs instead of the first."""

    step: int
    index: int
    kind: Literal["pick"] = "pick"


@dataclass(frozen=True, slots=True)
class DelayMessage:
    """The ``k``-th message (from 0) from ``source`` to ``target`` takes ``by_ns`` longer."""

    source: HostName
    target: HostName
    k: int
    by_ns: int
    kind: Literal["delay-message"] = "delay-message"


@dataclass(frozen=True, slots=True)
class DropMessage:
    """The ``k``-th message from ``source`` to ``target`` is lost, and its connection with it, as in TCP."""

    source: HostName
    target: HostName
    k: int
    kind: Literal["drop-message"] = "drop-message"


@dataclass(frozen=True, slots=True)
class DuplicateMessage:
    """The ``k``-th message from ``source`` to ``target`` is delivered twice."""

    source: HostName
    target: HostName
    k: int
    kind: Literal["duplicate-message"] = "duplicate-message"


@dataclass(frozen=True, slots=True)
class Chatter:
    """At ``at_ns`` the session of ``call`` gets ``count`` messages that are about something else."""

    call: CallId
    count: int
    at_ns: int
    kind: Literal["chatter"] = "chatter"


@dataclass(frozen=True, slots=True)
class CutLink:
    """Nothing passes between two hosts from ``at_ns`` for ``for_ns``; neither side is told."""

    one: HostName
    other: HostName
    at_ns: int
    for_ns: int
    kind: Literal["cut-link"] = "cut-link"


@dataclass(frozen=True, slots=True)
class ResetLink:
    """The connections between two hosts break at ``at_ns``; both sides are told."""

    one: HostName
    other: HostName
    at_ns: int
    kind: Literal["reset-link"] = "reset-link"


@dataclass(frozen=True, slots=True)
class CrashAtTime:
    """A host loses power at ``at_ns`` and comes back ``down_ns`` later."""

    host: HostName
    at_ns: int
    down_ns: int
    kind: Literal["crash-at-time"] = "crash-at-time"


BoundaryStep: TypeAlias = Literal["any", "message", "write", "body", "effect"]
"""Which boundary steps of a host count: all, or only those of one kind."""


@dataclass(frozen=True, slots=True)
class CrashAtBoundary:
    """A host loses power right after its ``k``-th boundary step (from 0) and comes back later.

    Boundary steps are messages sent and received, durable writes, syncs, body entries and effects; ``step``
    says which of them are counted.
    """

    host: HostName
    k: int
    down_ns: int
    unsynced: Literal["lost", "kept", "torn"] = "lost"
    step: BoundaryStep = "any"
    kind: Literal["crash-at-boundary"] = "crash-at-boundary"


@dataclass(frozen=True, slots=True)
class SkewClock:
    """A host's wall clock is off by ``by_ns`` for the whole run."""

    host: HostName
    by_ns: int
    kind: Literal["skew-clock"] = "skew-clock"


@dataclass(frozen=True, slots=True)
class DoubleTap:
    """A person presses the same button again ``gap_ns`` after their answer to ``call``."""

    person: PersonId
    call: CallId
    gap_ns: int
    kind: Literal["double-tap"] = "double-tap"


@dataclass(frozen=True, slots=True)
class AnswerAgain:
    """After their answer to ``call`` a person answers once more from ``device``."""

    person: PersonId
    call: CallId
    device: DeviceId
    choice: Choice
    after_ns: int
    kind: Literal["answer-again"] = "answer-again"


@dataclass(frozen=True, slots=True)
class AnswerUnknownRequest:
    """At ``at_ns`` a device answers a request id that was never issued."""

    person: PersonId
    device: DeviceId
    at_ns: int
    choice: Choice = Choice.APPROVED
    kind: Literal["answer-unknown-request"] = "answer-unknown-request"


@dataclass(frozen=True, slots=True)
class AnswerForeign:
    """A person answers ``call``, which is not theirs to see, ``after_ns`` after it is shown to anybody."""

    person: PersonId
    device: DeviceId
    call: CallId
    after_ns: int
    choice: Choice = Choice.APPROVED
    kind: Literal["answer-foreign"] = "answer-foreign"


@dataclass(frozen=True, slots=True)
class Forge:
    """A hostile client on ``device`` forges a message about ``call``, ``after_ns`` after that is shown.

    It sends the forgery ``times`` times over.
    """

    person: PersonId
    device: DeviceId
    call: CallId
    forgery: ForgeryKind
    after_ns: int
    times: int = 1
    kind: Literal["forge"] = "forge"


@dataclass(frozen=True, slots=True)
class HandOutAgain:
    """At ``at_ns`` another ``agent`` is given ``call`` too, while the first may still be at work on it."""

    call: CallId
    agent: HostName
    at_ns: int
    kind: Literal["hand-out-again"] = "hand-out-again"


@dataclass(frozen=True, slots=True)
class SleepOn:
    """A person thinks ``by_ns`` longer about ``call``."""

    person: PersonId
    call: CallId
    by_ns: int
    kind: Literal["sleep-on"] = "sleep-on"


@dataclass(frozen=True, slots=True)
class AnswerAt:
    """A person who sees ``call`` before ``at_ns`` presses at exactly that time."""

    person: PersonId
    call: CallId
    at_ns: int
    kind: Literal["answer-at"] = "answer-at"


@dataclass(frozen=True, slots=True)
class SwitchDevice:
    """A person's ``device`` joins only at ``at_ns`` and the answer to ``call`` comes from there."""

    person: PersonId
    call: CallId
    device: DeviceId
    at_ns: int
    kind: Literal["switch-device"] = "switch-device"


@dataclass(frozen=True, slots=True)
class SpoilCredential:
    """A person's tokens bear a defect for the whole run."""

    person: PersonId
    defect: Defect
    kind: Literal["spoil-credential"] = "spoil-credential"


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """At ``at_ns`` the identity provider gives a person another role (None: takes it away)."""

    person: PersonId
    at_ns: int
    role: Role | None
    kind: Literal["change-role"] = "change-role"


@dataclass(frozen=True, slots=True)
class RevokePerson:
    """At ``at_ns`` the identity provider revokes a person and all their tokens."""

    person: PersonId
    at_ns: int
    kind: Literal["revoke-person"] = "revoke-person"


@dataclass(frozen=True, slots=True)
class RequireRole:
    """The policy of ``call`` asks for ``role``, which its hierarchy may not list."""

    call: CallId
    role: Role
    kind: Literal["require-role"] = "require-role"


@dataclass(frozen=True, slots=True)
class CancelCall:
    """The agent's caller cancels ``call`` at ``at_ns``."""

    call: CallId
    at_ns: int
    kind: Literal["cancel-call"] = "cancel-call"


@dataclass(frozen=True, slots=True)
class ToolFails:
    """The tool behind ``call`` raises when it carries out its side effect."""

    call: CallId
    kind: Literal["tool-fails"] = "tool-fails"


Deviation: TypeAlias = (
    SeededSchedule
    | PrioritySchedule
    | Pick
    | DelayMessage
    | DropMessage
    | DuplicateMessage
    | Chatter
    | CutLink
    | ResetLink
    | CrashAtTime
    | CrashAtBoundary
    | SkewClock
    | DoubleTap
    | AnswerAgain
    | AnswerUnknownRequest
    | AnswerForeign
    | Forge
    | HandOutAgain
    | SleepOn
    | AnswerAt
    | SwitchDevice
    | SpoilCredential
    | ChangeRole
    | RevokePerson
    | RequireRole
    | CancelCall
    | ToolFails
)

DEVIATION_CLASSES: Final[tuple[type[Any], ...]] = get_args(Deviation)

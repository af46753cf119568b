"""Words for telling tiny traces by hand, with sensible defaults: who is who is in the arguments.

Owns the defaults of hand-written traces: one agent, calls ``c1``, ``c2``, requests ``r1``, ``r2``, people
with one phone each in the tenant ``acme`` and the session ``main``. Properties document themselves with
these traces and tests change single events of them. Nothing here judges or runs anything.

Invariant: :func:`tale` gives each event the next whole second, unless the event bears a time of its own, and
gives each receipt the device that sent the answer.
"""

from dataclasses import replace
from typing import Final

from harness.model import (
    AnswerId,
    Arguments,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    Role,
    Settled,
)
from harness.trace import (
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
    Credential,
    DecisionTaken,
    Defect,
    DeviationFired,
    DeviceJoined,
    EffectExecuted,
    Event,
    HostCrashed,
    HostRestarted,
    OutcomeReported,
    Quiet,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    ScreenShown,
    SettledShown,
    StandingChanged,
    ToolCalled,
    Trace,
)

AGENT: Final = HostName("agent")
UNSET: Final = -1
"""The time of an event that has none of its own yet."""
SECOND_NS: Final = 1_000_000_000
TOOL: Final = "publish"
POST: Final[Arguments] = {"post": 7}
OTHER_POST: Final[Arguments] = {"post": 8}
OPEN: Final = Policy()
"""Any verified person of the tenant decides."""
PUBLISHERS: Final = Policy(minimum_role=Role("publisher"))
TWO_PEOPLE: Final = Policy(quorum=2, requester_may_decide=False)
YES: Final = Choice.APPROVED
NO: Final = Choice.REJECTED


def tale(*events: Event) -> Trace:
    """Return the events as a trace, one second apart where they bear no time of their own."""
    hosts = {event.answer: event.host for event in events if isinstance(event, AnswerSent)}
    told = []
    for place, event in enumerate(events):
        timed = replace(event, at=place * SECOND_NS) if event.at == UNSET else event
        if isinstance(timed, ReceiptGiven):
            timed = replace(timed, host=hosts.get(timed.answer, timed.host))
        told.append(timed)
    return Trace(tuple(told))


def called(  # noqa: PLR0913 - one keyword a field that a tale may need to tell
    call: str = "c1",
    policy: Policy = OPEN,
    *,
    attempt: int = 1,
    arguments: Arguments = POST,
    requester: str | None = None,
    deadline_s: int | None = None,
    batch: str | None = None,
    session: str = "main",
    tenant: str = "acme",
) -> ToolCalled:
    """Tell that the agent's caller makes a gated call."""
    return ToolCalled(
        at=UNSET,
        host=AGENT,
        call=CallId(call),
        attempt=attempt,
        tool=TOOL,
        arguments=arguments,
        policy=policy,
        session=session,
        tenant=tenant,
        requester=None if requester is None else PersonId(requester),
        deadline=None if deadline_s is None else deadline_s * SECOND_NS,
        batch=batch,
    )


def published(request: str = "r1", call: str = "c1", arguments: Arguments = POST) -> RequestPublished:
    """Tell that the implementation reports that the request is made known."""
    return RequestPublished(UNSET, AGENT, RequestId(request), CallId(call), arguments)


def device_of(person: str) -> DeviceId:
    """Return the name of a person's phone."""
    return DeviceId(f"{person}-phone")


def joined(
    person: str,
    role: str | None = "publisher",
    *,
    tenant: str = "acme",
    sessions: tuple[str, ...] = ("main",),
) -> DeviceJoined:
    """Tell that a person's phone comes up."""
    device = device_of(person)
    granted = None if role is None else Role(role)
    return DeviceJoined(UNSET, HostName(device), device, PersonId(person), tenant, granted, sessions)


def card(request: str = "r1", call: str | None = "c1", arguments: Arguments = POST) -> Card:
    """One pending request on a screen."""
    return Card(RequestId(request), TOOL, arguments, None if call is None else CallId(call))


def screen(person: str, *cards: Card) -> ScreenShown:
    """Tell that a person's phone shows these cards as pending."""
    device = device_of(person)
    return ScreenShown(UNSET, HostName(device), device, PersonId(person), cards)


def settled(
    person: str,
    status: OutcomeStatus | None,
    by: str | None = None,
    *,
    request: str = "r1",
    call: str = "c1",
    choice: Choice | None = None,
) -> SettledShown:
    """Tell that a person's phone shows how a request ended; ``status`` None: it does not know the request."""
    device = device_of(person)
    decider = None if by is None else PersonId(by)
    shown = None if status is None else Settled(status, choice, decider)
    return SettledShown(
        UNSET, HostName(device), device, PersonId(person), RequestId(request), CallId(call), shown
    )


def answered(  # noqa: PLR0913 - one keyword a field that a tale may need to tell
    answer: str,
    person: str,
    choice: Choice = YES,
    *,
    request: str = "r1",
    call: str | None = "c1",
    role: str | None = "publisher",
    tenant: str = "acme",
    defect: Defect = Defect.NONE,
    shown: Arguments | None = POST,
    edit: Arguments | None = None,
    reason: str = "",
) -> AnswerSent:
    """Tell that a person presses a button on their phone."""
    device = device_of(person)
    return AnswerSent(
        at=UNSET,
        host=HostName(device),
        answer=AnswerId(answer),
        request=RequestId(request),
        call=None if call is None else CallId(call),
        person=PersonId(person),
        device=device,
        choice=choice,
        credential=Credential(PersonId(person), None if role is None else Role(role), tenant, defect),
        shown=shown,
        arguments=edit,
        reason=reason,
    )


def told(
    answer: str,
    status: ReceiptStatus = ReceiptStatus.DECIDED,
    winner: str | None = None,
    choice: Choice | None = None,
) -> ReceiptGiven:
    """Tell that the device that sent ``answer`` is told about it."""
    decider = None if winner is None else PersonId(winner)
    return ReceiptGiven(UNSET, HostName("device"), AnswerId(answer), status, decider, choice)


def decided(
    person: str | None,
    choice: Choice = YES,
    *,
    request: str = "r1",
    call: str | None = "c1",
    role: str | None = None,
    arguments: Arguments | None = None,
) -> DecisionTaken:
    """Tell that the implementation reports that a decision took effect."""
    return DecisionTaken(
        UNSET,
        AGENT,
        RequestId(request),
        None if call is None else CallId(call),
        choice,
        None if person is None else PersonId(person),
        None if role is None else Role(role),
        arguments,
    )


def expired(request: str = "r1", call: str = "c1") -> RequestExpired:
    """Tell that the implementation reports that it ended the request at its deadline."""
    return RequestExpired(UNSET, AGENT, RequestId(request), CallId(call))


def entered(
    entry: int = 1,
    call: str = "c1",
    *,
    approved: bool = False,
    arguments: Arguments = POST,
) -> BodyEntered:
    """Tell that the gated function is entered for the ``entry``-th time."""
    return BodyEntered(UNSET, AGENT, CallId(call), entry, approved, arguments)


def executed(
    call: str = "c1",
    occurrence: int = 1,
    *,
    arguments: Arguments = POST,
    failed: bool = False,
) -> EffectExecuted:
    """Tell that the side effect happens."""
    return EffectExecuted(UNSET, AGENT, CallId(call), occurrence, arguments, failed)


def outcome(
    status: OutcomeStatus = OutcomeStatus.EXECUTED,
    by: str | None = None,
    *,
    call: str = "c1",
    attempt: int = 1,
    choice: Choice | None = None,
    role: str | None = None,
    reason: str = "",
) -> OutcomeReported:
    """Tell that the agent's caller is told how the call ended."""
    return OutcomeReported(
        UNSET,
        AGENT,
        CallId(call),
        attempt,
        status,
        choice,
        None if by is None else PersonId(by),
        None if role is None else Role(role),
        reason,
    )


def cancel(call: str = "c1") -> CancelRequested:
    """Tell that the agent's caller cancels a call."""
    return CancelRequested(UNSET, AGENT, CallId(call))


def cancel_confirmed(call: str = "c1", *, cancelled: bool = True) -> CancelConfirmed:
    """Tell that the caller is told whether the cancellation took effect."""
    return CancelConfirmed(UNSET, AGENT, CallId(call), cancelled)


def standing(person: str, role: str | None = None, *, revoked: bool = False) -> StandingChanged:
    """Tell that the identity provider changes a person's role or revokes the person."""
    granted = None if role is None else Role(role)
    return StandingChanged(UNSET, HostName("identity"), PersonId(person), granted, revoked)


def crashed(host: str = AGENT) -> HostCrashed:
    """Tell that a host loses power."""
    return HostCrashed(UNSET, HostName(host))


def restarted(host: str = AGENT) -> HostRestarted:
    """Tell that a host comes back."""
    return HostRestarted(UNSET, HostName(host))


def fired(deviation: str, host: str = "world") -> DeviationFired:
    """Tell that a deviation of the plan takes effect."""
    return DeviationFired(UNSET, HostName(host), 0, deviation)


def quiet() -> Quiet:
    """Tell that nothing more will happen."""
    return Quiet(UNSET, HostName("world"))


def later(event: Event, at_s: float) -> Event:
    """Return ``event`` with a time of its own, in seconds from the start."""
    return replace(event, at=round(at_s * SECOND_NS))

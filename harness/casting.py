"""Building blocks for scenarios: casts, and deviations drawn within sensible bounds.

Owns what several scenarios draw alike. Every function draws through the :class:`~harness.plan.Chooser`
it is handed, shrinks towards the calm world, and names hosts as plans do: the agents, the channel
service and one host a device.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from harness.deviations import (
    AnswerAgain,
    AnswerAt,
    AnswerForeign,
    AnswerUnknownRequest,
    BoundaryStep,
    CancelCall,
    ChangeRole,
    Chatter,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    Deviation,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    Forge,
    HandOutAgain,
    PrioritySchedule,
    ResetLink,
    RevokePerson,
    SeededSchedule,
)
from harness.model import Arguments, CallId, Choice, DeviceId, ForgeryKind, HostName, PersonId, Policy, Role
from harness.plan import (
    AGENT_HOST,
    MS,
    SECOND,
    SERVICE_HOST,
    AnswerSpec,
    CallSpec,
    Chooser,
    DeviceSpec,
    PersonSpec,
)

NAMES: Final = ("alice", "bob", "carol", "dave")
DEVICE_KINDS: Final = ("phone", "laptop", "tablet")
CHOICES: Final = (Choice.APPROVED, Choice.REJECTED)
ROLES: Final = ("admin", "publisher", "editor", None)
"""From the strongest to none at all; the policy below admits the first two."""
PUBLISHER: Final = Policy(minimum_role=Role("publisher"))
"""Publishers and admins decide, editors do not: the policy of the published pattern."""
UNSYNCED: Final[tuple[Literal["lost", "kept", "torn"], ...]] = ("lost", "kept", "torn")
_SENT_MAX: Final = 6
"""About one request a host sends the channel 4 or 5 messages, handshake included; a retry adds some."""
_RECEIVED_MAX: Final = 10
"""About one request the channel sends a host 8 or 9 messages, handshake included."""
_BOUNDARIES_MAX: Final = 28
"""From boot to the outcome of one call an agent passes about 20 boundary steps; a second life adds some."""
_CRASH_POINTS: Final[tuple[tuple[BoundaryStep, int], ...]] = (
    ("any", _BOUNDARIES_MAX),
    ("write", 5),
    ("effect", 0),
)
"""Which boundary steps are counted, and the last of them that is drawn: a call costs an agent 4 writes."""

_FLOODS: Final = (20, 120)
"""Messages of a flood: many, and more than a page of history holds."""

Maker: TypeAlias = Callable[[Chooser], Deviation]


def call(number: int = 1, **fields: object) -> CallSpec:
    """Return the ``number``-th tool call; its arguments are its own, so that mix-ups show."""
    arguments = {"post": f"post-{number}", "title": f"Title {number}"}
    base = CallSpec(id=CallId(f"c{number}"), arguments=arguments, policy=PUBLISHER)
    return base if not fields else _replaced(base, fields)


def _replaced(base: CallSpec, fields: dict[str, object]) -> CallSpec:
    record = {name: getattr(base, name) for name in CallSpec.__dataclass_fields__}
    return CallSpec(**{**record, **fields})


def person(
    name: str,
    answers: Sequence[AnswerSpec] = (),
    *,
    role: str | None = "publisher",
    devices: int = 1,
    tenant: str = "acme",
    sessions: tuple[str, ...] = ("main",),
) -> PersonSpec:
    """Return a person with ``devices`` devices, named after the person and the kind."""
    return PersonSpec(
        id=PersonId(name),
        role=None if role is None else Role(role),
        devices=tuple(DeviceSpec(DeviceId(f"{name}-{kind}")) for kind in DEVICE_KINDS[:devices]),
        answers=tuple(answers),
        tenant=tenant,
        sessions=sessions,
    )


def devices_of(people: Sequence[PersonSpec]) -> tuple[HostName, ...]:
    """Return the hosts of all devices, in order."""
    return tuple(HostName(device.id) for someone in people for device in someone.devices)


def deviations(choose: Chooser, makers: Sequence[Maker], at_most: int) -> tuple[Deviation, ...]:
    """Draw up to ``at_most`` deviations, each from one of ``makers``, without exact repetitions."""
    count = choose.integer(0, at_most)
    drawn = [choose.pick(makers)(choose) for _ in range(count)]
    return tuple(dict.fromkeys(drawn))


def schedule_makers(hosts: Sequence[HostName]) -> tuple[Maker, ...]:
    """Return makers of scheduling deviations over ``hosts``."""

    def seeded(choose: Chooser) -> Deviation:
        return SeededSchedule(choose.integer(0, 9_999))

    def priorities(choose: Chooser) -> Deviation:
        front = choose.pick(hosts)
        order = (front, *(host for host in hosts if host != front))
        points = (choose.integer(0, 60), choose.integer(0, 120))
        return PrioritySchedule(order, tuple(sorted(set(points))))

    return (seeded, priorities)


def message_makers(hosts: Sequence[HostName]) -> tuple[Maker, ...]:
    """Return makers of message faults between ``hosts`` and the channel service, either way."""

    def link(choose: Chooser) -> tuple[HostName, HostName, int]:
        host, outward = choose.pick(hosts), choose.pick((True, False))
        if outward:
            return host, SERVICE_HOST, choose.integer(0, _SENT_MAX)
        return SERVICE_HOST, host, choose.integer(0, _RECEIVED_MAX)

    def delay(choose: Chooser) -> Deviation:
        return DelayMessage(*link(choose), by_ns=choose.integer(1, 60) * 5 * MS)

    def drop(choose: Chooser) -> Deviation:
        return DropMessage(*link(choose))

    def duplicate(choose: Chooser) -> Deviation:
        return DuplicateMessage(*link(choose))

    return (delay, drop, duplicate)


def link_makers(hosts: Sequence[HostName], until_ns: int) -> tuple[Maker, ...]:
    """Return makers of cuts and resets of links before ``until_ns``, within and beyond the live window."""

    def cut(choose: Chooser) -> Deviation:
        at_ns = choose.integer(0, 100) * (until_ns // 100)
        return CutLink(choose.pick(hosts), SERVICE_HOST, at_ns, choose.pick((1, 30, 150, 3_600)) * SECOND)

    def reset(choose: Chooser) -> Deviation:
        return ResetLink(choose.pick(hosts), SERVICE_HOST, choose.integer(0, 100) * (until_ns // 100))

    return (cut, reset)


def crash_makers(until_ns: int, agents: Sequence[HostName] = (AGENT_HOST,)) -> tuple[Maker, ...]:
    """Return makers of power cuts of an agent: at any boundary step, and at any time before ``until_ns``."""

    def at_boundary(choose: Chooser) -> Deviation:
        down_ns = choose.pick((1, 10, 300)) * SECOND
        unsynced = choose.pick(UNSYNCED)
        step, last = choose.pick(_CRASH_POINTS)
        return CrashAtBoundary(choose.pick(agents), choose.integer(0, last), down_ns, unsynced, step)

    def at_time(choose: Chooser) -> Deviation:
        at_ns = choose.integer(0, 100) * (until_ns // 100)
        return CrashAtTime(choose.pick(agents), at_ns, choose.pick((1, 10, 300)) * SECOND)

    return (at_boundary, at_time)


def chatter_maker(calls: Sequence[CallId]) -> Maker:
    """Return a maker of chatter that pushes the requests of ``calls`` off the newest page of history."""

    def chatter(choose: Chooser) -> Deviation:
        return Chatter(choose.pick(calls), choose.pick(_FLOODS), choose.integer(1, 20) * 100 * MS)

    return chatter


def press_makers(people: Sequence[PersonSpec], calls: Sequence[CallId]) -> tuple[Maker, ...]:
    """Return makers of presses too many: double taps, changes of mind, answers from another device."""

    def double_tap(choose: Chooser) -> Deviation:
        return DoubleTap(choose.pick(people).id, choose.pick(calls), choose.integer(0, 60) * 5 * MS)

    def answer_again(choose: Chooser) -> Deviation:
        someone = choose.pick(people)
        device = choose.pick(someone.devices).id
        after_ns = choose.pick((0, 1, 5, 20, 100, 1_000, 60_000)) * MS
        return AnswerAgain(someone.id, choose.pick(calls), device, choose.pick(CHOICES), after_ns)

    return (double_tap, answer_again)


def standing_makers(people: Sequence[PersonSpec], until_ns: int) -> tuple[Maker, ...]:
    """Return makers of changes in the directory before ``until_ns``: another role, none, a revocation."""

    def change_role(choose: Chooser) -> Deviation:
        role = choose.pick(ROLES)
        at_ns = choose.integer(1, 60) * (until_ns // 60)
        return ChangeRole(choose.pick(people).id, at_ns, None if role is None else Role(role))

    def revoke(choose: Chooser) -> Deviation:
        return RevokePerson(choose.pick(people).id, choose.integer(1, 60) * (until_ns // 60))

    return (change_role, revoke)


def exact_maker(people: Sequence[PersonSpec], calls: Sequence[CallId], instants_ns: Sequence[int]) -> Maker:
    """Return a maker of answers pressed at exactly one of ``instants_ns``."""

    def answer_at(choose: Chooser) -> Deviation:
        return AnswerAt(choose.pick(people).id, choose.pick(calls), choose.pick(instants_ns))

    return answer_at


def around_ns(instant_ns: int, *, travel_ns: int = 10 * MS) -> tuple[int, ...]:
    """Return instants at, just before and just after ``instant_ns``, and ``travel_ns`` earlier.

    What is sent ``travel_ns`` earlier arrives on time: two hops from a device to an agent.
    """
    nudges_ns = (0, -1, 1, -MS, MS)
    return tuple(instant_ns - lead_ns + nudge_ns for lead_ns in (0, travel_ns) for nudge_ns in nudges_ns)


def cancel_maker(calls: Sequence[CallId], instants_ns: Sequence[int]) -> Maker:
    """Return a maker of cancellations at one of ``instants_ns``."""

    def cancel(choose: Chooser) -> Deviation:
        return CancelCall(choose.pick(calls), choose.pick(instants_ns))

    return cancel


def hand_out_maker(calls: Sequence[CallId], agents: Sequence[HostName], until_ns: int) -> Maker:
    """Return a maker of calls given to another of ``agents`` too, before ``until_ns``."""

    def hand_out(choose: Chooser) -> Deviation:
        at_ns = choose.integer(1, 60) * (until_ns // 60)
        return HandOutAgain(choose.pick(calls), choose.pick(agents), at_ns)

    return hand_out


def edited(spec: CallSpec, edit: int) -> Arguments:
    """Return the arguments of a call as somebody edits them; different ``edit`` numbers differ."""
    return {**spec.arguments, "title": f"Edited title {edit}"}


def forge_makers(hostile: Sequence[PersonSpec], calls: Sequence[CallId]) -> tuple[Maker, ...]:
    """Return makers of forgeries by ``hostile`` people: single ones of every kind, and floods."""

    def one(choose: Chooser, times: int) -> Deviation:
        someone = choose.pick(hostile)
        after_ns = choose.integer(0, 30) * 100 * MS
        forgery = choose.pick(tuple(ForgeryKind))
        return Forge(someone.id, someone.devices[0].id, choose.pick(calls), forgery, after_ns, times)

    def forge(choose: Chooser) -> Deviation:
        return one(choose, 1)

    def flood(choose: Chooser) -> Deviation:
        return one(choose, choose.pick(_FLOODS))

    return (forge, forge, forge, flood)


def foreign_maker(outsiders: Sequence[PersonSpec], calls: Sequence[CallId]) -> Maker:
    """Return a maker of answers by ``outsiders`` to ``calls`` that are not theirs to see."""

    def answer_foreign(choose: Chooser) -> Deviation:
        someone = choose.pick(outsiders)
        after_ns = choose.integer(0, 30) * 100 * MS
        return AnswerForeign(
            someone.id, someone.devices[0].id, choose.pick(calls), after_ns, choose.pick(CHOICES)
        )

    return answer_foreign


def unknown_maker(people: Sequence[PersonSpec]) -> Maker:
    """Return a maker of answers to a request that was never issued."""

    def answer_unknown(choose: Chooser) -> Deviation:
        someone = choose.pick(people)
        at_ns = choose.integer(1, 20) * 100 * MS
        return AnswerUnknownRequest(someone.id, someone.devices[0].id, at_ns, choose.pick(CHOICES))

    return answer_unknown


def stranger(choose: Chooser) -> PersonSpec:
    """Return somebody with the authority elsewhere: in another session, or in another tenant."""
    tenant, session = choose.pick((("acme", "side"), ("globex", "main")))
    return person("zoe", role="admin", tenant=tenant, sessions=(session,))

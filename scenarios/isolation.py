"""Two tenants, two sessions, one service: nobody sees or decides what is not theirs.

Each session has a call and people of its own, some people belong to two sessions, and outsiders with every
authority at home answer calls of the others by their ids, forge messages about them and reconnect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    Maker,
    call,
    crash_makers,
    deviations,
    devices_of,
    foreign_maker,
    forge_makers,
    link_makers,
    message_makers,
    person,
    unknown_maker,
)
from harness.deviations import (
    AnswerForeign,
    AnswerUnknownRequest,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    Forge,
    ResetLink,
)
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, PersonSpec, Plan

_DEVIATIONS_MAX: Final = 4
_HOMES: Final = (("acme", ("main",)), ("globex", ("main",)), ("acme", ("side",)), ("acme", ("main", "side")))
"""Tenant and sessions of alice, zoe, sam and both: two tenants with a session of one name, two sessions."""
_NAMES: Final = ("alice", "zoe", "sam", "both")


@dataclass(frozen=True, slots=True)
class Isolation:
    """Sessions and tenants beside each other."""

    name: str = "isolation"
    summary: str = "sessions and tenants never see and never decide each other's requests"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P7",
        "P8",
        "P9",
        "P13",
        "P14",
        "P15",
        "P16",
        "P17",
        "P18",
        "P24",
        "P25",
        "P27",
    )
    faults: Sequence[type[Any]] = (
        AnswerForeign,
        AnswerUnknownRequest,
        Forge,
        CutLink,
        ResetLink,
        CrashAtBoundary,
        CrashAtTime,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw two or three sessions with a call and somebody in each, and often somebody who is in two."""
        homes = choose.integer(2, 4)
        calls = tuple(
            call(number, tenant=tenant, session=sessions[0])
            for number, (tenant, sessions) in enumerate(_HOMES[: min(homes, 3)], start=1)
        )
        people = tuple(
            self._person(choose, name, tenant, sessions, calls)
            for name, (tenant, sessions) in zip(_NAMES[:homes], _HOMES, strict=False)
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            deviations=deviations(choose, self._makers(people, calls), _DEVIATIONS_MAX),
        )

    def _person(
        self, choose: Chooser, name: str, tenant: str, sessions: tuple[str, ...], calls: Sequence[CallSpec]
    ) -> PersonSpec:
        """Return somebody who answers the calls of their own sessions, or (one in four) none of them."""
        own = [it for it in calls if it.tenant == tenant and it.session in sessions]
        silent = choose.integer(0, 3) == 3  # noqa: PLR2004 - one person in four
        answers = [
            AnswerSpec(it.id, choose.pick(CHOICES), think_ns=SECOND + choose.integer(0, 20) * 100 * MS)
            for it in own
        ]
        return person(name, () if silent else answers, role="admin", tenant=tenant, sessions=sessions)

    def _makers(self, people: Sequence[PersonSpec], calls: Sequence[CallSpec]) -> tuple[Maker, ...]:
        hosts = (AGENT_HOST, *devices_of(people))
        abroad: list[Maker] = []
        for it in calls:
            outsiders = [
                someone
                for someone in people
                if someone.tenant != it.tenant or it.session not in someone.sessions
            ]
            abroad += (foreign_maker(outsiders, [it.id]), *forge_makers(outsiders, [it.id])[:1])
        return (
            *abroad,
            unknown_maker(people),
            *link_makers(hosts, 4 * SECOND),
            *crash_makers(4 * SECOND),
            *message_makers(hosts),
        )


SCENARIOS: Final = (Isolation(),)

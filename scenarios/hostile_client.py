"""A client that may read and write the session's channel, and decides nothing, tries to decide all the same.

It forges requests, approvals and announcements in somebody else's name, repeats messages that it overheard,
floods the channel, answers requests of other sessions and requests that never were, and presses buttons. It
holds a genuine token of somebody whose role does not suffice, or of the requester who may not decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    PUBLISHER,
    Maker,
    call,
    deviations,
    devices_of,
    foreign_maker,
    forge_makers,
    link_makers,
    message_makers,
    person,
    stranger,
    unknown_maker,
)
from harness.deviations import (
    AnswerForeign,
    AnswerUnknownRequest,
    CutLink,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    Forge,
    ResetLink,
)
from harness.model import PersonId, Policy
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4
_HOSTILE_ROLES: Final = ("editor", None)
_MALLORY: Final = PersonId("mallory")
_OWN_REQUEST: Final = Policy(PUBLISHER.minimum_role, requester_may_decide=False)
"""The hostile person has the role, and asked for the call."""


@dataclass(frozen=True, slots=True)
class HostileClient:
    """Forgeries, replays and floods."""

    name: str = "hostile_client"
    summary: str = "nothing that a client claims in a message makes a request or a decision"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P6",
        "P7",
        "P8",
        "P9",
        "P10",
        "P15",
        "P16",
        "P17",
        "P18",
        "P23",
        "P24",
        "P25",
        "P27",
    )
    faults: Sequence[type[Any]] = (
        Forge,
        AnswerForeign,
        AnswerUnknownRequest,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        CutLink,
        ResetLink,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw up to two honest people, a hostile one among them, and often a stranger from elsewhere."""
        owns_request = choose.pick((False, True))
        request = (
            call(policy=_OWN_REQUEST, requester=_MALLORY)
            if owns_request
            else call(policy=PUBLISHER, requester=choose.pick((None, _MALLORY)))
        )
        role = "publisher" if owns_request else choose.pick(_HOSTILE_ROLES)
        honest = tuple(person(name, self._answers(choose, request)) for name in NAMES[: choose.integer(1, 2)])
        mallory = person(_MALLORY, self._answers(choose, request), role=role)
        strangers = (stranger(choose),) if choose.integer(0, 1) else ()
        people = (*honest, mallory, *strangers)
        hosts = (AGENT_HOST, *devices_of(people))
        forgers = forge_makers((mallory,), [request.id])
        makers: tuple[Maker, ...] = (
            *forgers,
            *forgers,
            unknown_maker((mallory, *strangers)),
            *message_makers(hosts),
            *link_makers(hosts, 4 * SECOND),
        )
        if strangers:
            makers = (*makers, *forge_makers(strangers, [request.id]), foreign_maker(strangers, [request.id]))
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _answers(self, choose: Chooser, request: CallSpec) -> list[AnswerSpec]:
        """Return how somebody answers by the button: after one to three seconds, or (one in four) never."""
        if choose.integer(0, 3) == 3:  # noqa: PLR2004 - one person in four
            return []
        think_ns = SECOND + choose.integer(0, 20) * 100 * MS
        return [AnswerSpec(request.id, choose.pick(CHOICES), think_ns=think_ns)]


SCENARIOS: Final = (HostileClient(),)

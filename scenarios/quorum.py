"""A request takes two or three people: distinct ones, entitled ones, and not whoever asked.

The requester answers too, one person answers from two devices, minds change between two approvals, somebody
is revoked or promoted in between, two approve different edits, and the agent dies with the count half done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    NAMES,
    PUBLISHER,
    ROLES,
    Maker,
    call,
    crash_makers,
    deviations,
    devices_of,
    edited,
    message_makers,
    person,
    press_makers,
    standing_makers,
)
from harness.deviations import (
    AnswerAgain,
    ChangeRole,
    CrashAtBoundary,
    CrashAtTime,
    DelayMessage,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    RevokePerson,
)
from harness.model import Choice, PersonId, Policy
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, PersonSpec, Plan

_DEVIATIONS_MAX: Final = 4
_CHOICES: Final = (Choice.APPROVED, Choice.APPROVED, Choice.APPROVED, Choice.APPROVED, Choice.REJECTED)
_ROLES: Final = ("publisher", "publisher", *ROLES)
_EDITS_IN: Final = 5
"""One answer in so many edits the arguments."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """Several approvals for one request."""

    name: str = "quorum"
    summary: str = "as many distinct eligible people as the policy asks for, and never the requester"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P6",
        "P9",
        "P10",
        "P13",
        "P14",
        "P15",
        "P16",
        "P17",
        "P18",
        "P23",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        AnswerAgain,
        DoubleTap,
        ChangeRole,
        RevokePerson,
        CrashAtBoundary,
        CrashAtTime,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw a request for one to three of two to four people; often one of them asked for it."""
        requester = choose.pick((None, PersonId(NAMES[0])))
        policy = Policy(
            PUBLISHER.minimum_role,
            quorum=choose.pick((2, 1, 3)),
            requester_may_decide=choose.pick((False, True)),
        )
        request = call(policy=policy, requester=requester)
        people = tuple(
            person(
                name,
                self._answers(choose, request),
                role=choose.pick(_ROLES),
                devices=choose.integer(1, 2),
            )
            for name in NAMES[: choose.integer(2, 4)]
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, self._makers(people, request), _DEVIATIONS_MAX),
        )

    def _answers(self, choose: Chooser, request: CallSpec) -> list[AnswerSpec]:
        """Return how a person answers: after one to three seconds, or (one in five) never."""
        if choose.integer(0, 4) == 4:  # noqa: PLR2004 - one person in five
            return []
        edits = edited(request, choose.integer(1, 2)) if choose.integer(0, _EDITS_IN) == _EDITS_IN else None
        think_ns = SECOND + choose.integer(0, 20) * choose.pick((1, 100)) * MS
        return [AnswerSpec(request.id, choose.pick(_CHOICES), think_ns=think_ns, edits=edits)]

    def _makers(self, people: Sequence[PersonSpec], request: CallSpec) -> tuple[Maker, ...]:
        presses = press_makers(people, [request.id])
        return (
            *presses,
            *standing_makers(people, 3 * SECOND),
            *presses,
            *crash_makers(3 * SECOND),
            *message_makers((AGENT_HOST, *devices_of(people))),
        )


SCENARIOS: Final = (Quorum(),)

"""People without the authority answer too: they never decide, and do not stop those who may.

Roles are too weak, missing or malformed; tokens are expired, forged, unsigned, meant for another service, of
another tenant, or name no client in particular; a role changes or a person is revoked between request and
answer, and within the milliseconds between answer and decision; the requester may not decide, or may; the
policy asks for a role that no hierarchy lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.casting import CHOICES, NAMES, PUBLISHER, ROLES, Maker, call, deviations, person, standing_makers
from harness.deviations import ChangeRole, Deviation, RequireRole, RevokePerson, SpoilCredential
from harness.model import CallId, PersonId, Role
from harness.plan import MS, SECOND, AnswerSpec, Chooser, PersonSpec, Plan
from harness.trace import Defect

_DEVIATIONS_MAX: Final = 3
_SHOWN_NS: Final = 40 * MS
"""When the first card is shown in a calm run: an agent connects, attaches and asks in about that time."""
_ROLELESS: Final = (Defect.MISSING_ROLE, Defect.MALFORMED_ROLE)
_DEFECTS: Final = (*_ROLELESS, *(defect for defect in Defect if defect is not Defect.NONE))
"""Broken role claims twice: only they reach an implementation whose channel refuses every other bad token."""


@dataclass(frozen=True, slots=True)
class RoleRejection:
    """Authority under wrong, missing, stale and false credentials."""

    name: str = "role_rejection"
    summary: str = "only a verified identity with the required role decides; others are told so"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P7",
        "P8",
        "P9",
        "P10",
        "P15",
        "P16",
        "P18",
        "P23",
        "P24",
        "P25",
        "P27",
    )
    faults: Sequence[type[Any]] = (SpoilCredential, ChangeRole, RevokePerson, RequireRole)

    def draw(self, choose: Chooser) -> Plan:
        """Draw two or three people of any role who answer one after the other."""
        policy = replace(PUBLISHER, requester_may_decide=choose.pick((True, False)))
        request = call(policy=policy, requester=choose.pick((None, PersonId(NAMES[0]))))
        people = tuple(
            person(name, [self._answer(choose, request.id)], role=choose.pick(ROLES))
            for name in NAMES[: choose.integer(1, 3)]
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, _makers(people, request.id), _DEVIATIONS_MAX),
        )

    def _answer(self, choose: Chooser, request: CallId) -> AnswerSpec:
        think_ns = SECOND + choose.integer(0, 20) * choose.pick((100, 1)) * MS
        return AnswerSpec(request, choose.pick(CHOICES), think_ns=think_ns)


def _makers(people: Sequence[PersonSpec], request: CallId) -> tuple[Maker, ...]:
    def spoil(choose: Chooser) -> Deviation:
        return SpoilCredential(choose.pick(people).id, choose.pick(_DEFECTS))

    def require(choose: Chooser) -> Deviation:
        return RequireRole(request, Role(choose.pick(("owner", "admin"))))

    return (spoil, spoil, spoil, *standing_makers(people, 3 * SECOND), *_in_the_race(people), require)


def _in_the_race(people: Sequence[PersonSpec]) -> tuple[Maker, ...]:
    """Return makers of changes within the milliseconds from somebody's press to the decision."""

    def pressing(choose: Chooser) -> tuple[PersonId, int]:
        someone = choose.pick(people)
        think_ns = someone.answers[0].think_ns if someone.answers else SECOND
        return someone.id, _SHOWN_NS + think_ns + choose.integer(0, 12) * MS

    def change_role(choose: Chooser) -> Deviation:
        role = choose.pick(ROLES)
        someone, at_ns = pressing(choose)
        return ChangeRole(someone, at_ns, None if role is None else Role(role))

    def revoke(choose: Chooser) -> Deviation:
        return RevokePerson(*pressing(choose))

    return (change_role, revoke)


SCENARIOS: Final = (RoleRejection(),)

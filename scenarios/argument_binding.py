"""What was shown, what was approved and what is executed are the same arguments, edits included.

People edit while approving, two with different edits at once, with a double tap, after a change of mind, and
where the policy forbids edits; messages are doubled and late, and the agent dies between decision and
execution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    NAMES,
    PUBLISHER,
    call,
    crash_makers,
    deviations,
    devices_of,
    edited,
    message_makers,
    person,
    press_makers,
)
from harness.deviations import (
    AnswerAgain,
    CrashAtBoundary,
    CrashAtTime,
    DelayMessage,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
)
from harness.model import Choice, Policy
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4
_EDITING: Final = (0, 1, 2)
"""No edit, and two edits that differ."""
_CHOICES: Final = (Choice.APPROVED, Choice.APPROVED, Choice.REJECTED)
_UNEDITABLE: Final = Policy(PUBLISHER.minimum_role, edits_allowed=False)


@dataclass(frozen=True, slots=True)
class ArgumentBinding:
    """Edits that race, repeat and are not allowed."""

    name: str = "argument_binding"
    summary: str = "what is executed is what the approver saw, or made of it where edits are allowed"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P6",
        "P13",
        "P14",
        "P15",
        "P16",
        "P20",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        DoubleTap,
        AnswerAgain,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        CrashAtBoundary,
        CrashAtTime,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw one or two people who approve nearly at once, each with or without an edit of their own."""
        request = call(policy=choose.pick((PUBLISHER, _UNEDITABLE)))
        people = tuple(
            person(name, [self._answer(choose, request)], devices=choose.integer(1, 2))
            for name in NAMES[: choose.integer(1, 2)]
        )
        makers = (
            *press_makers(people, [request.id]),
            *message_makers((AGENT_HOST, *devices_of(people))),
            *crash_makers(2 * SECOND),
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _answer(self, choose: Chooser, request: CallSpec) -> AnswerSpec:
        edit = choose.pick(_EDITING)
        return AnswerSpec(
            request.id,
            choose.pick(_CHOICES),
            think_ns=SECOND + choose.integer(0, 10) * MS,
            edits=edited(request, edit) if edit else None,
            reason=choose.pick(("", "as edited")),
        )


SCENARIOS: Final = (ArgumentBinding(),)

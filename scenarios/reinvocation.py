"""An approved call is carried out once, however often its function is entered again.

The agent loses power between approval and execution, between execution and its record, and while it
recovers; approvals are delivered twice and given twice; the tool itself fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    call,
    crash_makers,
    deviations,
    devices_of,
    message_makers,
    person,
    press_makers,
)
from harness.deviations import (
    AnswerAgain,
    CrashAtBoundary,
    CrashAtTime,
    DelayMessage,
    Deviation,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    ToolFails,
)
from harness.model import CallId
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Reinvocation:
    """Crashes and replays around the gate."""

    name: str = "reinvocation"
    summary: str = "code behind the gate takes effect once for an approval, and never without one"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P13",
        "P14",
        "P15",
        "P16",
        "P20",
        "P22",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        CrashAtBoundary,
        CrashAtTime,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        DoubleTap,
        AnswerAgain,
        ToolFails,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw one or two calls in a row, decided by one or two people."""
        calls = tuple(
            call(number, at_ns=(number - 1) * 3 * SECOND) for number in range(1, choose.integer(1, 2) + 1)
        )
        people = tuple(
            person(name, [self._answer(choose, it.id) for it in calls])
            for name in NAMES[: choose.integer(1, 2)]
        )

        def tool_fails(choose: Chooser) -> Deviation:
            return ToolFails(choose.pick(calls).id)

        makers = (
            *crash_makers(4 * SECOND),
            *message_makers((AGENT_HOST, *devices_of(people))),
            *press_makers(people, [it.id for it in calls]),
            tool_fails,
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _answer(self, choose: Chooser, request: CallId) -> AnswerSpec:
        return AnswerSpec(request, choose.pick(CHOICES), think_ns=choose.integer(1, 8) * 250 * MS)


SCENARIOS: Final = (Reinvocation(),)

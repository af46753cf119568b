"""Several people on several devices answer one request at nearly the same moment: one answer wins.

Everybody sees the card and presses within a few milliseconds, less than a message takes to travel;
messages are delayed, lost and doubled, buttons pressed twice, minds changed from another device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    call,
    deviations,
    devices_of,
    message_makers,
    person,
    press_makers,
    schedule_makers,
    unknown_maker,
)
from harness.deviations import (
    AnswerAgain,
    AnswerUnknownRequest,
    DelayMessage,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    PrioritySchedule,
    SeededSchedule,
)
from harness.model import CallId
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class FirstResponseWins:
    """The race for one request."""

    name: str = "first_response_wins"
    summary: str = "however many answers race, exactly one decides, and everybody learns which"
    properties: Sequence[str] = ("P1", "P2", "P3", "P4", "P5", "P7", "P8", "P15", "P16", "P18", "P24", "P25")
    faults: Sequence[type[Any]] = (
        SeededSchedule,
        PrioritySchedule,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        DoubleTap,
        AnswerAgain,
        AnswerUnknownRequest,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw a race of two or three people."""
        request = call()
        people = tuple(
            person(name, [self._answer(choose, request.id)], devices=choose.integer(1, 2))
            for name in NAMES[: choose.integer(2, 3)]
        )
        hosts = (AGENT_HOST, *devices_of(people))

        makers = (
            *schedule_makers(hosts),
            *message_makers(hosts),
            *press_makers(people, [request.id]),
            unknown_maker(people),
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _answer(self, choose: Chooser, request: CallId) -> AnswerSpec:
        think_ns = SECOND + choose.integer(0, 12) * MS
        return AnswerSpec(request, choose.pick(CHOICES), think_ns=think_ns)


SCENARIOS: Final = (FirstResponseWins(),)

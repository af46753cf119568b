"""The agent's caller cancels while people decide: before anybody was asked, in the race, after the decision.

The cancellation falls anywhere from the first message to the outcome, and mostly within the few milliseconds
around a decision; the agent dies around it and the caller tries again; answers come when it is long over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    call,
    cancel_maker,
    crash_makers,
    deviations,
    devices_of,
    message_makers,
    person,
    press_makers,
    schedule_makers,
)
from harness.deviations import (
    AnswerAgain,
    CancelCall,
    CrashAtBoundary,
    CrashAtTime,
    DelayMessage,
    Deviation,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    PrioritySchedule,
    SeededSchedule,
    SleepOn,
)
from harness.model import CallId
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4
_ASKING_NS: Final = tuple(step * 5 * MS for step in range(13))
"""From the call to the card on every screen."""
_DECIDING_NS: Final = tuple(SECOND + step * MS for step in range(45, 100))
"""From the first press to the receipt, for a person who thinks for a second."""
_LATER_NS: Final = (2 * SECOND, 10 * SECOND)
_INSTANTS_NS: Final = (*_DECIDING_NS, *_ASKING_NS, *_LATER_NS)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancellation that races the decision."""

    name: str = "cancellation"
    summary: str = "a call whose cancellation was confirmed never runs, and nothing brings it back"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P12",
        "P13",
        "P14",
        "P15",
        "P16",
        "P20",
        "P23",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        CancelCall,
        SleepOn,
        CrashAtBoundary,
        CrashAtTime,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        DoubleTap,
        AnswerAgain,
        SeededSchedule,
        PrioritySchedule,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw one call of which all but a few are cancelled, and one or two people who answer it."""
        request = call()
        people = tuple(
            person(name, [self._answer(choose, request.id)]) for name in NAMES[: choose.integer(1, 2)]
        )
        hosts = (AGENT_HOST, *devices_of(people))
        cancel = cancel_maker([request.id], _INSTANTS_NS)

        def sleep_on(choose: Chooser) -> Deviation:
            return SleepOn(choose.pick(people).id, request.id, choose.pick((SECOND, 20 * SECOND)))

        makers = (
            *crash_makers(2 * SECOND),
            *message_makers(hosts),
            *press_makers(people, [request.id]),
            *schedule_makers(hosts),
            cancel,
            sleep_on,
        )
        cancelled = (cancel(choose),) if choose.integer(0, 9) else ()
        drawn = deviations(choose, makers, _DEVIATIONS_MAX)
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=tuple(dict.fromkeys(cancelled + drawn)),
        )

    def _answer(self, choose: Chooser, request: CallId) -> AnswerSpec:
        return AnswerSpec(request, choose.pick(CHOICES), think_ns=SECOND + choose.integer(0, 30) * MS)


SCENARIOS: Final = (Cancellation(),)

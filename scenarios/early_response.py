"""The answer comes at once: before the agent learnt that its own request is out, or while it is away.

People press the moment they see the card, while the agent's own messages are late, lost or cut off, and while
it dies right after it published.
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
    schedule_makers,
)
from harness.deviations import (
    CrashAtBoundary,
    CutLink,
    DelayMessage,
    Deviation,
    DropMessage,
    DuplicateMessage,
    PrioritySchedule,
    ResetLink,
    SeededSchedule,
)
from harness.plan import AGENT_HOST, MS, SECOND, SERVICE_HOST, AnswerSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 3
_LATENESS_MAX: Final = 60
"""In steps of 5 ms: up to 300 ms, more than anything a person and a device exchange meanwhile."""
_FROM_SERVICE_MAX: Final = 6
"""The acknowledgement of the agent's request is the 4th message that it receives, its echo the 5th."""
_STEP_MAX: Final = 14
"""The agent publishes its request as about its 9th boundary step."""


@dataclass(frozen=True, slots=True)
class EarlyResponse:
    """An answer that may overtake the question's acknowledgement."""

    name: str = "early_response"
    summary: str = "an answer sent the moment the request is seen is not lost"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P13",
        "P14",
        "P15",
        "P16",
        "P18",
        "P21",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        CutLink,
        ResetLink,
        CrashAtBoundary,
        SeededSchedule,
        PrioritySchedule,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw one to three people who answer at once."""
        calls = tuple(call(number) for number in range(1, choose.integer(1, 2) + 1))
        people = tuple(
            person(
                name, [AnswerSpec(it.id, choose.pick(CHOICES), think_ns=self._think(choose)) for it in calls]
            )
            for name in NAMES[: choose.integer(1, 3)]
        )
        hosts = (AGENT_HOST, *devices_of(people))
        makers = (
            _late_to_agent,
            _cut_agent,
            _reset_agent,
            _crash_after_asking,
            *message_makers((AGENT_HOST,)),
            *message_makers(hosts),
            *schedule_makers(hosts),
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _think(self, choose: Chooser) -> int:
        return choose.integer(0, 8) * choose.pick((1, 10)) * MS


def _late_to_agent(choose: Chooser) -> Deviation:
    k, by_ns = choose.integer(0, _FROM_SERVICE_MAX), choose.integer(1, _LATENESS_MAX) * 5 * MS
    return DelayMessage(SERVICE_HOST, AGENT_HOST, k, by_ns)


def _cut_agent(choose: Chooser) -> Deviation:
    at_ns = choose.integer(0, 20) * 5 * MS
    return CutLink(
        AGENT_HOST, SERVICE_HOST, at_ns, choose.pick((100 * MS, SECOND, 30 * SECOND, 150 * SECOND))
    )


def _reset_agent(choose: Chooser) -> Deviation:
    return ResetLink(AGENT_HOST, SERVICE_HOST, choose.integer(0, 20) * 5 * MS)


def _crash_after_asking(choose: Chooser) -> Deviation:
    return CrashAtBoundary(AGENT_HOST, choose.integer(0, _STEP_MAX), choose.pick((1, 10)) * SECOND)


SCENARIOS: Final = (EarlyResponse(),)

"""A request has a deadline: answers come long before it, at the very instant, a hair later, or never.

People press at exactly the deadline or so that the answer reaches the agent then; the agent's clock is wrong;
agent and devices are offline when the deadline passes; the agent dies before, at and after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    Maker,
    around_ns,
    call,
    crash_makers,
    deviations,
    devices_of,
    exact_maker,
    link_makers,
    message_makers,
    person,
)
from harness.deviations import (
    AnswerAt,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    Deviation,
    DropMessage,
    DuplicateMessage,
    ResetLink,
    SkewClock,
    SleepOn,
)
from harness.model import CallId
from harness.plan import AGENT_HOST, DAY, MS, SECOND, AnswerSpec, Chooser, PersonSpec, Plan

_DEVIATIONS_MAX: Final = 4
_TIMEOUTS_NS: Final = (10 * SECOND, 2 * SECOND, 60 * SECOND, DAY)
_SKEWS_NS: Final = (1, MS, 30 * MS, SECOND, 5 * SECOND)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Answers around a deadline."""

    name: str = "deadlines"
    summary: str = "an approval takes effect before its deadline or not at all, and everybody is told which"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P11",
        "P13",
        "P14",
        "P15",
        "P16",
        "P23",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        AnswerAt,
        SleepOn,
        SkewClock,
        CutLink,
        ResetLink,
        CrashAtTime,
        CrashAtBoundary,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw a request with a deadline and up to two people, of whom some never answer."""
        timeout_ns = choose.pick(_TIMEOUTS_NS)
        request = call(timeout_ns=timeout_ns)
        people = tuple(
            person(name, self._answers(choose, request.id, timeout_ns))
            for name in NAMES[: choose.integer(1, 2)]
        )
        hosts = (AGENT_HOST, *devices_of(people))
        until_ns = timeout_ns + SECOND
        makers = (
            exact_maker(people, [request.id], around_ns(timeout_ns)),
            *_clock_makers(people, request.id, timeout_ns),
            *link_makers(hosts, until_ns),
            *crash_makers(until_ns),
            *message_makers(hosts),
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, makers, _DEVIATIONS_MAX),
        )

    def _answers(self, choose: Chooser, request: CallId, timeout_ns: int) -> list[AnswerSpec]:
        if choose.integer(0, 4) == 4:  # noqa: PLR2004 - one person in five never answers
            return []
        think_ns = choose.pick((SECOND, timeout_ns // 2, timeout_ns - 50 * MS, timeout_ns + SECOND))
        return [
            AnswerSpec(request, choose.pick(CHOICES), think_ns=think_ns, reason=choose.pick(("", "fine")))
        ]


def _clock_makers(people: Sequence[PersonSpec], request: CallId, timeout_ns: int) -> tuple[Maker, ...]:
    def skew(choose: Chooser) -> Deviation:
        return SkewClock(AGENT_HOST, choose.pick((1, -1)) * choose.pick(_SKEWS_NS))

    def sleep_on(choose: Chooser) -> Deviation:
        return SleepOn(choose.pick(people).id, request, choose.pick((SECOND, timeout_ns, 3 * timeout_ns)))

    return (skew, sleep_on)


SCENARIOS: Final = (Deadlines(),)

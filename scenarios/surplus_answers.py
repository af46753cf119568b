"""Answers too many to one call, while people are asked about the next one: none of them leaks into it.

A second call of the same tool, often with the very same arguments, waits for an answer of its own when the
double taps, changes of mind, doubled and late messages about the first one arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    Maker,
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
    SleepOn,
)
from harness.model import Choice
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, CallSpec, Chooser, PersonSpec, Plan

_DEVIATIONS_MAX: Final = 4
_GAPS_NS: Final = (2 * SECOND, 1_200 * MS, 10 * SECOND)
"""From call to call: the first is decided a little over a second after it was made."""
_SAME: Final = {"post": "post-1", "title": "Title 1"}
_LATER_ANSWERS: Final = (Choice.REJECTED, None, Choice.APPROVED)
"""A leaked approval shows where the later call is rejected, or not answered at all."""


@dataclass(frozen=True, slots=True)
class SurplusAnswers:
    """Answers left over from an earlier gate."""

    name: str = "surplus_answers"
    summary: str = "an answer decides the call that it is about, once, and never a later one"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P6",
        "P7",
        "P8",
        "P14",
        "P15",
        "P16",
        "P17",
        "P18",
        "P20",
        "P22",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        AnswerAgain,
        DoubleTap,
        SleepOn,
        DuplicateMessage,
        DelayMessage,
        DropMessage,
        CrashAtBoundary,
        CrashAtTime,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw two or three calls in a row and one or two people, who answer the first and some later."""
        gap_ns = choose.pick(_GAPS_NS)
        fields: dict[str, object] = {} if choose.integer(0, 1) else {"arguments": _SAME}
        calls = tuple(
            call(number, at_ns=(number - 1) * gap_ns, **fields)
            for number in range(1, choose.integer(2, 3) + 1)
        )
        people = tuple(
            person(name, self._answers(choose, calls), devices=choose.integer(1, 2))
            for name in NAMES[: choose.integer(1, 2)]
        )
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            deviations=deviations(choose, self._makers(people, calls), _DEVIATIONS_MAX),
        )

    def _answers(self, choose: Chooser, calls: Sequence[CallSpec]) -> list[AnswerSpec]:
        choices = [choose.pick(CHOICES), *(choose.pick(_LATER_ANSWERS) for _ in calls[1:])]
        return [
            AnswerSpec(it.id, choice, think_ns=SECOND + choose.integer(0, 20) * MS)
            for it, choice in zip(calls, choices, strict=True)
            if choice is not None
        ]

    def _makers(self, people: Sequence[PersonSpec], calls: Sequence[CallSpec]) -> tuple[Maker, ...]:
        first = calls[0].id

        def sleep_on(choose: Chooser) -> Deviation:
            return SleepOn(choose.pick(people).id, first, choose.pick((SECOND, 3 * SECOND)))

        presses = press_makers(people, [first])
        return (
            *presses,
            *presses,
            sleep_on,
            *message_makers((AGENT_HOST, *devices_of(people))),
            *crash_makers(calls[-1].at_ns + 2 * SECOND),
        )


SCENARIOS: Final = (SurplusAnswers(),)

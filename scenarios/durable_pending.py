"""A request waits for seconds or for days while processes crash and devices come and go: nothing is lost.

The agent and devices lose power after any boundary step or at any time, devices are cut off within and beyond
the live window, a person switches to a device that joins later, others join days later just to look, and the
channel already holds more than a page of history. Some requests nobody ever answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    Maker,
    call,
    chatter_maker,
    crash_makers,
    deviations,
    devices_of,
    link_makers,
    message_makers,
    person,
)
from harness.deviations import (
    Chatter,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    Deviation,
    DropMessage,
    DuplicateMessage,
    ResetLink,
    SleepOn,
    SwitchDevice,
)
from harness.model import CallId
from harness.plan import AGENT_HOST, DAY, MINUTE, SECOND, AnswerSpec, Chooser, PersonSpec, Plan

_DEVIATIONS_MAX: Final = 4
_THINK_NS: Final = (0, SECOND, 30 * SECOND, 5 * MINUTE, 30 * DAY)
_BACKLOGS: Final = (0, 120, 260)
"""None, and more than one and two pages of a hundred messages."""
_JOINS_NS: Final = (2 * SECOND, 3 * MINUTE, 2 * DAY)
"""While the request is young, after the live window of two minutes, and after days."""


@dataclass(frozen=True, slots=True)
class DurablePending:
    """A long wait through crashes and reconnects."""

    name: str = "durable_pending"
    summary: str = "a pending approval and an answer once acknowledged survive crashes, cuts and days"
    properties: Sequence[str] = (
        "P1",
        "P3",
        "P4",
        "P5",
        "P13",
        "P14",
        "P15",
        "P16",
        "P17",
        "P18",
        "P20",
        "P21",
        "P23",
        "P24",
        "P25",
        "P26",
    )
    faults: Sequence[type[Any]] = (
        CrashAtBoundary,
        CrashAtTime,
        CutLink,
        ResetLink,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        SleepOn,
        SwitchDevice,
        Chatter,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw a wait of one or two people, and often somebody who joins late and only looks."""
        request = call()
        think_ns = choose.pick(_THINK_NS)
        answered = choose.integer(0, 3) < 3  # noqa: PLR2004 - one request in four is never answered
        people = tuple(
            person(
                name,
                [self._answer(choose, request.id, think_ns)] if answered else [],
                devices=choose.integer(1, 2),
            )
            for name in NAMES[: choose.integer(1, 2)]
        )
        if choose.integer(0, 1):
            people = (*people, _joining_at(person(NAMES[2]), choose.pick(_JOINS_NS)))
        plan = Plan(
            scenario=self.name,
            people=people,
            calls=(request,),
            deviations=deviations(choose, self._makers(people, request.id, think_ns), _DEVIATIONS_MAX),
        )
        return replace(plan, backlog=choose.pick(_BACKLOGS))

    def _answer(self, choose: Chooser, request: CallId, think_ns: int) -> AnswerSpec:
        return AnswerSpec(request, choose.pick(CHOICES), think_ns=think_ns + choose.integer(0, 3) * SECOND)

    def _makers(self, people: Sequence[PersonSpec], request: CallId, think_ns: int) -> tuple[Maker, ...]:
        devices = devices_of(people)
        hosts = (AGENT_HOST, *devices)

        def sleep_on(choose: Chooser) -> Deviation:
            by_ns = choose.pick((10 * SECOND, 3 * MINUTE, DAY))
            return SleepOn(choose.pick(people).id, request, by_ns)

        def switch_device(choose: Chooser) -> Deviation:
            someone = choose.pick(people)
            at_ns = choose.pick((SECOND, 3 * MINUTE, 2 * DAY))
            return SwitchDevice(someone.id, request, someone.devices[-1].id, at_ns)

        until_ns = max(think_ns, 4 * SECOND)
        return (
            *crash_makers(until_ns),
            *crash_makers(until_ns, devices),
            *link_makers(hosts, until_ns),
            *message_makers(hosts),
            sleep_on,
            switch_device,
            chatter_maker([request]),
        )


def _joining_at(someone: PersonSpec, at_ns: int) -> PersonSpec:
    return replace(someone, devices=tuple(replace(it, joins_ns=at_ns) for it in someone.devices))


SCENARIOS: Final = (DurablePending(),)

"""Two agent processes work on one store: whatever both take up is decided once and carried out once.

A call is handed to the other process while the first still waits, decides or executes; one of them dies and
the other goes on; both die and both resume; each also has a call of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.casting import (
    CHOICES,
    NAMES,
    Maker,
    call,
    cancel_maker,
    crash_makers,
    deviations,
    devices_of,
    hand_out_maker,
    link_makers,
    message_makers,
    person,
    schedule_makers,
)
from harness.deviations import (
    CancelCall,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    HandOutAgain,
    PrioritySchedule,
    ResetLink,
    SeededSchedule,
)
from harness.model import HostName
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Chooser, Plan

_DEVIATIONS_MAX: Final = 4
_AGENTS: Final = (AGENT_HOST, HostName("agent-2"))


@dataclass(frozen=True, slots=True)
class SharedStore:
    """Two workers that resume one request."""

    name: str = "shared_store"
    summary: str = "several agent processes on one store decide and carry out each call once between them"
    properties: Sequence[str] = (
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P12",
        "P13",
        "P14",
        "P15",
        "P16",
        "P20",
        "P24",
        "P25",
    )
    faults: Sequence[type[Any]] = (
        HandOutAgain,
        CrashAtBoundary,
        CrashAtTime,
        CutLink,
        ResetLink,
        CancelCall,
        DelayMessage,
        DropMessage,
        DuplicateMessage,
        SeededSchedule,
        PrioritySchedule,
    )

    def draw(self, choose: Chooser) -> Plan:
        """Draw one call, often a second one on the other agent, and one or two people."""
        calls = (call(1), call(2, agent=_AGENTS[1]))[: choose.integer(1, 2)]
        ids = [it.id for it in calls]
        people = tuple(
            person(
                name,
                [
                    AnswerSpec(it, choose.pick(CHOICES), think_ns=SECOND + choose.integer(0, 12) * MS)
                    for it in ids
                ],
            )
            for name in NAMES[: choose.integer(1, 2)]
        )
        hosts = (*_AGENTS, *devices_of(people))
        hand_out = hand_out_maker(ids, _AGENTS, 2 * SECOND)
        makers: tuple[Maker, ...] = (
            hand_out,
            cancel_maker(ids, tuple(SECOND + step * 2 * MS for step in range(60))),
            *crash_makers(3 * SECOND, _AGENTS),
            *link_makers(_AGENTS, 3 * SECOND),
            *message_makers(hosts),
            *schedule_makers(hosts),
        )
        handed_out = tuple(hand_out(choose) for _ in range(choose.integer(0, 2)))
        drawn = deviations(choose, makers, _DEVIATIONS_MAX)
        return Plan(
            scenario=self.name,
            people=people,
            calls=calls,
            agents=_AGENTS,
            deviations=tuple(dict.fromkeys(handed_out + drawn)),
        )


SCENARIOS: Final = (SharedStore(),)

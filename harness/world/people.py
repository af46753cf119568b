"""People: SimPy processes that see a card, think, press a button, and sometimes misbehave.

Owns the behaviour of persons and nothing else: what is on a screen comes from :mod:`harness.world.screens`,
and a press goes through the one function that the stage hands over. No process ends by raising.

In the calm world a person answers a card once, from the device on which they saw it, if it is still
shown after thinking; where the answer's outcome stayed unknown and the card is still there, they press
again, as people do. Everything else is a deviation of the plan.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import simpy

from harness.deviations import (
    AnswerAgain,
    AnswerAt,
    AnswerForeign,
    AnswerUnknownRequest,
    Deviation,
    DoubleTap,
    Forge,
    SleepOn,
    SpoilCredential,
    SwitchDevice,
)
from harness.model import CallId, Card, Decision, DeviceId, PersonId, Receipt, ReceiptStatus, RequestId
from harness.plan import SECOND, AnswerSpec, PersonSpec
from harness.world.screens import Screens, Sighting

Process: TypeAlias = Generator[simpy.Event, Any, None]
T = TypeVar("T")

RETRY_AFTER_NS: Final = 10 * SECOND
"""How long a person waits before pressing again when a device could not say what became of the answer."""
PRESSES_MAX: Final = 4


OF_PEOPLE: Final = (
    AnswerAgain,
    AnswerAt,
    AnswerForeign,
    AnswerUnknownRequest,
    DoubleTap,
    Forge,
    SleepOn,
    SpoilCredential,
    SwitchDevice,
)
"""The deviations that people read; a plan may hold thousands of others."""


class Press(Protocol):
    """Press a button: the event succeeds with the :class:`Receipt`, or never where the device dies."""

    def __call__(
        self,
        person: PersonId,
        device: DeviceId,
        request: RequestId,
        decision: Decision,
        *,
        card: Card | None,
        call: CallId | None,
    ) -> simpy.Event:
        """Press a button on ``device`` that answers ``request``."""


def of_people(deviations: Sequence[Deviation]) -> list[Deviation]:
    """Return those of ``deviations`` that people read."""
    return [it for it in deviations if isinstance(it, OF_PEOPLE)]


@dataclass(frozen=True, slots=True)
class Crowd:
    """What the people of one run need: their screens, the clock, the button, and a way to cheat."""

    env: simpy.Environment
    screens: Screens
    press: Press
    forge: Callable[[Forge, Card], bool]
    deviations: Sequence[Deviation]
    """Those that :func:`of_people` returns."""
    fired: Callable[[Deviation], None]

    def start(self, people: Sequence[PersonSpec]) -> list[simpy.Process]:
        """Start every process of every person; returns them, so that their end can be awaited."""
        everywhere = frozenset(device.id for person in people for device in person.devices)
        processes: list[simpy.Process] = []
        for person in people:
            spoilt = self._first(SpoilCredential, person.id)
            own = frozenset(device.id for device in person.devices)
            overlooks = everywhere if spoilt else own
            processes.extend(
                self.env.process(self._answer(person, answer, overlooks)) for answer in person.answers
            )
        for deviation in self.deviations:
            match deviation:
                case AnswerUnknownRequest():
                    processes.append(self.env.process(self._answer_unknown(deviation)))
                case AnswerForeign():
                    processes.append(self.env.process(self._answer_foreign(deviation, everywhere)))
                case Forge():
                    processes.append(self.env.process(self._forge(deviation, everywhere)))
                case _:
                    continue
        return processes

    def _first(self, kind: type[T], person: PersonId, call: CallId | None = None) -> T | None:
        for deviation in self.deviations:
            about_call = call is None or getattr(deviation, "call", None) == call
            if isinstance(deviation, kind) and getattr(deviation, "person", None) == person and about_call:
                return deviation
        return None

    def _answer(self, person: PersonSpec, answer: AnswerSpec, overlooks: frozenset[DeviceId]) -> Process:
        switch = self._first(SwitchDevice, person.id, answer.call)
        device = switch.device if switch else answer.device
        watched = frozenset((device,)) if device is not None and overlooks <= _own(person) else overlooks
        sighting = yield from self._read(person, answer, watched)
        if sighting is None:
            return
        if switch:
            self.fired(switch)
        pressing_device = sighting.device if sighting.device in _own(person) else person.devices[0].id
        decision = Decision(answer.choice, answer.edits, answer.reason)
        yield from self._press_until_told(person.id, pressing_device, sighting.card, decision, answer.call)

    def _read(
        self,
        person: PersonSpec,
        answer: AnswerSpec,
        watched: frozenset[DeviceId],
    ) -> Generator[simpy.Event, Any, Sighting | None]:
        """Wait for the card and think about it; None where it is gone by the time of pressing."""
        while True:
            sighting: Sighting = yield self.screens.wait_for(watched, answer.call)
            yield from self._think(person.id, answer)
            for still_shown in self.screens.sightings(frozenset((sighting.device,)), answer.call):
                return still_shown
            if sighting.device in self.screens.shown:
                return None

    def _think(self, person: PersonId, answer: AnswerSpec) -> Process:
        sleep_on = self._first(SleepOn, person, answer.call)
        answer_at = self._first(AnswerAt, person, answer.call)
        if answer_at and self.env.now <= answer_at.at_ns:
            yield self.env.timeout(answer_at.at_ns - self.env.now)
            self.fired(answer_at)
            return
        yield self.env.timeout(answer.think_ns + (sleep_on.by_ns if sleep_on else 0))
        if sleep_on:
            self.fired(sleep_on)

    def _press_until_told(
        self,
        person: PersonId,
        device: DeviceId,
        card: Card,
        decision: Decision,
        call: CallId,
    ) -> Process:
        extra = [
            self.env.process(self._double_tap(tap, device, card, decision))
            for tap in self.deviations
            if isinstance(tap, DoubleTap) and (tap.person, tap.call) == (person, call)
        ]
        extra += [
            self.env.process(self._answer_again(again, card))
            for again in self.deviations
            if isinstance(again, AnswerAgain) and (again.person, again.call) == (person, call)
        ]
        for _ in range(PRESSES_MAX):
            receipt: Receipt = yield self.press(person, device, card.request, decision, card=card, call=call)
            if receipt.status is not ReceiptStatus.UNKNOWN:
                break
            yield self.env.timeout(RETRY_AFTER_NS)
            if not any(self.screens.sightings(frozenset((device,)), call)):
                break
        yield self.env.all_of(extra)

    def _double_tap(self, tap: DoubleTap, device: DeviceId, card: Card, decision: Decision) -> Process:
        yield self.env.timeout(tap.gap_ns)
        self.fired(tap)
        yield self.press(tap.person, device, card.request, decision, card=card, call=tap.call)

    def _answer_again(self, again: AnswerAgain, card: Card) -> Process:
        yield self.env.timeout(again.after_ns)
        remembered = self.screens.memory(again.device, again.call) or card
        decision = Decision(again.choice, reason="changed my mind")
        self.fired(again)
        yield self.press(
            again.person, again.device, remembered.request, decision, card=remembered, call=again.call
        )

    def _answer_unknown(self, unknown: AnswerUnknownRequest) -> Process:
        yield self.env.timeout(unknown.at_ns)
        decision = Decision(unknown.choice)
        self.fired(unknown)
        request = RequestId("never-issued")
        yield self.press(unknown.person, unknown.device, request, decision, card=None, call=None)

    def _answer_foreign(self, foreign: AnswerForeign, everywhere: frozenset[DeviceId]) -> Process:
        sighting: Sighting = yield self.screens.wait_for(everywhere, foreign.call)
        yield self.env.timeout(foreign.after_ns)
        decision, request = Decision(foreign.choice), sighting.card.request
        self.fired(foreign)
        yield self.press(foreign.person, foreign.device, request, decision, card=None, call=foreign.call)

    def _forge(self, forge: Forge, everywhere: frozenset[DeviceId]) -> Process:
        sighting: Sighting = yield self.screens.wait_for(everywhere, forge.call)
        yield self.env.timeout(forge.after_ns)
        if self.forge(forge, sighting.card):
            self.fired(forge)


def _own(person: PersonSpec) -> frozenset[DeviceId]:
    return frozenset(device.id for device in person.devices)

"""What every device shows, and who waits for a card to appear on one.

Owns the last known screen of each device and the SimPy events with which people wait for a card. It
records a screen only when it changed. It never calls into an adapter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import simpy

from harness.model import CallId, Card, DeviceId, HostName, PersonId, RequestId
from harness.trace import ScreenShown
from harness.world.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Sighting:
    """A card as a person saw it: on which device, and what it said."""

    device: DeviceId
    card: Card


@dataclass(slots=True)
class Screens:
    """The screens of one run."""

    recorder: Recorder
    env: simpy.Environment
    owners: dict[DeviceId, PersonId]
    shown: dict[DeviceId, tuple[Card, ...]] = field(default_factory=dict)
    seen: dict[DeviceId, dict[RequestId, Card]] = field(default_factory=dict)
    """Every card that each device ever showed, in order."""
    calls: dict[RequestId, CallId] = field(default_factory=dict)
    _waiting: dict[DeviceId, list[tuple[CallId, simpy.Event]]] = field(default_factory=dict)
    """Who watches which screen for a card; one who watches several stands under each."""

    def name_call(self, request: RequestId, call: CallId) -> None:
        """Remember which tool call a request is about, as the agent side published it."""
        self.calls[request] = call

    def call_of(self, card: Card) -> CallId | None:
        """Return the tool call a card is about: as it says itself, else as it was published."""
        return card.call or self.calls.get(card.request)

    def show(self, device: DeviceId, cards: Sequence[Card], *, final: bool = False) -> None:
        """Take note of what ``device`` shows; wakes who waited for one of the cards."""
        now = tuple(cards)
        if not final and self.shown.get(device, ()) == now:
            return
        self.shown[device] = now
        owner = self.owners[device]
        self.recorder.add(ScreenShown(self.recorder.now_ns(), HostName(device), device, owner, now))
        if now:
            seen = self.seen.setdefault(device, {})
            for card in now:
                seen[card.request] = card
        self._wake(device, now)

    def blank(self, device: DeviceId) -> None:
        """Forget what a device shows: its host lost power."""
        self.shown.pop(device, None)

    def wait_for(self, devices: frozenset[DeviceId], call: CallId) -> simpy.Event:
        """Return an event that succeeds with a :class:`Sighting` of ``call`` on one of ``devices``."""
        event = self.env.event()
        for sighting in self.sightings(devices, call):
            event.succeed(sighting)
            return event
        for device in sorted(devices):
            self._waiting.setdefault(device, []).append((call, event))
        return event

    def sightings(self, devices: frozenset[DeviceId], call: CallId) -> Iterator[Sighting]:
        """Yield where ``call`` is shown now, in the order in which screens were first shown."""
        for device in self.shown if len(devices) > 1 else devices:
            if device in devices:
                cards = self.shown.get(device, ())
                yield from (Sighting(device, card) for card in cards if self.call_of(card) == call)

    def memory(self, device: DeviceId, call: CallId) -> Card | None:
        """Return the card about ``call`` that ``device`` ever showed, None if it never did."""
        cards = self.seen.get(device, {}).values()
        return next((card for card in cards if self.call_of(card) == call), None)

    def requests_seen(self, device: DeviceId) -> tuple[RequestId, ...]:
        """Return every request that ``device`` ever showed, in order."""
        return tuple(self.seen.get(device, ()))

    def _wake(self, device: DeviceId, cards: tuple[Card, ...]) -> None:
        waiting = self._waiting.pop(device, None)
        if not waiting:
            return
        by_call = {self.call_of(card): card for card in reversed(cards)}
        still = []
        for call, event in waiting:
            if event.triggered:
                continue
            if call in by_call:
                event.succeed(Sighting(device, by_call[call]))
            else:
                still.append((call, event))
        if still:
            self._waiting[device] = still

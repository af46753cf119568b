"""The table at which people play: rounds of one race on real sockets, one after the other.

Owns the cast, the course of a round, and how its result is judged and drawn. The devices are those that
simulated people use, pressed by hand: the implementation cannot tell the difference.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.adapter import Adapter
from harness.casting import call, person
from harness.model import Choice, Decision, DeviceId
from harness.plan import AGENT_HOST, AnswerSpec, CallSpec, PersonSpec, Plan
from harness.properties import PROPERTIES
from harness.proxy import Proxy
from harness.run import Run, judge_run
from harness.trace import Event
from harness.wall.lanes import LoopbackLane
from harness.wall.play import play_as_planned
from harness.watch.pictures import drawn
from harness.watch.rounds import Phase, Place, Round
from harness.world.devices import DeviceSide

ROUND_S_MAX: Final = 1800.0
"""A round that nobody ends is ended, so that a forgotten page does not hold its sockets for ever."""
_NAMES: Final = ("alice", "bob")
_NO_ANSWERS: Final[Sequence[AnswerSpec]] = ()


def cast() -> tuple[PersonSpec, ...]:
    """Return the people who play."""
    return tuple(person(name, _NO_ANSWERS) for name in _NAMES)


def owners() -> dict[DeviceId, PersonSpec]:
    """Return who plays with which device."""
    return {device.id: someone for someone in cast() for device in someone.devices}


def _asked() -> CallSpec:
    return call(arguments={"post": "autumn", "title": "What we shipped this autumn"})


@dataclass(frozen=True, slots=True)
class Network:
    """How long every message takes each way, and whether answers are held until everybody has pressed."""

    delay_s: float
    tie: bool = False


@dataclass(slots=True)
class Seats:
    """The players of one round. Implements ``Guests``."""

    round: Round
    network: Network
    changed: Callable[[], None]
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _devices: DeviceSide | None = None
    _proxy: Proxy | None = None
    _held: bool = False

    def saw(self, event: Event) -> None:
        """Take note of an event."""
        self.round.apply(event)
        if self.network.tie:
            self._hold_or_release()
        if self.round.settled:
            self._over.set()
        self.changed()

    async def take_part(self, devices: DeviceSide, proxy: Proxy | None) -> None:
        """Let people press until nothing is left to press, or somebody ends the round."""
        if proxy is not None:
            for host in (AGENT_HOST, *self.round.places):
                proxy.delay(host, self.network.delay_s)
        self._devices, self._proxy, self.round.phase = devices, proxy, Phase.PLAYING
        self.changed()
        try:
            await asyncio.wait_for(self._over.wait(), ROUND_S_MAX)
        except TimeoutError:
            pass
        finally:
            self._devices, self._proxy, self.round.phase = None, None, Phase.JUDGING
            self.changed()

    def press(self, device: DeviceId, request: str, choice: Choice) -> None:
        """Press a button of a card that the device shows; anything else presses nothing."""
        place = self.round.places[device]
        card = next((it for it in place.cards if it.request == request), None)
        if self._devices is None or card is None or place.waiting:
            return
        call_id = self._devices.screens.call_of(card)
        self._devices.press(place.person, device, card.request, Decision(choice), card=card, call=call_id)

    def _hold_or_release(self) -> None:
        """Hold what devices send once everybody has the card, and let it go once everybody has pressed."""
        places = self.round.places.values()
        if self._proxy is None:
            return
        if not self._held and all(place.cards for place in places):
            self._held = True
            for place in places:
                self._proxy.blackhole(place.device)
        elif self._held and all(place.pressed is not None for place in places):
            for place in places:
                self._proxy.heal(place.device)

    def end(self) -> None:
        """End the round as it stands."""
        self._over.set()


@dataclass(frozen=True, slots=True)
class Played:
    """A round that is over; ``shown`` is what pages show of it."""

    shown: Mapping[str, Any]
    svg: str


async def play_round(adapter: Adapter, seats: Seats) -> Played:
    """Play one round to its end, and judge it. Raises LaneError."""
    plan = Plan("played by hand", cast(), (_asked(),))
    run = await play_as_planned(adapter, plan, LoopbackLane(), seats)
    seats.round.phase = Phase.OVER
    return _played(adapter, run, seats.round)


def empty_round() -> Round:
    """Return a round that is about to begin."""
    return Round({device: Place(device, someone.id) for device, someone in owners().items()})


def _played(adapter: Adapter, run: Run, done: Round) -> Played:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    judged = judge_run(adapter.manifest, run, offered)
    broken = [(PROPERTIES[name], it.findings[0]) for name, it in judged.items() if it.findings]
    marked = {place for _, finding in broken for place in finding.events}
    picture = drawn(run.trace, sorted(marked), run.plan, f"{adapter.manifest.name}: {done.headline}")
    shown = {
        "adapter": adapter.manifest.name,
        "headline": done.headline,
        "good": len(done.decisions) == 1 and done.executions <= 1 and not broken,
        "outcome": done.outcome,
        "executions": done.executions,
        "told": done.results(),
        "broken": [
            {"property": it.id, "guarantee": it.guarantee.value, "sentence": finding.sentence}
            for it, finding in broken
        ],
        "failures": [f"{it.where}: {it.error}" for it in run.failures],
        "steps": picture.steps,
    }
    return Played(shown, picture.svg)

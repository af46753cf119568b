"""The pages of a race to be played: one for the table, one for each device.

Owns what each may do: the table starts and ends rounds, a device presses its own buttons and no others.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.adapter import Adapter
from harness.model import Choice, DeviceId
from harness.watch.pages import Document, Record, asset, svg
from harness.watch.rounds import Phase, name_of
from harness.watch.table import Network, Played, Seats, empty_round, owners, play_round

_FILES: Final = {
    "": "table.html",
    "table.js": "table.js",
    "device.js": "device.js",
    "link.js": "link.js",
    "watch.css": "watch.css",
    "icon.svg": "icon.svg",
}
TABLE: Final = "table"
NETWORKS: Final[Mapping[str, Network]] = {
    "slow": Network(1.0),
    "tie": Network(1.0, tie=True),
    "fast": Network(0.0),
}
_CHOICES: Final = {"approve": Choice.APPROVED, "reject": Choice.REJECTED}


@dataclass(slots=True)
class PlayPages:
    """Implements ``Pages``; ``changed`` has views sent, ``failed`` ends the server with what went wrong."""

    adapters: Mapping[str, Adapter]
    changed: Callable[[], None] = field(default=lambda: None)
    failed: Callable[[BaseException], None] = field(default=lambda _error: None)
    _sizes: Mapping[str, int] = field(default_factory=dict)
    _seats: Seats | None = None
    _adapter: str = ""
    _network: str = ""
    _rounds: int = 0
    _last: Played | None = None
    _playing: "asyncio.Task[Played] | None" = None

    def document(self, name: str) -> Document | None:
        """Return a page, one of its files, or the picture of the last round."""
        if name in _FILES:
            return asset(_FILES[name])
        if name in owners():
            return asset("device.html")
        if self._last is not None and name == self._picture:
            return svg(self._last.svg)
        return None

    def view(self, topic: str) -> Record | None:
        """Return what the table shows, or a device."""
        common: dict[str, Any] = {
            "round": self._rounds,
            "phase": "idle" if self._seats is None else self._seats.round.phase.value,
            "adapter": self._adapter,
            "network": self._network,
            "devices": [
                {"id": device, "name": name_of(someone.id), "open": bool(self._sizes.get(device))}
                for device, someone in owners().items()
            ],
        }
        if topic == TABLE:
            choices = [{"name": name, "summary": it.manifest.summary} for name, it in self.adapters.items()]
            return common | {"choices": choices, "progress": self._progress(), "last": self._result()}
        if topic not in owners():
            return None
        device = DeviceId(topic)
        own = empty_round() if self._seats is None else self._seats.round
        name = name_of(owners()[device].id)
        return common | {"id": device, "name": name, "last": self._result(), **own.shown_on(device)}

    def said(self, topic: str, record: Record) -> None:
        """Start or end a round, or press a button; what makes no sense now does nothing."""
        match record:
            case {"do": "start", "adapter": str(adapter), "network": str(network)} if topic == TABLE:
                self._start(adapter, network)
            case {"do": "end"} if self._seats is not None:
                self._seats.end()
            case {"do": "approve" | "reject" as button, "request": str(request)} if topic in owners():
                if self._seats is not None:
                    self._seats.press(DeviceId(topic), request, _CHOICES[button])
            case _:
                return

    def audience(self, sizes: Mapping[str, int]) -> None:
        """Note which devices have a page open."""
        self._sizes = sizes
        self.changed()

    async def stop(self) -> None:
        """End the round that goes on, if one does."""
        if self._playing is not None and not self._playing.done():
            self._playing.cancel()
            await asyncio.wait([self._playing])

    @property
    def _picture(self) -> str:
        return f"round-{self._rounds}.svg"

    def _start(self, adapter: str, network: str) -> None:
        going = self._playing is not None and not self._playing.done()
        if going or adapter not in self.adapters or network not in NETWORKS:
            return
        self._rounds, self._adapter, self._network, self._last = self._rounds + 1, adapter, network, None
        self._seats = Seats(empty_round(), NETWORKS[network], self.changed)
        self._playing = asyncio.create_task(play_round(self.adapters[adapter], self._seats))
        self._playing.add_done_callback(self._played)
        self.changed()

    def _played(self, playing: "asyncio.Task[Played]") -> None:
        if playing.cancelled():
            return
        error = playing.exception()
        if error is not None:
            self.failed(error)
            return
        self._last = playing.result()
        self.changed()

    def _result(self) -> Record | None:
        if self._last is None:
            return None
        return {**self._last.shown, "picture": self._picture}

    def _progress(self) -> list[dict[str, Any]]:
        """Return what onlookers see of the round that goes on."""
        if self._seats is None or self._seats.round.phase is Phase.OVER:
            return []
        return [
            {"name": name_of(it.person), "shows": bool(it.cards), "told": it.told, "waiting": it.waiting}
            for it in self._seats.round.places.values()
        ]

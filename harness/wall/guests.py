"""People of flesh and blood at a run in real time.

Owns the contract between such a run and whoever lets people take part: they see what is recorded as it
happens, and press the same buttons as simulated people do.
"""

from dataclasses import dataclass, field
from typing import Protocol

from harness.proxy import Proxy
from harness.trace import Event
from harness.world.devices import DeviceSide
from harness.world.recorder import Recorder


class Guests(Protocol):
    """Who takes part."""

    def saw(self, event: Event) -> None:
        """Take note of an event that was just recorded."""

    async def take_part(self, devices: DeviceSide, proxy: Proxy | None) -> None:
        """Press what they like, from the start of the plan's clock; the run does not end before this does."""


@dataclass(slots=True)
class ShownRecorder(Recorder):
    """A recorder whose events guests see."""

    guests: Guests | None = field(default=None)

    def add(self, event: Event) -> None:
        """Append one event and show it."""
        Recorder.add(self, event)
        if self.guests is not None:
            self.guests.saw(event)

"""Occupancy: who is on a channel, in numbers.

Owns the metrics of a channel's status (Ably REST channel status). Does not know how they came there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.channel.attachments import Attachment
from harness.channel.modes import Mode
from harness.channel.presence import PresenceMessage


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Counts of attachments by what they may do, and of presence members."""

    connections: int = 0
    publishers: int = 0
    subscribers: int = 0
    presence_connections: int = 0
    presence_members: int = 0
    presence_subscribers: int = 0


def occupancy(attachments: Iterable[Attachment], members: tuple[PresenceMessage, ...]) -> Occupancy:
    """Count."""
    modes = [attachment.modes for attachment in attachments]

    def able(mode: Mode) -> int:
        return sum(mode in granted for granted in modes)

    return Occupancy(
        len(modes),
        able(Mode.PUBLISH),
        able(Mode.SUBSCRIBE),
        able(Mode.PRESENCE),
        len(members),
        able(Mode.PRESENCE_SUBSCRIBE),
    )

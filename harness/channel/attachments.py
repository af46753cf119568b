"""Attachments: one connection's subscription to one channel, and the parameters it was made with.

Owns parameter parsing (rewind and friends), echo suppression, and the first-contact rule: an append arrives
as a delta only at an attachment that has been sent the message before, else as the whole message. Sending
the whole is always allowed, so an attachment that was replaced forgets what its predecessor knew. Does not
grant modes and does not order anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from harness.channel.errors import refusal
from harness.channel.events import Deliver, TransportId
from harness.channel.frames import Frame
from harness.channel.frozen_json import FrozenDict
from harness.channel.log import ChannelLog
from harness.channel.messages import Message, MessageAction
from harness.channel.modes import Mode, includes, parse_modes
from harness.channel.names import NO_PARAMS
from harness.channel.serials import channel_serial_of

REWIND_MAX: Final = 100
"""Most messages that a rewind brings (Ably documentation)."""
_REWIND: Final = re.compile(r"(\d{1,6})([sm]?)")
_MS_BY_UNIT: Final = MappingProxyType({"s": 1_000, "m": 60_000})


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """The channel parameters that this service applies; ``applied`` is their echo to the client."""

    rewind_count: int | None = None
    rewind_ms: int | None = None
    rewind_limit: int = REWIND_MAX
    append_full: bool = False
    echo: bool = True
    modes: Mode | None = None
    applied: Mapping[str, str] = NO_PARAMS


_DELTA: Final = "vcdiff"
_NO_OPTIONS: Final = AttachOptions()
_KNOWN: Final = ("rewind", "rewindLimit", "appendMode", "echo", "modes", "delta")
"""``delta`` is granted in name: whole messages satisfy a client that asks for deltas, which a server sends
where it can."""


def parse_options(params: Mapping[str, str]) -> AttachOptions:
    """Read channel parameters; unknown ones are ignored, an unusable known one is a 40003 refusal."""
    applied = {key: params[key] for key in _KNOWN if key in params} if params else params
    if applied.get("delta", _DELTA) != _DELTA:
        applied = {key: value for key, value in applied.items() if key != "delta"}
    return _read_options(tuple(applied.items())) if applied else _NO_OPTIONS


@lru_cache(maxsize=256)
def _read_options(items: tuple[tuple[str, str], ...]) -> AttachOptions:
    applied = dict(items)
    count, duration_ms = _parse_rewind(applied["rewind"]) if "rewind" in applied else (None, None)
    limit = applied.get("rewindLimit", str(REWIND_MAX))
    if not limit.isdecimal() or not 1 <= int(limit) <= REWIND_MAX:
        raise refusal(40003, f"the channel parameter rewindLimit is {limit!r}; give 1 to {REWIND_MAX}")
    return AttachOptions(
        count,
        duration_ms,
        int(limit),
        applied.get("appendMode") == "full",
        applied.get("echo", "true").lower() != "false",
        parse_modes(applied["modes"]) if "modes" in applied else None,
        FrozenDict(applied),
    )


def _parse_rewind(text: str) -> tuple[int | None, int | None]:
    match = _REWIND.fullmatch(text)
    if match is None:
        raise refusal(
            40003, f"the channel parameter rewind is {text!r}; give a count, or a time like 15s or 2m"
        )
    amount = int(match[1])
    return (None, amount * _MS_BY_UNIT[match[2]]) if match[2] else (min(amount, REWIND_MAX), None)


class Attachment:
    """A live subscription.

    ``after_serial`` is where delivery began: later messages are known, earlier are not.
    """

    __slots__ = (
        "_contacted",
        "after_serial",
        "channel",
        "connection_id",
        "log",
        "modes",
        "options",
        "requested",
        "subscribes",
        "suppress_own",
        "transport",
    )

    def __init__(
        self,
        channel: str,
        log: ChannelLog,
        connection_id: str,
        transport: TransportId,
        requested: Mode,
        modes: Mode,
        options: AttachOptions,
        *,
        echo: bool,
    ) -> None:
        self.channel = channel
        self.log = log
        self.connection_id = connection_id
        self.transport = transport
        self.options = options
        self.suppress_own = not (echo and options.echo)
        self.after_serial = log.head
        self._contacted: set[str] = set()
        self.requested = requested
        self.grant(modes)

    def grant(self, modes: Mode) -> None:
        """Set the granted modes, some of those that were requested."""
        self.modes = modes
        self.subscribes = includes(modes, Mode.SUBSCRIBE)

    def wants(self, connection_id: str | None) -> bool:
        """Whether frames of this publisher are delivered here (spec RTL7f for the echo)."""
        return self.subscribes and not (self.suppress_own and connection_id == self.connection_id)

    def needs_whole(self, frame: Frame) -> bool:
        """Whether an operation frame must be delivered as the merged message; remembers the contact."""
        operation = frame.messages[0]
        known = operation.serial in self._contacted or (
            channel_serial_of(operation.serial) > self.after_serial
            and not (self.suppress_own and operation.connection_id == self.connection_id)
        )
        if not known:
            self._contacted.add(operation.serial)
        return operation.action is MessageAction.APPEND and (self.options.append_full or not known)

    def contact(self, message: Message) -> None:
        """Remember that the whole of ``message`` was sent here."""
        self._contacted.add(message.serial)


def deliver(channel: str, frame: Frame, messages: tuple[Message, ...]) -> Deliver:
    """Return the delivery of ``frame`` with ``messages`` in its place."""
    return Deliver(channel, frame.channel_serial, frame.id, frame.connection_id, frame.timestamp_ms, messages)

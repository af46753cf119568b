"""Rates: how much one connection or channel may send in a second.

Owns the counting, in whole seconds of the server's clock, so that it costs nothing to remember. Does not
close or refuse anything; it says what the client is to be told.
"""

from harness.channel.errors import ErrorInfo, error_info
from harness.channel.rules import NS_PER_S


class Rates:
    """Counts of the current second; limits of ``None`` are none."""

    def __init__(
        self, messages_per_s: int | None, channel_messages_per_s: int | None, frames_per_s: int | None
    ) -> None:
        self._messages_per_s = messages_per_s
        self._channel_messages_per_s = channel_messages_per_s
        self._frames_per_s = frames_per_s
        self._second = 0
        self._frames: dict[int, int] = {}
        self._messages: dict[int, int] = {}
        self._channels: dict[tuple[str, str], int] = {}

    def frame(self, session_id: int, now_ns: int) -> ErrorInfo | None:
        """Count one frame. An error is fatal to the connection: 42924."""
        if self._frames_per_s is None:
            return None
        self._turn(now_ns)
        count = self._frames[session_id] = self._frames.get(session_id, 0) + 1
        if count <= self._frames_per_s:
            return None
        return error_info(42924, f"the connection sent more than {self._frames_per_s} frames in a second")

    def messages(
        self, session_id: int, channel: tuple[str, str], added: int, now_ns: int
    ) -> ErrorInfo | None:
        """Count messages on a channel (app, name). An error refuses them: 42911 or 42913."""
        if self._messages_per_s is None and self._channel_messages_per_s is None:
            return None
        self._turn(now_ns)
        mine = self._messages[session_id] = self._messages.get(session_id, 0) + added
        theirs = self._channels[channel] = self._channels.get(channel, 0) + added
        if self._messages_per_s is not None and mine > self._messages_per_s:
            return error_info(42911, f"the connection published more than {self._messages_per_s} messages/s")
        if self._channel_messages_per_s is not None and theirs > self._channel_messages_per_s:
            return error_info(42913, f"the channel got more than {self._channel_messages_per_s} messages/s")
        return None

    def _turn(self, now_ns: int) -> None:
        second = now_ns // NS_PER_S
        if second != self._second:
            self._second = second
            self._frames.clear()
            self._messages.clear()
            self._channels.clear()

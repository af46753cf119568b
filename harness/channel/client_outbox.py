"""The outbox: publishes and operations on their way, and their msgSerials.

Owns message numbering (Ably spec RTN7, RTN19a2): numbers rise by one per frame of a connection; after a
resume unanswered frames go again under their old numbers, after a failed one they are numbered afresh from
0. Does not send; ``client`` does.
"""

from collections.abc import Iterator

from harness.channel.client_effects import Token
from harness.channel.commands import Operate, Publish


class Outbox:
    """Frames waiting for a connection, and frames waiting for an answer."""

    __slots__ = ("_next_msg_serial", "_queued", "_sent")

    def __init__(self) -> None:
        self._next_msg_serial = 0
        self._queued: dict[Token, Publish | Operate] = {}
        self._sent: dict[int, tuple[Token, Publish | Operate]] = {}

    def put(self, token: Token, command: Publish | Operate) -> None:
        """Queue a frame; its msgSerial is set when it is sent."""
        self._queued[token] = command

    def send_queued(self) -> Iterator[Publish | Operate]:
        """Yield every queued frame in order, now numbered."""
        queued, self._queued = self._queued, {}
        for token, command in queued.items():
            yield self._send(token, command)

    def resend(self) -> Iterator[Publish | Operate]:
        """Yield every unanswered frame again under its number, in order (RTN19a)."""
        for _, command in tuple(self._sent.values()):
            yield command

    def renumber(self) -> None:
        """Start a new connection's numbering and give unanswered frames the first numbers (RTN15c7)."""
        unanswered = tuple(self._sent.values())
        self._sent, self._next_msg_serial = {}, 0
        for token, command in unanswered:
            self._send(token, command)

    def answered(self, msg_serial: int) -> Token | None:
        """Take the frame that an answer belongs to; ``None`` if it was answered or given up before."""
        found = self._sent.pop(msg_serial, None)
        return found[0] if found else None

    def give_up(self, token: Token) -> bool:
        """Drop one frame and return whether it had been sent."""
        if self._queued.pop(token, None) is not None:
            return False
        for msg_serial, (sent, _) in tuple(self._sent.items()):
            if sent == token:
                del self._sent[msg_serial]
        return True

    def abandon(self) -> tuple[tuple[Token, bool], ...]:
        """Drop everything and return each token with whether its frame had been sent.

        Numbering goes on: the service may still resume this connection.
        """
        dropped = [(token, True) for token, _ in self._sent.values()]
        dropped += [(token, False) for token in self._queued]
        self._sent, self._queued = {}, {}
        return tuple(dropped)

    def _send(self, token: Token, command: Publish | Operate) -> Publish | Operate:
        number = self._next_msg_serial
        self._next_msg_serial = number + 1
        numbered: Publish | Operate
        if isinstance(command, Publish):
            numbered = Publish(command.channel, number, command.messages, command.params)
        else:
            numbered = Operate(command.channel, number, command.message)
        self._sent[number] = (token, numbered)
        return numbered

"""The WebSocket side of one socket, over the sans-IO protocol of ``websockets``.

Owns reassembly of fragments and the rule that one message is one ProtocolMessage, decoded by its opcode.
Frames to clients are not masked, so the bytes of one are the same for every receiver: they are built once,
by :func:`frame_bytes`, and shared. Extensions are not negotiated. Does not decode payloads.
"""

from typing import Final, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.protocol import SEND_EOF, Protocol, Side, State

from harness.ably.codec import Format
from harness.ably.outbound import FRAME_BYTES_MAX

_OPCODES: Final = {Format.JSON: Opcode.TEXT, Format.MSGPACK: Opcode.BINARY}


class Payload(NamedTuple):
    """One whole message and the format that its opcode says."""

    data: bytes
    form: Format


def frame_bytes(payload: bytes, form: Format) -> bytes:
    """Return the one frame that carries ``payload`` to any client."""
    return Frame(_OPCODES[form], payload).serialize(mask=False)


class WebSocketSide:
    """Bytes to payloads, and the closing handshake. Output is collected in ``outbox``."""

    __slots__ = ("_form", "_parts", "_protocol", "ended", "outbox")

    def __init__(self, outbox: list[bytes]) -> None:
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=FRAME_BYTES_MAX)
        self._form = Format.JSON
        self._parts = bytearray()
        self.outbox = outbox
        self.ended = False
        """Whether nothing more will be sent: close the socket."""

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        return self._protocol.state is State.OPEN

    def receive(self, data: bytes) -> list[Payload]:
        """Take bytes in and return the messages that they complete. Pings and closes are answered."""
        self._protocol.receive_data(data)
        payloads: list[Payload] = []
        for event in self._protocol.events_received():
            if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if event.opcode is not Opcode.CONT:
                self._form = Format.JSON if event.opcode is Opcode.TEXT else Format.MSGPACK
            if event.fin and not self._parts:
                payloads.append(Payload(bytes(event.data), self._form))
                continue
            self._parts += event.data
            if event.fin:
                payloads.append(Payload(bytes(self._parts), self._form))
                self._parts = bytearray()
        self._collect()
        return payloads

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, or do nothing if it has begun."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._collect()

    def _collect(self) -> None:
        for data in self._protocol.data_to_send():
            if data == SEND_EOF:
                self.ended = True
            else:
                self.outbox.append(data)

"""Requests of a device to the control plane: one connection, one request at a time, over asyncio streams.

Owns the connection and what is an answer. A device's requests go out over whatever network the run has.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import h11

from harness.adapter import ServicePort

_CHUNK_BYTES = 65_536


class NoAnswerError(Exception):
    """No answer came: the request may have taken effect or not."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer; ``body`` is its JSON, None where it has none."""

    status: int
    body: Any


class Connection:
    """One connection with a person's token; an async context manager. Raises NoAnswerError throughout."""

    def __init__(self, port: ServicePort, token: str) -> None:
        self._port = port
        self._token = token
        self._http = h11.Connection(h11.CLIENT)

    async def __aenter__(self) -> Self:
        """Connect."""
        host, port = await self._port.address()
        try:
            self._reader, self._writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise NoAnswerError(str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, without waiting for the other side."""
        self._writer.close()

    async def get(self, path: str) -> Answered:
        """Read something."""
        return await self._exchange("GET", path, b"")

    async def post(self, path: str, body: dict[str, Any]) -> Answered:
        """Send something."""
        return await self._exchange("POST", path, json.dumps(body).encode())

    async def _exchange(self, method: str, path: str, body: bytes) -> Answered:
        headers = [
            ("Host", "control-plane"),
            ("Authorization", f"Bearer {self._token}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ]
        sent = [h11.Request(method=method, target=path, headers=headers), h11.EndOfMessage()]
        if body:
            sent.insert(1, h11.Data(data=body))
        try:
            self._writer.write(b"".join(self._http.send(event) or b"" for event in sent))
            return await self._answer()
        except (OSError, h11.ProtocolError) as error:
            raise NoAnswerError(str(error)) from error

    async def _answer(self) -> Answered:
        status, content = 0, bytearray()
        while True:
            match self._http.next_event():
                case h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(_CHUNK_BYTES))
                case h11.Response(status_code=status):
                    pass
                case h11.Data(data=data):
                    content += data
                case h11.EndOfMessage():
                    self._http.start_next_cycle()
                    return Answered(status, json.loads(content) if content else None)
                case _:
                    raise NoAnswerError("the connection was closed before an answer came")

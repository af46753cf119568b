"""One HTTP/1.1 exchange over an asyncio stream: a connection, a request, a response.

Owns the bytes of the client's side (h11). Runs on simulated and on real sockets alike.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import h11
from pydantic import TypeAdapter

_JSON: Final = TypeAdapter(Any)
_READ_BYTES: Final = 65_536


class ExchangeError(Exception):
    """No whole response came: the connection failed, ended early, or spoke no HTTP. It may have arrived."""


async def exchange(
    address: tuple[str, int], method: str, target: str, body: object = None, *, token: str = ""
) -> tuple[int, Any]:
    """Return the status and the JSON body of the response to one request; raises ExchangeError."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except OSError as error:
        raise ExchangeError(str(error)) from error
    try:
        content = b"" if body is None else _JSON.dump_json(body)
        writer.write(_request(address[0], method, target, content, token))
        await writer.drain()
        return await _response(reader)
    except (OSError, h11.RemoteProtocolError, ValueError) as error:
        raise ExchangeError(f"{type(error).__name__}: {error}") from error
    finally:
        writer.close()


def _request(host: str, method: str, target: str, content: bytes, token: str) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    headers: dict[str, str] = {
        "Host": host,
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
    }
    if token:
        headers["Authorization"] = f"Bearer {token}"
    sent = connection.send(h11.Request(method=method, target=target, headers=_pairs(headers))) or b""
    if content:
        sent += connection.send(h11.Data(data=content)) or b""
    return sent + (connection.send(h11.EndOfMessage()) or b"")


def _pairs(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(headers.items())


async def _response(reader: asyncio.StreamReader) -> tuple[int, Any]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "any")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, _JSON.validate_json(bytes(body))
        else:
            raise ExchangeError("the connection ended before the response")

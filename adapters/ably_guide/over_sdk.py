"""The pattern's transport over the vendor's own Python SDK, unmodified: real bytes over sockets.

Owns every touch of the SDK. One realtime client a connection; history through a REST client of its own,
because a REST call through a realtime client re-authenticates its connection every time.

What the SDK raises becomes a ChannelError. Three things in which it differs from its specification are borne
here, and only here: it goes on retrying with a token that was refused, so a refused client is closed; it lets
other libraries' errors through where a socket breaks; and it leaves failed background tasks to nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import ably  # type: ignore[import-untyped]
import httpx
from ably import AblyException, AblyRealtime, AblyRest
from ably.realtime.channel import RealtimeChannel  # type: ignore[import-untyped]
from ably.types.channelstate import ChannelState, ChannelStateChange  # type: ignore[import-untyped]
from ably.types.connectionstate import ConnectionState, ConnectionStateChange  # type: ignore[import-untyped]
from ably.types.message import Message  # type: ignore[import-untyped]
from ably.types.tokendetails import TokenDetails  # type: ignore[import-untyped]
from pydantic import JsonValue
from websockets.exceptions import WebSocketException

from harness.adapter import AblyAccess, AblyEndpoint, KeepAlive, Machine
from harness.channel.errors import ErrorInfo
from harness.messaging import ChannelError

from .transport import (
    AUTHORISATION_CODES,
    TOOL_CALL_ID,
    ApprovalChannel,
    Incoming,
    Listener,
    Page,
    headers_of,
)

T = TypeVar("T")

DISCONNECTED: Final = 80003
PROTOCOL: Final = "5"
"""The version of the protocol that this SDK speaks, which its generic requests must name."""
ATTACHED_TOO_LONG_AGO: Final = 90008
"""History up to the attachment is refused once the attachment is older than the live window."""
SDK_STATE_CODES: Final = frozenset({500, 40000, 40001, 50000, 50001, 80000, 80003, 90000, 90001})
"""Codes that the SDK itself makes up while the connection or the channel is not there: all mean "not now"."""
AUTH_ENDPOINT_REFUSED: Final = 80019
_SDK_FOLDER: Final = str(Path(ably.__file__).parent)

logging.getLogger("ably").addHandler(logging.NullHandler())


class Dialler:
    """Connects machines to the Ably service of one run."""

    def __init__(self, access: AblyAccess) -> None:
        self._access = access
        self._open: list[SdkRealtime] = []

    def __call__(self, machine: Machine, token: str) -> "SdkRealtime":
        """Connect from ``machine`` as the holder of ``token``."""
        asyncio.get_running_loop().set_exception_handler(_ignore_the_sdks_own_tasks)
        realtime = SdkRealtime(machine, self._access, token)
        if realtime.endpoint.keep_alive is KeepAlive.CLIENT:
            self._open.append(realtime)
        return realtime

    async def close(self) -> None:
        """End every connection to a real service; what is simulated ends with its run."""
        while self._open:
            await self._open.pop().close()


class SdkRealtime:
    """One realtime client of the SDK."""

    def __init__(self, machine: Machine, access: AblyAccess, token: str) -> None:
        self._machine = machine
        self._access = access
        self._token = token
        self._rest: AblyRest | None = None
        self._listeners: list[Callable[[str], None]] = []
        self.refusal: ErrorInfo | None = None
        self._accepted_before = False
        self.endpoint = access.endpoint
        self._client = AblyRealtime(
            auth_callback=self._authorise, **_options(self.endpoint, self.endpoint.host_and_port)
        )
        self._client.connection.on(self._on_state)

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return bool(self._client.connection.state is ConnectionState.CONNECTED)

    @property
    def rest(self) -> AblyRest:
        """A REST client with the same credentials, made when it is first needed."""
        if self._rest is None:
            options = _options(self.endpoint, self.endpoint.host)
            details = self._client.auth.token_details  # the callback is asked where there are none yet
            self._rest = AblyRest(token_details=details, auth_callback=self._authorise, **options)
        return self._rest

    def on_state(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with each new connection state."""
        self._listeners.append(callback)

    def channel(self, name: str) -> ApprovalChannel:
        """Return a channel by its name."""
        return SdkChannel(self, self._client.channels.get(name), self._machine)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()
        if self._rest is not None:
            await self._rest.close()

    async def _authorise(self, _params: object) -> TokenDetails:
        token = self._access.token(self._token)
        return TokenDetails(token=token.text, client_id=token.client_id)

    def _on_state(self, change: ConnectionStateChange) -> None:
        if change.current is ConnectionState.CONNECTED:
            self._connected()
        refused = None if change.current is ConnectionState.CONNECTED else _refusal(change.reason)
        if refused is not None and refused.is_token_error and self._accepted_before:
            self._accepted_before = False  # the token wore out; the SDK comes back with a new one
        elif refused is not None and self.refusal is None:
            self.refusal = refused
            self._machine.host.spawn(self.close(), name="give up")
        for listener in self._listeners:
            listener("failed" if self.refusal else str(change.current.value))

    def _connected(self) -> None:
        """Note that the token is good; stop the WebSocket's pings where the world itself notices silence."""
        self._accepted_before = True
        if self.endpoint.keep_alive is KeepAlive.WORLD:
            transport = self._client.connection.connection_manager.transport
            if transport is not None and transport.websocket is not None:
                transport.websocket.keepalive_task.cancel()


class SdkChannel:
    """One session's channel."""

    def __init__(self, realtime: SdkRealtime, channel: RealtimeChannel, machine: Machine) -> None:
        self._realtime = realtime
        self._channel = channel
        self._machine = machine
        self._listeners: list[tuple[str | None, Listener]] = []
        self._gap_listeners: list[Callable[[], None]] = []
        self._subscribed = False

    def subscribe(self, name: str | None, listener: Listener) -> None:
        """Hand live messages called ``name`` (None: all) to ``listener``."""
        self._listeners.append((name, listener))

    def on_discontinuity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when live messages may have been missed."""
        self._gap_listeners.append(callback)

    async def attach(self) -> None:
        """Subscribe, which attaches; raises ChannelError where it is refused."""
        if self._subscribed:
            await self._ask(self._channel.attach())
        else:
            self._subscribed = True
            self._channel.on("update", self._on_attached)
            self._channel.on(ChannelState.ATTACHED, self._on_attached)
            await self._ask(self._channel.subscribe(self._on_message))
        if self._channel.state is not ChannelState.ATTACHED:
            raise self._error(self._channel.error_reason)

    async def publish(self, name: str, data: JsonValue, tool_call_id: str = "") -> None:
        """Publish, with the tool call's id in the headers; raises ChannelError where it is refused."""
        headers = headers_of(tool_call_id)
        message = Message(name=name, data=data, extras=None if headers is None else {"headers": headers})
        await self._ask(self._channel.publish(message))

    async def history(self) -> Page:
        """Return the latest page of what was published before this attachment; raises ChannelError.

        The SDK knows no ``untilAttach``: the bound is handed over by the generic request.
        """
        attached_at: str | None = self._channel._RealtimeChannel__attach_serial  # noqa: SLF001 - see the docstring
        bound = {} if attached_at is None else {"from_serial": attached_at}
        try:
            return await self._page(bound)
        except ChannelError as error:
            if error.code != ATTACHED_TOO_LONG_AGO:
                raise
        return await self._page({})

    async def _page(self, bound: dict[str, str]) -> Page:
        path = f"/channels/{self._channel.name}/messages"
        rest = self._realtime.rest
        page = await self._ask(rest.request("GET", path, PROTOCOL, bound))
        if page.status_code == httpx.codes.UNAUTHORIZED and _is_token_error(page.error_code):
            await self._ask(rest.auth.authorize())
            page = await self._ask(rest.request("GET", path, PROTOCOL, bound))
        return self._read(page)

    async def _next(self, page: Any) -> Page:
        return self._read(await self._ask(page.next()))

    def _read(self, page: Any) -> Page:
        if not page.success:
            code = int(page.error_code or page.status_code * 100)
            raise ChannelError(ErrorInfo(code, page.status_code, str(page.error_message)))
        items = tuple(_incoming(message) for message in Message.from_encoded_array(page.items))
        return Page(items, partial(self._next, page) if page.has_next() else None)

    def _on_message(self, message: Message) -> None:
        for name, listener in self._listeners:
            if name is None or message.name == name:
                listener(_incoming(message))

    def _on_attached(self, change: ChannelStateChange) -> None:
        if not change.resumed and self._gap_listeners:
            for callback in self._gap_listeners:
                callback()

    async def _ask(self, request: Awaitable[T]) -> T:
        """Await what the SDK was asked for; raises ChannelError for everything that it is known to raise."""
        try:
            return await request
        except AblyException as error:
            raise self._error(error) from error
        except (WebSocketException, OSError, httpx.HTTPError) as error:
            info = ErrorInfo(DISCONNECTED, 400, f"{type(error).__name__}: {error}")
            raise ChannelError(info, may_have_happened=True) from error
        except TypeError as error:
            if "BaseException" not in str(error):
                raise
            raise self._error(None) from error  # the SDK raised the reason of a change that had none

    def _error(self, error: AblyException | None) -> ChannelError:
        if self._realtime.refusal is not None:
            return ChannelError(self._realtime.refusal)
        if error is None or error.code in SDK_STATE_CODES:
            return ChannelError(ErrorInfo(DISCONNECTED, 400, str(error or "not attached")))
        return ChannelError(ErrorInfo(error.code, error.status_code, str(error.message)))


def _options(endpoint: AblyEndpoint, where: str) -> dict[str, Any]:
    """Return the SDK's options for an endpoint; its realtime client reads the port from ``endpoint`` only."""
    return {"endpoint": where, "port": endpoint.port, "tls": False} if endpoint.host else {}


def _refusal(reason: object) -> ErrorInfo | None:
    """Return the refusal that a connection's change of state stands for, None where it may come back."""
    if not isinstance(reason, AblyException):
        return None
    if reason.code == AUTH_ENDPOINT_REFUSED:
        return ErrorInfo(40170, 401, str(reason.message))
    if reason.code in AUTHORISATION_CODES or reason.code in (40005, 40012, 40400):
        return ErrorInfo(reason.code, reason.status_code, str(reason.message))
    return None


def _is_token_error(code: str | None) -> bool:
    return code is not None and code.isdecimal() and 40140 <= int(code) < 40150  # noqa: PLR2004 - spec RSA4b


def _incoming(message: Message) -> Incoming:
    extras = message.extras or {}
    tool_call_id = (extras.get("headers") or {}).get(TOOL_CALL_ID)
    claim = extras.get("userClaim")
    return Incoming(
        name=message.name or "",
        data=message.data,
        tool_call_id=tool_call_id if isinstance(tool_call_id, str) else "",
        client_id=message.client_id or "",
        role=claim if isinstance(claim, str) else None,
        serial=message.serial or "",
    )


def _ignore_the_sdks_own_tasks(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what went wrong unawaited, unless it is a background task that the SDK started and forgot."""
    task = context.get("task") or context.get("future")
    coro = task.get_coro() if isinstance(task, asyncio.Task) else None
    code = getattr(coro, "cr_code", None)
    if code is None or not str(code.co_filename).startswith(_SDK_FOLDER):
        loop.default_exception_handler(context)

"""The pattern's transport over simulated messages: thousands of runs a second.

Owns every touch of the channel client. Hands on what the service stamped; decides nothing.
"""

from collections.abc import Callable
from functools import partial

from pydantic import JsonValue

from harness.adapter import Machine
from harness.channel.history import HistoryQuery
from harness.messaging import ChannelClient, Message, RemoteChannel

from .transport import TOOL_CALL_ID, ApprovalChannel, Incoming, Listener, Page, Realtime, headers_of


class MessageRealtime:
    """One connection of the channel client."""

    def __init__(self, client: ChannelClient) -> None:
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client.state == "connected"

    def on_state(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with each new connection state."""
        self._client.on_state(callback)

    def channel(self, name: str) -> ApprovalChannel:
        """Return a channel by its name."""
        return MessageChannel(self._client.channel(name))

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()


class MessageChannel:
    """One session's channel."""

    def __init__(self, channel: RemoteChannel) -> None:
        self._channel = channel

    def subscribe(self, name: str | None, listener: Listener) -> None:
        """Hand live messages called ``name`` (None: all) to ``listener``."""

        def on_message(message: Message) -> None:
            if name is None or message.name == name:
                listener(_incoming(message))

        self._channel.subscribe(on_message)

    def on_discontinuity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when live messages may have been missed."""
        self._channel.on_discontinuity(callback)

    async def attach(self) -> None:
        """Attach without rewind; raises ChannelError where it is refused."""
        await self._channel.attach()

    async def publish(self, name: str, data: JsonValue, tool_call_id: str = "") -> None:
        """Publish, with the tool call's id in the headers; raises ChannelError where it is refused."""
        await self._channel.publish(name, data, headers=headers_of(tool_call_id))

    async def history(self) -> Page:
        """Return the latest page of what was published so far; raises ChannelError.

        Not bounded by the attachment: the service refuses one that left its live window, as after a long cut.
        """
        return await self._page(None)

    async def _page(self, cursor: HistoryQuery | None) -> Page:
        page = await self._channel.history(cursor=cursor)
        items = tuple(_incoming(message) for message in page.items)
        return Page(items, None if page.next is None else partial(self._page, page.next))


class Dialler:
    """Connects machines to the channel service of their run."""

    def __call__(self, machine: Machine, token: str) -> Realtime:
        """Connect from ``machine`` as the holder of ``token``."""
        return MessageRealtime(machine.connect(token))

    async def close(self) -> None:
        """Do nothing: what is simulated ends with its run."""


def _incoming(message: Message) -> Incoming:
    tool_call_id = message.headers.get(TOOL_CALL_ID)
    return Incoming(
        name=message.name or "",
        data=message.data,
        tool_call_id=tool_call_id if isinstance(tool_call_id, str) else "",
        client_id=message.client_id or "",
        role=message.user_claim,
        serial=message.serial,
    )

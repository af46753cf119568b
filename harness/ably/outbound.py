"""Frames to a client: an event of the channel service to a ProtocolMessage.

Owns one writer per event and the rules of presence and absence of fields that clients depend on: a
connection-level frame has no ``channel`` at all, ``msgSerial`` stands there even if it is 0, ACK has ``res``,
NACK has ``count`` and ``error``, every channel frame has its ``channelSerial``.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from harness.ably.actions import Action, Flag
from harness.ably.codec import Format
from harness.ably.message_wire import Wire, write_message
from harness.ably.presence_wire import write_presence
from harness.channel.errors import ErrorInfo, error_info
from harness.channel.events import (
    Ack,
    Attached,
    AuthPrompt,
    ChannelFailed,
    Closed,
    Connected,
    ConnectionFailed,
    Deliver,
    Detached,
    Disconnected,
    Event,
    Heartbeat,
    Nack,
    PresenceChanged,
    PresenceSync,
)

FRAME_BYTES_MAX: Final = 524_288
"""Most bytes of one frame from a client (Ably limits)."""
_HELP: Final = "https://help.ably.io/error/"
SITE: Final = "hitl"
_NOT_FOUND: Final = 40400
_NO_WORD: Final = re.compile(r"[^\w-]")
"""One SDK finds the cursor of a sync only behind word characters; else every page is a whole sync to it."""


def write_error(error: ErrorInfo) -> Wire:
    """Return an error as clients read it (spec TI1)."""
    return {
        "code": error.code,
        "statusCode": error.status,
        "message": error.message,
        "href": f"{_HELP}{error.code}",
    }


def _connected(event: Connected, _form: Format) -> Wire:
    details: Wire = {
        "connectionKey": event.connection_key,
        "connectionStateTtl": event.state_ttl_ms,
        "maxIdleInterval": event.heartbeat_ms,
        "maxMessageSize": event.message_bytes_max,
        "maxFrameSize": FRAME_BYTES_MAX,
        "maxInboundRate": 250,
        "maxOutboundRate": 100,
        "serverId": f"{SITE}.0",
        "siteCode": SITE,
    }
    if event.client_id is not None:
        details["clientId"] = event.client_id
    wire: Wire = {
        "action": Action.CONNECTED,
        "connectionId": event.connection_id,
        "connectionKey": event.connection_key,
        "connectionDetails": details,
    }
    if event.error is not None:
        wire["error"] = write_error(event.error)
    return wire


def _disconnected(event: Disconnected, _form: Format) -> Wire:
    return {"action": Action.DISCONNECTED, "error": write_error(event.error)}


def _connection_failed(event: ConnectionFailed, _form: Format) -> Wire:
    """Tell an unknown app or key as 40101 here, as the service does; the REST interface says 40400."""
    error = event.error
    if error.code == _NOT_FOUND:
        error = error_info(40101, error.message)
    return {"action": Action.ERROR, "error": write_error(error)}


def _attached(event: Attached, _form: Format) -> Wire:
    flags = int(event.modes)
    if event.resumed:
        flags |= Flag.RESUMED
    if event.has_backlog:
        flags |= Flag.HAS_BACKLOG
    if event.has_presence:
        flags |= Flag.HAS_PRESENCE
    wire: Wire = {
        "action": Action.ATTACHED,
        "channel": event.channel,
        "channelSerial": event.channel_serial,
        "flags": flags,
        "params": dict(event.params),
    }
    if event.error is not None:
        wire["error"] = write_error(event.error)
    return wire


def _detached(event: Detached, _form: Format) -> Wire:
    wire: Wire = {"action": Action.DETACHED, "channel": event.channel}
    if event.error is not None:
        wire["error"] = write_error(event.error)
    return wire


def _channel_failed(event: ChannelFailed, _form: Format) -> Wire:
    return {"action": Action.ERROR, "channel": event.channel, "error": write_error(event.error)}


def _deliver(event: Deliver, form: Format) -> Wire:
    return _channel_frame(
        Action.MESSAGE, event, "messages", [write_message(message, form) for message in event.messages]
    )


def _presence_changed(event: PresenceChanged, form: Format) -> Wire:
    return _channel_frame(
        Action.PRESENCE, event, "presence", [write_presence(message, form) for message in event.messages]
    )


def _channel_frame(action: Action, event: Deliver | PresenceChanged, name: str, items: list[Wire]) -> Wire:
    wire: Wire = {
        "action": action,
        "id": event.id,
        "channel": event.channel,
        "channelSerial": event.channel_serial,
        "timestamp": event.timestamp_ms,
        name: items,
    }
    if event.connection_id is not None:
        wire["connectionId"] = event.connection_id
    return wire


def _presence_sync(event: PresenceSync, form: Format) -> Wire:
    return {
        "action": Action.SYNC,
        "channel": event.channel,
        "channelSerial": f"{_NO_WORD.sub('-', event.sync_id)}:{event.cursor}",
        "presence": [write_presence(message, form) for message in event.messages],
    }


def _ack(event: Ack, _form: Format) -> Wire:
    return {
        "action": Action.ACK,
        "msgSerial": event.msg_serial,
        "count": 1,
        "res": [{"serials": list(event.serials)}],
    }


def _nack(event: Nack, _form: Format) -> Wire:
    return {
        "action": Action.NACK,
        "msgSerial": event.msg_serial,
        "count": 1,
        "error": write_error(event.error),
    }


def _auth_prompt(_event: AuthPrompt, _form: Format) -> Wire:
    return {"action": Action.AUTH}


def _heartbeat(event: Heartbeat, _form: Format) -> Wire:
    return {"action": Action.HEARTBEAT} if event.id is None else {"action": Action.HEARTBEAT, "id": event.id}


def _closed(_event: Closed, _form: Format) -> Wire:
    return {"action": Action.CLOSED}


# HistoryAnswered and HistoryRefused are not here: this protocol reads history over REST only.
_WRITERS: Final[Mapping[type[Any], Callable[[Any, Format], Wire]]] = MappingProxyType(
    {
        Connected: _connected,
        Disconnected: _disconnected,
        ConnectionFailed: _connection_failed,
        Attached: _attached,
        Detached: _detached,
        ChannelFailed: _channel_failed,
        Deliver: _deliver,
        PresenceChanged: _presence_changed,
        PresenceSync: _presence_sync,
        Ack: _ack,
        Nack: _nack,
        AuthPrompt: _auth_prompt,
        Heartbeat: _heartbeat,
        Closed: _closed,
    }
)


def write_frame(event: Event, form: Format) -> Wire:
    """Return ``event`` as a ProtocolMessage, ready for encoding in ``form``."""
    wire = _WRITERS[type(event)](event, form)
    wire["action"] = int(wire["action"])
    return wire

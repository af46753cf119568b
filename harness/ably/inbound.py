"""Frames from a client: a ProtocolMessage to a command of the channel service.

Owns the table of actions that a client may send and the three fates of one that is not a command: ignored
(unknown to this version: spec RSF1), refused by a NACK (it has a msgSerial), or fatal to the connection (it
can not be attributed). Does not execute anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from harness.ably import fields
from harness.ably.actions import Action, Flag
from harness.ably.credentials import TokenText
from harness.ably.fields import Fields, refuse
from harness.ably.message_wire import read_message
from harness.ably.presence_wire import read_presence
from harness.channel.commands import (
    Announce,
    Attach,
    Authorise,
    Close,
    Command,
    Detach,
    Operate,
    Ping,
    Publish,
    Resync,
)
from harness.channel.errors import ErrorInfo, RefusalError, error_info
from harness.channel.messages import MessageAction
from harness.channel.modes import Mode

_MODE_BITS: Final = sum(int(mode) for mode in Mode)
_PING_ID_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Refused:
    """Answer with a NACK."""

    msg_serial: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Ignored:
    """Do nothing; ``why`` is for the log."""

    why: str


Inbound: TypeAlias = Command | Refused | Ignored


def read_frame(frame: object) -> Inbound:
    """Read one decoded ProtocolMessage.

    Raises ``RefusalError`` (40000) for one that is fatal to its connection: no map, no numeric action, no
    channel or msgSerial where one has to be.
    """
    if not isinstance(frame, Mapping):
        raise refuse(40000, f"a frame must be a map; this one is a {type(frame).__name__}")
    number = fields.whole(frame, "action")
    if number is None:
        raise refuse(40000, "a frame must carry its action as a number")
    reader = _READERS.get(number)
    return Ignored(f"action {number} is not one that a client sends") if reader is None else reader(frame)


def _attach(frame: Fields) -> Inbound:
    flags = fields.whole(frame, "flags") or 0
    modes = Mode(flags & _MODE_BITS)
    params = fields.texts(frame, "params")
    if flags & Flag.ATTACH_RESUME:  # a channel that was attached before is not rewound again
        params.pop("rewind", None)
    return Attach(
        _channel(frame),
        modes or None,
        params,
        fields.text(frame, "channelSerial") or None,
    )


def _detach(frame: Fields) -> Inbound:
    return Detach(_channel(frame))


def _message(frame: Fields) -> Inbound:
    channel, msg_serial = _channel(frame), _msg_serial(frame)
    try:
        messages = tuple([read_message(item) for item in fields.items(frame, "messages")])
        params = fields.texts(frame, "params")
    except RefusalError as refused:
        return Refused(msg_serial, refused.info)
    if all(message.action is MessageAction.CREATE for message in messages):
        return Publish(channel, msg_serial, messages, params)
    if len(messages) > 1:  # spec RTL32b
        return Refused(
            msg_serial, error_info(40030, "an operation on a message must have a frame of its own")
        )
    if params.get("_forceNack") == "true":
        return Refused(msg_serial, error_info(40099, "the publisher asked for this refusal with _forceNack"))
    return Operate(channel, msg_serial, messages[0])


def _presence(frame: Fields) -> Inbound:
    channel, msg_serial = _channel(frame), _msg_serial(frame)
    try:
        return Announce(
            channel, msg_serial, tuple([read_presence(it) for it in fields.items(frame, "presence")])
        )
    except RefusalError as refused:
        return Refused(msg_serial, refused.info)


def _sync(frame: Fields) -> Inbound:
    return Resync(_channel(frame))


def _annotation(frame: Fields) -> Inbound:
    return Refused(_msg_serial(frame), error_info(93002, "annotations are not offered by this server"))


def _object(frame: Fields) -> Inbound:
    return Refused(_msg_serial(frame), error_info(40000, "objects are not offered by this server"))


def _auth(frame: Fields) -> Inbound:
    token = fields.text(fields.mapping(frame, "auth") or {}, "accessToken")
    if not token:
        raise refuse(40101, "the AUTH frame carries no auth.accessToken")
    return Authorise(TokenText(token))


def _heartbeat(frame: Fields) -> Inbound:
    ping = fields.text(frame, "id")
    if ping is None:
        return Ignored("a heartbeat without an id asks for nothing")
    if len(ping) > _PING_ID_MAX:
        raise refuse(40000, f"the id of a ping has {len(ping)} characters; {_PING_ID_MAX} are the most")
    return Ping(ping)


def _close(_frame: Fields) -> Inbound:
    return Close()


def _channel(frame: Fields) -> str:
    channel = fields.text(frame, "channel", 40010)
    if channel is None:
        raise refuse(40000, "the frame names no channel")
    return channel


def _msg_serial(frame: Fields) -> int:
    msg_serial = fields.whole(frame, "msgSerial")
    if msg_serial is None:
        raise refuse(40000, "the frame has no msgSerial, so that it can not be answered (spec RTN7b)")
    return msg_serial


# DISCONNECT is not here: a client sends it as it closes the socket, which then says the same.
_READERS: Final[Mapping[int, Callable[[Fields], Inbound]]] = MappingProxyType(
    {
        Action.HEARTBEAT: _heartbeat,
        Action.CLOSE: _close,
        Action.ATTACH: _attach,
        Action.DETACH: _detach,
        Action.PRESENCE: _presence,
        Action.MESSAGE: _message,
        Action.SYNC: _sync,
        Action.AUTH: _auth,
        Action.OBJECT: _object,
        Action.ANNOTATION: _annotation,
    }
)

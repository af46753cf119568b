"""Messages on the wire: fields to :class:`Message` and back (Ably spec TM2, RSL4).

Owns the transcoding of payloads: one is stored once, as text or bytes, and written for each reader in its
own format; bytes become base64 in JSON, with ``base64`` added to the encoding. Other encodings are opaque.
Does not check what a publisher may write (``harness.channel.messages`` does).
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any, Final

from harness.ably import fields
from harness.ably.codec import Format
from harness.ably.fields import Fields, refuse
from harness.channel.frozen_json import Json
from harness.channel.messages import Data, Message, MessageAction, Version

_BASE64: Final = "base64"
Wire = dict[str, Any]
"""A map ready for encoding."""


def read_message(wire: Fields) -> Message:
    """Read one message as a publisher wrote it.

    Fields that only the server writes, and the ``size`` that one SDK adds, are dropped. Refusals: 40000 wrong
    types, 40012 client id, 40030 data or action, 40031 id, 40032 extras, 40003 serial.
    """
    data, encoding = read_data(wire)
    return Message(
        fields.text(wire, "name"),
        data,
        encoding,
        fields.text(wire, "clientId", 40012),
        fields.text(wire, "id", 40031),
        read_extras(wire),
        serial=fields.text(wire, "serial", 40003) or "",
        action=_read_action(wire),
        version=_read_version(fields.mapping(wire, "version")),
    )


def read_extras(wire: Fields) -> dict[str, Json] | None:
    """Return ``extras``; the channel checks what is inside."""
    extras = fields.mapping(wire, "extras", 40032)
    return None if extras is None else {_key(key): _json(value) for key, value in extras.items()}


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise refuse(40032, f"extras has the key {key!r}; keys must be text")
    return key


def _json(value: object) -> Json:
    if isinstance(value, bytes):
        raise refuse(40032, "extras holds bytes; only JSON values may stand there")
    checked: Json = value  # type: ignore[assignment]  # decoded by the codec: JSON values and bytes only
    return checked


def _read_action(wire: Fields) -> MessageAction:
    number = fields.whole(wire, "action", 40030) or 0
    if number not in MessageAction.__members__.values():
        raise refuse(40030, f"{number} is no action of a message")
    return MessageAction(number)


def _read_version(wire: Fields | None) -> Version | None:
    if wire is None:
        return None
    return Version(
        client_id=fields.text(wire, "clientId", 40012),
        description=fields.text(wire, "description"),
        metadata=fields.texts(wire, "metadata") or None,
    )


def read_data(wire: Fields) -> tuple[Data, str | None]:
    """Return a payload and its encoding; 40030 for one that is neither text, bytes, a map nor a list."""
    data, encoding = wire.get("data"), fields.text(wire, "encoding")
    if isinstance(data, dict | list):  # plain REST callers may write JSON as it is
        try:
            written = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        except (TypeError, ValueError):
            raise refuse(40030, "the data holds values that are not JSON") from None
        return written, f"{encoding}/json" if encoding else "json"
    if data is not None and not isinstance(data, str | bytes):
        raise refuse(40030, f"the data is a {type(data).__name__}; send text, bytes, a map or a list")
    if isinstance(data, str) and encoding is not None and encoding.split("/")[-1] == _BASE64:
        return _unwrap(data, encoding)
    return data, encoding


def _unwrap(data: str, encoding: str) -> tuple[Data, str | None]:
    """Decode base64 that would be written the same way again; anything else stays as it is, opaque."""
    try:
        decoded = b64decode(data, validate=True)
    except (Base64Error, ValueError):
        return data, encoding
    if b64encode(decoded).decode() != data:
        return data, encoding
    return decoded, encoding.rpartition("/")[0] or None


def write_data(wire: Wire, data: Data, encoding: str | None, form: Format) -> None:
    """Put a payload into ``wire`` as a reader of ``form`` expects it."""
    if isinstance(data, bytes) and form is Format.JSON:
        wire["data"] = b64encode(data).decode()
        wire["encoding"] = f"{encoding}/{_BASE64}" if encoding else _BASE64
        return
    if data is not None:
        wire["data"] = data
    if encoding is not None:
        wire["encoding"] = encoding


def write_message(message: Message, form: Format) -> Wire:
    """Return a message as a subscriber or reader of history gets it."""
    wire: Wire = {"id": message.id}
    if message.name is not None:
        wire["name"] = message.name
    write_data(wire, message.data, message.encoding, form)
    if message.client_id is not None:
        wire["clientId"] = message.client_id
    if message.connection_id is not None:
        wire["connectionId"] = message.connection_id
    wire["timestamp"] = message.timestamp_ms
    if message.extras is not None:
        wire["extras"] = message.extras
    wire["action"] = int(message.action)
    wire["serial"] = message.serial
    if message.version is not None:
        wire["version"] = _write_version(message.version)
    return wire


def _write_version(version: Version) -> Wire:
    wire: Wire = {"serial": version.serial, "timestamp": version.timestamp_ms}
    if version.client_id is not None:
        wire["clientId"] = version.client_id
    if version.description is not None:
        wire["description"] = version.description
    if version.metadata:
        wire["metadata"] = dict(version.metadata)
    return wire

"""Presence on the wire: fields to :class:`PresenceMessage` and back (Ably spec TP3).

Owns nothing but the field names; payloads are transcoded like those of messages.
"""

from harness.ably import fields
from harness.ably.codec import Format
from harness.ably.fields import Fields, refuse
from harness.ably.message_wire import Wire, read_data, read_extras, write_data
from harness.channel.presence import PresenceAction, PresenceMessage


def read_presence(wire: Fields) -> PresenceMessage:
    """Read one presence message as a client wrote it."""
    number = fields.whole(wire, "action", 40030)
    if number is None or number not in PresenceAction.__members__.values():
        raise refuse(40030, f"{number} is no presence action")
    data, encoding = read_data(wire)
    return PresenceMessage(
        PresenceAction(number),
        fields.text(wire, "clientId", 40012),
        data,
        encoding,
        read_extras(wire),
        fields.text(wire, "id") or "",
    )


def write_presence(message: PresenceMessage, form: Format) -> Wire:
    """Return a presence message as a reader gets it."""
    wire: Wire = {
        "id": message.id,
        "action": int(message.action),
        "clientId": message.client_id,
        "connectionId": message.connection_id,
        "timestamp": message.timestamp_ms,
    }
    write_data(wire, message.data, message.encoding, form)
    if message.extras is not None:
        wire["extras"] = message.extras
    return wire

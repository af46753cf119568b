"""Messages and what a publisher may put in them.

Owns the message value, the limits on its fields and the refusal codes of ill-formed ones (Ably spec TM2,
TM6, fact codes 40009, 40012, 40030 to 40034). The invariant: a :class:`Message` that passed
:func:`check_publish` is deeply immutable and carries no field that only the server may write. Does not
stamp identity, serials or times (``log`` and ``publishing`` do), and never decodes ``data``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from harness.channel.errors import refusal
from harness.channel.frozen_json import FrozenDict, Json, as_mapping, freeze_mapping
from harness.channel.serials import MESSAGES_PER_FRAME_MAX

Data: TypeAlias = "str | bytes | None"
"""Payload, opaque to the channel; JSON travels as text with ``encoding`` ``json`` (spec RSL4)."""

MESSAGE_BYTES_MAX: Final = 65536
"""Ably's limit on one publish for free and standard accounts (spec CD2c, account limits)."""

EXTRAS_KEYS: Final = frozenset(
    {"headers", "ephemeral", "push", "ref", "delta", "ai", "privileged", "userClaim"}
)
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class MessageAction(IntEnum):
    """What a message does to the one that its serial names (spec TM5)."""

    CREATE = 0
    UPDATE = 1
    DELETE = 2
    META = 3
    SUMMARY = 4
    APPEND = 5


@dataclass(frozen=True, slots=True)
class Version:
    """Who last changed a message, when and why (spec TM2s). ``serial`` sorts like the order of changes."""

    serial: str = ""
    timestamp_ms: int = 0
    client_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. A publisher fills ``name`` to ``extras``; the server writes everything after.

    ``serial`` identifies the message for ever and sorts in channel order; an operation (update, delete,
    append) names its target with it. ``timestamp_ms``, ``client_id`` and ``connection_id`` stay those of
    the creation.
    """

    name: str | None = None
    data: Data = None
    encoding: str | None = None
    client_id: str | None = None
    id: str | None = None
    extras: Mapping[str, Json] | None = None
    connection_id: str | None = None
    timestamp_ms: int = 0
    serial: str = ""
    action: MessageAction = MessageAction.CREATE
    version: Version | None = None

    @property
    def headers(self) -> Mapping[str, Json]:
        """The application's flat ``extras.headers``, empty if there are none."""
        return (as_mapping(self.extras.get("headers")) if self.extras else None) or {}

    @property
    def user_claim(self) -> str | None:
        """The role that the server vouches for (``extras.userClaim``), never written by a publisher."""
        claim = self.extras.get("userClaim") if self.extras else None
        return claim if isinstance(claim, str) else None


class CheckedPublish(NamedTuple):
    """A publish that obeys the rules of form."""

    messages: tuple[Message, ...]
    idempotency_key: str | None
    """What a repeat within two minutes is recognised by; ``None`` if the publisher gave no ids."""
    ephemeral: bool


def check_publish(messages: tuple[Message, ...], bytes_max: int = MESSAGE_BYTES_MAX) -> CheckedPublish:
    """Check one publish as a whole (it is atomic) and return it with extras frozen.

    Raises :class:`RefusalError`: 40030 empty or mixed ephemeral, 40031 ids, 40032 extras, 40034 count,
    40009 size.
    """
    if not messages:
        raise refusal(40030, "a publish needs at least one message")
    if len(messages) > MESSAGES_PER_FRAME_MAX:
        raise refusal(
            40034, f"{len(messages)} messages in one publish; send at most {MESSAGES_PER_FRAME_MAX}"
        )
    checked = tuple([with_checked_extras(message) for message in messages])
    ephemerals = [bool(message.extras and message.extras.get("ephemeral")) for message in checked]
    if any(ephemerals) and not all(ephemerals):
        raise refusal(40030, "ephemeral and ordinary messages may not share one publish; send them apart")
    check_size(checked, bytes_max)
    return CheckedPublish(checked, _idempotency_key(checked), ephemerals[0])


def with_checked_extras(message: Message) -> Message:
    """Return ``message`` with checked, frozen extras, without a user claim: only the server writes those."""
    if message.extras is None:
        return message
    extras = check_extras(message.extras)
    if extras is message.extras:
        return message
    return Message(
        message.name,
        message.data,
        message.encoding,
        message.client_id,
        message.id,
        extras,
        serial=message.serial,
        action=message.action,
        version=message.version,
    )


def check_extras(extras: Mapping[str, Json]) -> FrozenDict[Json]:
    """Freeze ``extras``; an unknown key, nested headers or a non-JSON value is a 40032 refusal."""
    frozen = freeze_mapping(extras, 40032, "extras")
    if not frozen.keys() <= EXTRAS_KEYS:
        unknown = sorted(frozen.keys() - EXTRAS_KEYS)
        raise refusal(
            40032, f"extras has the unknown key {unknown[0]!r}; put application fields in extras.headers"
        )
    headers = frozen.get("headers")
    if headers is None:  # null counts as absent
        headers = FrozenDict[Json]()
    if not isinstance(headers, FrozenDict):
        raise refusal(40032, "extras.headers must be a map from text to text, numbers, booleans or null")
    for key, value in headers.items():
        if value is not None and not isinstance(value, (str, int, float, bool)):
            raise refusal(40032, f"extras.headers.{key} must be text, a number, a boolean or null")
    if not isinstance(frozen.get("ephemeral", False), bool):
        raise refusal(40032, "extras.ephemeral must be true or false")
    if "userClaim" in frozen:  # never a publisher's to write: dropped, as the service does
        return FrozenDict({key: value for key, value in frozen.items() if key != "userClaim"})
    return frozen


def check_size(messages: tuple[Message, ...], bytes_max: int = MESSAGE_BYTES_MAX) -> None:
    """Refuse with 40009 if name, data, client id and extras (spec TM6) add up to more than ``bytes_max``."""
    size = sum([message_bytes(message) for message in messages])
    if size > bytes_max:
        raise refusal(40009, f"the publish is {size} bytes; the limit is {bytes_max}")


def message_bytes(message: Message) -> int:
    """Return the size of a message as the limits count it (spec TM6)."""
    size = _bytes(message.name) + _bytes(message.data) + _bytes(message.client_id)
    if message.extras:
        size += _bytes(_encode(message.extras))
    return size


def _bytes(value: str | bytes | None) -> int:
    if value is None:
        return 0
    if isinstance(value, bytes) or value.isascii():
        return len(value)
    return len(value.encode("utf-8", "surrogatepass"))


def _idempotency_key(messages: tuple[Message, ...]) -> str | None:
    """Spec RSL1k: ids of one publish share a base and end in their index; the base is the key."""
    first = messages[0].id
    if len(messages) == 1:
        return first if first is None else first.removesuffix(":0")
    if all(message.id is None for message in messages):
        return None
    base = (first or "").removesuffix(":0")
    for index, message in enumerate(messages):
        if not base or message.id != f"{base}:{index}":
            raise refusal(
                40031,
                f"message {index} has the id {message.id!r}; ids of one publish must all be <base>:<index>",
            )
    return base

"""Update, delete and append: how an operation changes a message.

Owns the merge (Ably message updates: a shallow mixin; an append concatenates data). The invariant: serial,
creation time, publisher and connection of the original never change; only ``version`` tells of the
operator. Does not check rights and does not choose who receives the delta and who the whole.
"""

from typing import Final, NamedTuple

from harness.channel.errors import refusal
from harness.channel.messages import Data, Message, MessageAction, Version

OPERATIONS_BY_ACTION: Final = {
    MessageAction.UPDATE: "message-update",
    MessageAction.DELETE: "message-delete",
    MessageAction.APPEND: "message-update",
}
"""The capability that gates each action, before its ``-own`` or ``-any``."""


class Merge(NamedTuple):
    """``delivered`` goes to attachments that know the message, ``merged`` to all others and to history."""

    delivered: Message
    merged: Message


def merge(target: Message, operation: Message, version: Version) -> Merge:
    """Apply ``operation`` to ``target``. Data, name and extras count as given unless ``None``.

    The user claim lives in extras, so it changes hands only with extras given by the operator (the
    service's own rule is not documented).
    """
    name = target.name if operation.name is None else operation.name
    extras = target.extras if operation.extras is None else operation.extras
    if operation.action is MessageAction.APPEND:
        data = _concatenate(target.data, operation.data)
        encoding = operation.encoding if target.data is None else target.encoding
        action = MessageAction.UPDATE
    else:
        kept = operation.data is None
        data = target.data if kept else operation.data
        encoding = target.encoding if kept else operation.encoding
        action = operation.action

    def as_message(data: Data, encoding: str | None, action: MessageAction) -> Message:
        return Message(
            name,
            data,
            encoding,
            target.client_id,
            target.id,
            extras,
            target.connection_id,
            target.timestamp_ms,
            target.serial,
            action,
            version,
        )

    merged = as_message(data, encoding, action)
    if operation.action is not MessageAction.APPEND:
        return Merge(merged, merged)
    return Merge(as_message(operation.data, operation.encoding, MessageAction.APPEND), merged)


def _concatenate(before: Data, added: Data) -> Data:
    if before is None or added is None:
        return added if before is None else before
    if isinstance(before, str) and isinstance(added, str):
        return before + added
    if isinstance(before, bytes) and isinstance(added, bytes):
        return before + added
    raise refusal(
        40030, "an append must bring the kind of data that the message has: text to text, bytes to bytes"
    )

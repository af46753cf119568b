"""Announcing presence: from a client's statement to what subscribers are sent.

Owns the stamping of presence changes with verified identity and role (codes 91000, 40012), the wording of
departures that the service announces for members who are gone (spec RTP2b1), and the pages of a sync.
Does not hold members (``presence`` does) and does not check capabilities (``hub`` does).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.channel.attachments import Attachment
from harness.channel.errors import refusal
from harness.channel.events import PresenceChanged, PresenceSync, Send
from harness.channel.frozen_json import FrozenDict
from harness.channel.grants import Actor, publishing_identity
from harness.channel.modes import Mode
from harness.channel.presence import PresenceAction, PresenceMessage, PresenceSet, check_presence
from harness.channel.serials import MESSAGES_PER_FRAME_MAX


def stamp_presence(
    actor: Actor,
    messages: Sequence[PresenceMessage],
    claim: str | None,
    id_base: str,
    now_ms: int,
    bytes_max: int,
) -> tuple[PresenceMessage, ...]:
    """Check one frame of presence changes and write their author's identity, role and time into them.

    Refusals: 40030 count or action, 40032 extras, 40009 size, 91000 nobody named, 40012 somebody else named.
    """
    if not 1 <= len(messages) <= MESSAGES_PER_FRAME_MAX:
        raise refusal(
            40030, f"a presence frame has {len(messages)} messages; send 1 to {MESSAGES_PER_FRAME_MAX}"
        )
    stamped: list[PresenceMessage] = []
    for index, message in enumerate(messages):
        checked = check_presence(message, bytes_max)
        client_id = publishing_identity(actor, message.client_id)
        if client_id is None:
            raise refusal(91000, "presence needs a client id: connect with one, or name one")
        extras = (
            checked.extras if claim is None else FrozenDict({**(checked.extras or {}), "userClaim": claim})
        )
        stamped.append(
            replace(
                checked,
                client_id=client_id,
                extras=extras,
                id=f"{id_base}:{index}",
                connection_id=actor.connection_id,
                timestamp_ms=now_ms,
            )
        )
    return tuple(stamped)


def spoken_for(
    members: Iterable[PresenceMessage], action: PresenceAction, id_base: str, now_ms: int
) -> tuple[PresenceMessage, ...]:
    """Return the statement that the service makes in the place of each member."""
    return tuple(
        [
            replace(member, action=action, id=f"{id_base}:{index}", timestamp_ms=now_ms)
            for index, member in enumerate(members)
        ]
    )


def spread(
    attachments: Iterable[Attachment],
    changed: tuple[PresenceMessage, ...],
    serial: str,
    id_base: str,
    now_ms: int,
) -> tuple[Send, ...]:
    """Return what every subscriber of presence is sent; own changes are always echoed (spec RTP17a)."""
    by_name: dict[str, PresenceChanged] = {}
    sends: list[Send] = []
    for attachment in attachments if changed else ():
        if Mode.PRESENCE_SUBSCRIBE not in attachment.modes:
            continue
        event = by_name.get(attachment.channel)
        if event is None:
            event = by_name[attachment.channel] = PresenceChanged(
                attachment.channel, serial, id_base, changed[0].connection_id, now_ms, changed
            )
        sends.append(Send(attachment.transport, event))
    return tuple(sends)


def sync(channel: str, serial: str, presence: PresenceSet) -> tuple[PresenceSync, ...]:
    """Return the pages of a sync, one at least; each names the page after it, the last none (spec RTP18)."""
    pages = presence.pages() or [()]
    cursors = [*(str(number) for number in range(1, len(pages))), ""]
    return tuple(
        [PresenceSync(channel, serial, cursor, page) for cursor, page in zip(cursors, pages, strict=True)]
    )

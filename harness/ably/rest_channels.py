"""REST endpoints of channels: publish, history, single messages, presence, status, batches.

Owns the shapes of their requests and answers (Ably REST API). Rights, rules and order are the channel
service's. Every handler takes the caller as a :class:`Member` and raises ``RefusalError``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from harness.ably import fields
from harness.ably.calls import Answer, Call, Member, links, read_query
from harness.ably.fields import Fields, maps, refuse
from harness.ably.message_wire import Wire, read_message, write_message
from harness.ably.outbound import write_error
from harness.ably.presence_wire import write_presence
from harness.channel.errors import RefusalError
from harness.channel.events import Effects
from harness.channel.grants import Actor
from harness.channel.messages import Message, MessageAction

_BATCH_CHANNELS_MAX: Final = 100
_BATCH_RESULTS_SINCE: Final = 3
"""Before this protocol version a batch was answered with a flat list, one item per channel."""


def publish(call: Call, member: Member) -> Answer:
    """``POST /channels/{c}/messages``: one message or several, as one atomic publish (spec RSL1)."""
    wires = call.body_maps()
    actor = _on_behalf(member, wires)
    value, effects = _publish(call, Member(member.app, actor), call.parts[0], wires)
    return Answer(value, 201, app=member.app, effects=effects)


def _publish(call: Call, member: Member, channel: str, wires: Sequence[Fields]) -> tuple[Wire, Effects]:
    messages = tuple([read_message(wire) for wire in wires])
    if any(message.action is not MessageAction.CREATE for message in messages):
        raise refuse(40030, "a publish creates messages; send an update with PATCH to the message")
    query = call.request.query
    if query.get("ephemeral") == "true":
        messages = tuple(
            [replace(message, extras={**(message.extras or {}), "ephemeral": True}) for message in messages]
        )
    id_base = member.app.message_ids.next()[0]
    accepted = member.app.service.hub.publish(member.actor, channel, messages, id_base, call.now_ms, query)
    first_id = messages[0].id
    value = {"channel": channel, "messageId": first_id or f"{id_base}:0", "serials": list(accepted.serials)}
    return value, accepted.deliveries


def _on_behalf(member: Member, wires: Sequence[Fields]) -> Actor:
    """Return who publishes: the caller, in the name of a connection if a message has its key (spec TM2h)."""
    keys = [key for wire in wires if (key := fields.text(wire, "connectionKey", 40006))]
    if not keys:
        return member.actor
    connection = member.app.service.connection_of(keys[0])
    client_id = member.actor.client_id if member.actor.identity else connection.actor.client_id
    return Actor(member.actor.grant, client_id, connection.id)


def history(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}/messages`` (spec RSL2)."""
    page = member.app.service.hub.history(
        member.actor, call.parts[0], read_query(call.request.query), call.now_ms
    )
    items = [write_message(message, call.form) for message in page.items]
    return Answer(items, headers=links(call.request, page.next.cursor if page.next else None))


def get_message(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}/messages/{serial}``: the latest version (spec RSL11)."""
    found = member.app.service.hub.message(member.actor, call.parts[0], call.parts[1], call.now_ms)
    return Answer(write_message(found, call.form))


def get_versions(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}/messages/{serial}/versions``: oldest first (spec RSL14), on one page."""
    found = member.app.service.hub.versions(member.actor, call.parts[0], call.parts[1], call.now_ms)
    items = [write_message(message, call.form) for message in found]
    return Answer(items, headers=links(call.request, None))


def patch_message(call: Call, member: Member) -> Answer:
    """``PATCH /channels/{c}/messages/{serial}``: update, delete or append (spec RSL15); answers 200.

    The status is not documented; both SDKs accept any of 2xx.
    """
    channel, serial = call.parts
    operation = read_message(call.body_map())
    if operation.serial not in ("", serial):
        raise refuse(40003, "the serial in the body is not the one in the path")
    if operation.action is MessageAction.CREATE:
        operation = replace(operation, action=MessageAction.UPDATE)
    return _operate(call, member, channel, replace(operation, serial=serial))


def _operate(call: Call, member: Member, channel: str, operation: Message) -> Answer:
    id_base = member.app.message_ids.next()[0]
    accepted = member.app.service.hub.operate(member.actor, channel, operation, id_base, call.now_ms)
    return Answer(
        {"channel": channel, "serial": operation.serial, "versionSerial": accepted.serials[0]},
        app=member.app,
        effects=accepted.deliveries,
    )


def refuse_annotation(_call: Call, _member: Member) -> Answer:
    """``POST .../annotations``: not offered, told as on channels whose rule does not allow it."""
    raise refuse(93002, "annotations are not offered by this server")


def presence(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}/presence`` (spec RSP3)."""
    query = call.request.query
    page_query = read_query(query)
    page_query.check()
    members = [
        found
        for found in member.app.service.hub.present(member.actor, call.parts[0], call.now_ms)
        if query.get("clientId") in (None, found.client_id)
        and query.get("connectionId") in (None, found.connection_id)
    ]
    first = int(page_query.cursor) if page_query.cursor and page_query.cursor.isdecimal() else 0
    last = first + page_query.limit
    items = [write_presence(found, call.form) for found in members[first:last]]
    return Answer(items, headers=links(call.request, str(last) if last < len(members) else None))


def presence_history(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}/presence/history`` (spec RSP4)."""
    page = member.app.service.hub.presence_history(
        member.actor, call.parts[0], read_query(call.request.query), call.now_ms
    )
    items = [write_presence(change, call.form) for change in page.items]
    return Answer(items, headers=links(call.request, page.next.cursor if page.next else None))


def status(call: Call, member: Member) -> Answer:
    """``GET /channels/{c}`` (spec RSL8)."""
    channel = call.parts[0]
    counted = member.app.service.hub.occupancy(member.actor, channel, call.now_ms)
    metrics = {
        "connections": counted.connections,
        "publishers": counted.publishers,
        "subscribers": counted.subscribers,
        "presenceConnections": counted.presence_connections,
        "presenceMembers": counted.presence_members,
        "presenceSubscribers": counted.presence_subscribers,
        "objectPublishers": 0,
        "objectSubscribers": 0,
    }
    occupied = {"isActive": True, "occupancy": {"metrics": metrics}}
    return Answer({"channelId": channel, "name": channel, "status": occupied})


# -- batches ------------------------------------------------------------------------------------------------


def batch_publish(call: Call, member: Member) -> Answer:
    """``POST /messages``: each of several channels on its own (spec RSC22); one result per specification."""
    effects: Effects = ()
    results: list[Wire] = []
    for wire in call.body_maps():
        outcome, caused = _publish_everywhere(call, member, wire)
        results.append(outcome)
        effects += caused
    if call.version < _BATCH_RESULTS_SINCE:
        results = [it for result in results for it in result["results"]]
        return Answer(results, 201, app=member.app, effects=effects)
    value = results if isinstance(call.body(), list) else results[0]
    return Answer(value, 201, app=member.app, effects=effects)


def _publish_everywhere(call: Call, member: Member, wire: Fields) -> tuple[Wire, Effects]:
    messages = wire.get("messages")
    wires = maps(messages if isinstance(messages, list) else [messages], "the field messages")
    effects: Effects = ()
    told: list[Wire] = []
    for channel in _channels(wire.get("channels")):
        try:
            value, caused = _publish(call, member, channel, wires)
        except RefusalError as refused:
            told.append({"channel": channel, "error": write_error(refused.info)})
        else:
            told.append(value)
            effects += caused
    return _batch_result(told), effects


def _channels(value: object) -> list[str]:
    channels = [value] if isinstance(value, str) else value
    if not isinstance(channels, list) or not 1 <= len(channels) <= _BATCH_CHANNELS_MAX:
        raise refuse(40000, f"a batch must name 1 to {_BATCH_CHANNELS_MAX} channels")
    names = [name for name in channels if isinstance(name, str)]
    if len(names) < len(channels):
        raise refuse(40010, "a channel name must be text")
    return names


def _batch_result(results: list[Wire]) -> Wire:
    failures = sum("error" in result for result in results)
    return {"successCount": len(results) - failures, "failureCount": failures, "results": results}


def batch_presence(call: Call, member: Member) -> Answer:
    """``GET /presence?channels=a,b`` (spec RSC24)."""
    told: list[Wire] = []
    for channel in _channels(call.request.query.get("channels", "").split(",")):
        try:
            members = member.app.service.hub.present(member.actor, channel, call.now_ms)
        except RefusalError as refused:
            told.append({"channel": channel, "error": write_error(refused.info)})
        else:
            told.append({"channel": channel, "presence": [write_presence(it, call.form) for it in members]})
    return Answer(_batch_result(told))

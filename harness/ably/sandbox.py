"""The sandbox: apps made on request, as the SDKs' own test suites do before they start (``POST /apps``).

Owns the form of the request (``post_apps`` of Ably's shared test resources) and of the answer, which also
says where the app is served, so that suites started with ``ABLY_LOCAL_SANDBOX_URL`` find their way.
"""

from typing import Final

from harness.ably import fields
from harness.ably.apps import App, AppConfig
from harness.ably.fields import Fields, refuse
from harness.ably.keys import EVERYTHING, Key
from harness.ably.message_wire import Wire
from harness.ably.presence_wire import read_presence
from harness.channel.capability import Capability
from harness.channel.connections import IdMint
from harness.channel.events import Send
from harness.channel.grants import ANY_CLIENT, Actor, Grant
from harness.channel.presence import MEMBERS_MAX, PresenceAction, PresenceMessage
from harness.channel.rules import PERSISTED_MS, ChannelRule, ChannelRules

KEYS_MAX: Final = 100
MEMBERS_BEARABLE: Final = 1000
ACCOUNT: Final = "hitl"


def configure(wire: Fields, app_id: str, ids: IdMint) -> AppConfig:
    """Read the request. An empty key gets all rights on all ordinary channels. Refusals: 40000."""
    wanted = fields.items(wire, "keys") or [{}]
    if len(wanted) > KEYS_MAX:
        raise refuse(40000, f"an app may have {KEYS_MAX} keys at most")
    keys = tuple([_key(key, app_id, f"key{number}", ids) for number, key in enumerate(wanted)])
    rules: dict[str, ChannelRule] = {}
    for namespace in fields.items(wire, "namespaces"):
        name = fields.text(namespace, "id")
        if not name:
            raise refuse(40000, "a namespace must have an id")
        rules[name] = rule_of({key for key, value in namespace.items() if value is True})
    return AppConfig(app_id, keys, ChannelRules(rules), members_max=_members_max(wire))


def _members_max(wire: Fields) -> int:
    """Return ``limits.presence.maxMembers`` within what this server bears."""
    presence = fields.mapping(fields.mapping(wire, "limits") or {}, "presence") or {}
    asked = fields.whole(presence, "maxMembers")
    return MEMBERS_MAX if asked is None else min(asked, MEMBERS_BEARABLE)


def _key(wire: Fields, app_id: str, key_id: str, ids: IdMint) -> Key:
    capability = wire.get("capability")
    if capability is not None and not isinstance(capability, str | dict):
        raise refuse(40000, "the capability of a key must be JSON text")
    secret = ids.next()[1].partition("!")[2]
    parsed = EVERYTHING if capability is None else Capability.parse(capability)
    return Key(app_id, key_id, secret, parsed, wire.get("revocableTokens") is True)


def rule_of(settings: set[object]) -> ChannelRule:
    """Return the rule for the names of settings that are on; those without effect here are ignored."""
    return ChannelRule(
        history_ms=PERSISTED_MS if "persisted" in settings else ChannelRule().history_ms,
        persist_last="persistLast" in settings,
        mutable="mutableMessages" in settings,
        identified_only="authenticated" in settings,
    )


def populate(app: App, wire: Fields, now_ms: int) -> tuple[Send, ...]:
    """Enter the presence members that the request lists; they stay for good."""
    actor = Actor(Grant(ANY_CLIENT, Capability.parse({"[*]*": ["*"]})), ANY_CLIENT, "fixtures")
    sends: tuple[Send, ...] = ()
    for number, channel in enumerate(fields.items(wire, "channels")):
        name = fields.text(channel, "name") or ""
        members = tuple([_member(member) for member in fields.items(channel, "presence")])
        if members:
            sends += app.service.hub.announce(actor, name, members, f"fixtures:{number}", now_ms).deliveries
    return sends


def _member(wire: Fields) -> PresenceMessage:
    return read_presence({**wire, "action": int(PresenceAction.ENTER)})


def answer(app: App, wire: Fields, host: str, *, tls: bool) -> Wire:
    """Return what the suites read; ``host`` is the ``Host`` that the request was sent to."""
    endpoint, _, port = host.rpartition(":")
    served: Wire = (
        {"endpoint": endpoint, "port": int(port), "tls": tls} if port.isdecimal() and endpoint else {}
    )
    return {
        "appId": app.id,
        "id": app.id,
        "accountId": ACCOUNT,
        "keys": [
            {
                "id": key.id,
                "value": key.secret,
                "keyName": key.name,
                "keySecret": key.secret,
                "keyStr": key.text,
                "capability": key.capability.canonical(),
                "revocableTokens": key.revocable,
            }
            for key in app.config.keys
        ],
        "namespaces": [dict(namespace) for namespace in fields.items(wire, "namespaces")],
        "channels": [{"name": fields.text(channel, "name")} for channel in fields.items(wire, "channels")],
        **served,
    }

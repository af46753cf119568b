"""The hub: all channels, who is attached to them, and who may do what there.

Owns authorisation of channel operations (Ably capabilities, codes 40012, 40160, 40161, 40165, 40166, 93002),
who is attached, and fan-out in attach order. The invariant: a subscriber's deliveries are exactly
the log's frames after its start, in order, less those that its echo setting suppresses. Does not know how
connections come and go (``service`` does).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final, NamedTuple

from harness.channel.announcing import spoken_for, spread, stamp_presence, sync
from harness.channel.attaching import start
from harness.channel.attachments import Attachment, deliver, parse_options
from harness.channel.capability import Capability
from harness.channel.claims import user_claim
from harness.channel.commands import Attach
from harness.channel.errors import refusal
from harness.channel.events import Deliver, Event, Send, TransportId
from harness.channel.frames import Frame, Store
from harness.channel.frozen_json import FrozenDict
from harness.channel.grants import Actor, publishing_identity
from harness.channel.history import HistoryPage, HistoryQuery
from harness.channel.log import ChannelLog
from harness.channel.messages import Message, check_publish, with_checked_extras
from harness.channel.modes import DEFAULT_MODES, Mode, granted_modes, includes
from harness.channel.names import ChannelName, parse_channel_name
from harness.channel.occupancy import Occupancy, occupancy
from harness.channel.operations import OPERATIONS_BY_ACTION
from harness.channel.presence import PresenceAction, PresenceMessage, PresencePage, PresenceSet
from harness.channel.rules import ChannelRules

_SWEEP_AT: Final = 1024
"""Idle channels are looked for each time the number of channels has doubled from here."""


class Accepted(NamedTuple):
    """An ordered publish or operation: its serials, and what each subscriber is sent."""

    serials: tuple[str | None, ...]
    deliveries: tuple[Send, ...]


class Departed(NamedTuple):
    """The members that left, and what each subscriber is sent."""

    members: tuple[PresenceMessage, ...]
    deliveries: tuple[Send, ...]


class _Rights(Enum):
    """Whose messages an actor may change."""

    OWN = auto()
    ANY = auto()


class _Channel:
    __slots__ = ("attachments", "log", "name", "presence")

    def __init__(self, name: str, log: ChannelLog, members_max: int) -> None:
        self.name = name
        self.log = log
        self.attachments: dict[tuple[str, str], Attachment] = {}
        self.presence = PresenceSet(log.rule.retention_ms, members_max)


class ChannelHub:
    """All channels of one service. Times are Unix milliseconds."""

    __slots__ = (
        "_channels",
        "_members_max",
        "_message_bytes_max",
        "_names",
        "_rules",
        "_series",
        "_store",
        "_sweep_at",
    )

    def __init__(
        self, series: str, rules: ChannelRules, store: Store, message_bytes_max: int, members_max: int
    ) -> None:
        self._members_max = members_max
        self._series = series
        self._rules = rules
        self._store = store
        self._message_bytes_max = message_bytes_max
        self._channels: dict[str, _Channel] = {}
        self._names: dict[str, ChannelName] = {}
        self._sweep_at = _SWEEP_AT

    # -- attaching ------------------------------------------------------------------------------------------

    def attach(
        self,
        actor: Actor,
        command: Attach,
        transport: TransportId,
        previous: Attachment | None,
        now_ms: int,
        *,
        echo: bool,
    ) -> tuple[Attachment, tuple[Event, ...]]:
        """Attach (again) and return the attachment with Attached and its backlog, in that order (spec RTL17).

        Refusals: 40010 name, 40003 parameters, 40160 no permitted mode, 40161 identity required.
        """
        name = self._name(command.channel)
        options = parse_options({**name.params, **command.params} if name.params else command.params)
        requested = options.modes or command.modes or DEFAULT_MODES
        modes = granted_modes(requested, actor.grant.capability.operations(name.base))
        if not modes:
            raise refusal(40160, f"the capability allows none of the requested modes on {name.base!r}")
        channel = self._channel(name, now_ms)
        self._require_identity(actor, channel)
        if actor.connection_id is None:
            raise ValueError("only an actor with a connection can attach; give Actor.connection_id")
        attachment = Attachment(
            command.channel, channel.log, actor.connection_id, transport, requested, modes, options, echo=echo
        )
        attached, backlog = start(attachment, command.channel_serial, previous, now_ms)
        channel.attachments[(actor.connection_id, command.channel)] = attachment
        if not channel.presence or not includes(modes, Mode.PRESENCE_SUBSCRIBE):
            return attachment, (attached, *backlog)
        pages = sync(command.channel, attached.channel_serial, channel.presence)
        return attachment, (replace(attached, has_presence=True), *backlog, *pages)

    def detach(self, attachment: Attachment) -> None:
        """End an attachment."""
        base = self._name(attachment.channel).base
        self._channels[base].attachments.pop((attachment.connection_id, attachment.channel), None)

    def resync(self, attachment: Attachment, now_ms: int) -> tuple[Send, ...]:
        """Return the members of a channel once more, to whoever may see them and asks (spec RTP19)."""
        if not includes(attachment.modes, Mode.PRESENCE_SUBSCRIBE):
            return ()
        channel = self._channel(self._name(attachment.channel), now_ms)
        pages = sync(attachment.channel, channel.log.mark(now_ms), channel.presence)
        return tuple([Send(attachment.transport, page) for page in pages])

    def modes_under(self, attachment: Attachment, capability: Capability) -> Mode:
        """Return what another capability grants of the modes that an attachment asked for."""
        base = self._name(attachment.channel).base
        return granted_modes(attachment.requested, capability.operations(base))

    # -- publishing -----------------------------------------------------------------------------------------

    def publish(
        self,
        actor: Actor,
        channel: str,
        messages: tuple[Message, ...],
        id_base: str,
        now_ms: int,
        params: Mapping[str, str],
    ) -> Accepted:
        """Check, stamp, order and fan out one publish; it happens as a whole or is refused as a whole."""
        if params.get("_forceNack") == "true":  # spec RSL1l1
            raise refusal(40099, "the publisher asked for this refusal with _forceNack")
        name = self._name(channel)
        operations = actor.grant.capability.operations(name.base)
        if "publish" not in operations:
            raise refusal(40160, f"the capability does not allow publish on {name.base!r}")
        checked = check_publish(messages, self._message_bytes_max)
        claim = user_claim(actor.grant.user_claims, name.base) if actor.grant.user_claims else None
        stamped = tuple(
            [
                _stamp(message, publishing_identity(actor, message.client_id), claim, operations)
                for message in checked.messages
            ]
        )
        target = self._channel(name, now_ms)
        self._require_identity(actor, target)
        self._require_mode(actor, target, channel, Mode.PUBLISH)
        serials, frame = target.log.publish(
            checked._replace(messages=stamped), id_base, actor.connection_id, now_ms
        )
        return Accepted(serials, self._fan_out(target, frame, None) if frame else ())

    def operate(self, actor: Actor, channel: str, operation: Message, id_base: str, now_ms: int) -> Accepted:
        """Check, order and fan out one update, delete or append. The serial returned is the version's."""
        name = self._name(channel)
        gate = OPERATIONS_BY_ACTION.get(operation.action)
        if gate is None:
            raise refusal(40030, f"the action {operation.action.name.lower()} is no operation on a message")
        if not self._rules.rule_for(name.namespace).mutable:
            raise refusal(
                93002, f"the rule of the namespace {name.namespace!r} does not make messages mutable"
            )
        operations = actor.grant.capability.operations(name.base)
        rights = _operation_rights(actor, operations, gate)
        target = self._channel(name, now_ms)
        self._require_identity(actor, target)
        self._require_mode(actor, target, channel, Mode.PUBLISH)
        if not operation.serial:
            raise refusal(40003, "an operation must carry the serial of the message that it changes")
        published_by = target.log.message(operation.serial, now_ms).client_id
        if rights is _Rights.OWN and published_by != actor.identity:
            raise refusal(40160, f"the capability allows {gate} on one's own messages only")
        claim = user_claim(actor.grant.user_claims, name.base) if operation.extras is not None else None
        stamped = _stamp(with_checked_extras(operation), None, claim, operations)
        described = operation.version.client_id if operation.version else None
        operator_id = publishing_identity(actor, described)
        frame, merged = target.log.operate(stamped, operator_id, id_base, actor.connection_id, now_ms)
        version = frame.messages[0].version
        assert version is not None
        return Accepted((version.serial,), self._fan_out(target, frame, merged))

    def _fan_out(self, channel: _Channel, frame: Frame, merged: Message | None) -> tuple[Send, ...]:
        sends: list[Send] = []
        shared: dict[tuple[str, bool], Deliver] = {}
        for attachment in channel.attachments.values():
            if not attachment.wants(frame.connection_id):
                continue
            whole = merged is not None and attachment.needs_whole(frame)
            event = shared.get((attachment.channel, whole))
            if event is None:
                messages = (merged,) if whole and merged is not None else frame.messages
                event = deliver(attachment.channel, frame, messages)
                shared[(attachment.channel, whole)] = event
            sends.append(Send(attachment.transport, event))
        return tuple(sends)

    # -- presence -------------------------------------------------------------------------------------------

    def announce(
        self, actor: Actor, channel: str, messages: Sequence[PresenceMessage], id_base: str, now_ms: int
    ) -> Accepted:
        """Check, stamp and spread presence changes of one connection (spec RTP8); all or none.

        Refusals: 40160 capability, 40165 mode, 91003 too many members, and those of ``stamp_presence``.
        """
        name = self._name(channel)
        if not actor.grant.capability.permits(name.base, "presence"):
            raise refusal(40160, f"the capability does not allow presence on {name.base!r}")
        target = self._channel(name, now_ms)
        self._require_identity(actor, target)
        self._require_mode(actor, target, channel, Mode.PRESENCE)
        claim = user_claim(actor.grant.user_claims, name.base) if actor.grant.user_claims else None
        stamped = stamp_presence(actor, messages, claim, id_base, now_ms, self._message_bytes_max)
        serial = target.log.step(now_ms)
        new = [
            made
            for made, sent in zip(stamped, messages, strict=True)
            if not target.presence.repeats(made, sent.id)
        ]
        changed = target.presence.admit(new, serial)
        return Accepted(
            (None,) * len(stamped), spread(target.attachments.values(), changed, serial, id_base, now_ms)
        )

    def depart(self, connection_id: str, channel: str, now_ms: int) -> Departed:
        """Let all members of one connection leave a channel, in the service's name."""
        target = self._channels.get(self._name(channel).base)
        members = target.presence.of_connection(connection_id) if target else ()
        return Departed(members, self._speak_for(channel, members, PresenceAction.LEAVE, now_ms))

    def restore(self, channel: str, members: tuple[PresenceMessage, ...], now_ms: int) -> tuple[Send, ...]:
        """Let members enter again whose connection came back after they were taken for gone."""
        return self._speak_for(channel, members, PresenceAction.ENTER, now_ms)

    def _speak_for(
        self, channel: str, members: tuple[PresenceMessage, ...], action: PresenceAction, now_ms: int
    ) -> tuple[Send, ...]:
        if not members:
            return ()
        target = self._channel(self._name(channel), now_ms)
        serial = target.log.step(now_ms)
        changed = target.presence.admit(spoken_for(members, action, f"service:{serial}", now_ms), serial)
        return spread(target.attachments.values(), changed, serial, f"service:{serial}", now_ms)

    def present(self, actor: Actor, channel: str, now_ms: int) -> tuple[PresenceMessage, ...]:
        """Return the members of a channel; 40160 without the presence or subscribe capability."""
        name = self._name(channel)
        if not actor.grant.capability.operations(name.base) & {"presence", "subscribe"}:
            raise refusal(40160, f"the capability does not allow presence on {name.base!r}")
        return self._channel(name, now_ms).presence.members

    def presence_history(self, actor: Actor, channel: str, query: HistoryQuery, now_ms: int) -> PresencePage:
        """Return one page of presence changes; 40160 without the history capability."""
        self._readable(actor, channel, now_ms)
        return self._channel(self._name(channel), now_ms).presence.history(query, now_ms)

    def occupancy(self, actor: Actor, channel: str, now_ms: int) -> Occupancy:
        """Return who is on a channel, in numbers; 40160 without the channel-metadata capability."""
        name = self._name(channel)
        if not actor.grant.capability.permits(name.base, "channel-metadata"):
            raise refusal(40160, f"the capability does not allow channel-metadata on {name.base!r}")
        target = self._channel(name, now_ms)
        return occupancy(target.attachments.values(), target.presence.members)

    # -- reading --------------------------------------------------------------------------------------------

    def history(self, actor: Actor, channel: str, query: HistoryQuery, now_ms: int) -> HistoryPage:
        """Return one page of history; 40160 without the history capability."""
        return self._readable(actor, channel, now_ms).page(query, now_ms)

    def message(self, actor: Actor, channel: str, serial: str, now_ms: int) -> Message:
        """Return the latest version of one message."""
        return self._readable(actor, channel, now_ms).message(serial, now_ms)

    def versions(self, actor: Actor, channel: str, serial: str, now_ms: int) -> tuple[Message, ...]:
        """Return the versions of one message, oldest first."""
        return self._readable(actor, channel, now_ms).versions(serial, now_ms)

    def _readable(self, actor: Actor, channel: str, now_ms: int) -> ChannelLog:
        name = self._name(channel)
        if not actor.grant.capability.permits(name.base, "history"):
            raise refusal(40160, f"the capability does not allow history on {name.base!r}")
        found = self._channel(name, now_ms)
        self._require_identity(actor, found)
        return found.log

    # -- channels -------------------------------------------------------------------------------------------

    def _name(self, channel: str) -> ChannelName:
        known = self._names.get(channel)
        if known is None:
            known = parse_channel_name(channel)
            if len(self._names) >= _SWEEP_AT:
                self._names.clear()
            self._names[channel] = known
        return known

    def _channel(self, name: ChannelName, now_ms: int) -> _Channel:
        channel = self._channels.get(name.base)
        if channel is None:
            if len(self._channels) >= self._sweep_at:
                self._sweep(now_ms)
            rule = self._rules.rule_for(name.namespace)
            log = ChannelLog(name.base, rule, self._series, now_ms, self._store)
            channel = self._channels[name.base] = _Channel(name.base, log, self._members_max)
        return channel

    def _sweep(self, now_ms: int) -> None:
        """Forget channels that nobody is attached to and that hold nothing."""
        idle = [
            name
            for name, channel in self._channels.items()
            if not channel.attachments and channel.log.is_idle(now_ms) and channel.presence.is_idle(now_ms)
        ]
        for name in idle:
            del self._channels[name]
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._channels))

    # -- rights ---------------------------------------------------------------------------------------------

    @staticmethod
    def _require_identity(actor: Actor, channel: _Channel) -> None:
        if channel.log.rule.identified_only and actor.client_id is None:
            raise refusal(40161, f"channel {channel.name!r} is for identified clients only")

    @staticmethod
    def _require_mode(actor: Actor, target: _Channel, channel: str, mode: Mode) -> None:
        """Attached without the mode: refused. Not attached at all: publishing is free (spec RTL6c1)."""
        if actor.connection_id is None:
            return
        attachment = target.attachments.get((actor.connection_id, channel))
        if attachment is not None and not includes(attachment.modes, mode):
            raise refusal(
                40165, f"channel {channel!r} was attached without the mode {(mode.name or '').lower()}"
            )


def _stamp(message: Message, client_id: str | None, claim: str | None, operations: frozenset[str]) -> Message:
    """Write the verified identity and role of whoever sends it into a draft or an operation.

    The role replaces nothing: the check before has removed a ``userClaim`` that the publisher wrote.
    """
    if message.extras and "privileged" in message.extras and "privileged-headers" not in operations:
        raise refusal(40160, "extras.privileged needs the privileged-headers capability")
    if claim is None and client_id == message.client_id:
        return message
    extras = message.extras if claim is None else FrozenDict({**(message.extras or {}), "userClaim": claim})
    return Message(
        message.name,
        message.data,
        message.encoding,
        client_id,
        message.id,
        extras,
        serial=message.serial,
        action=message.action,
        version=message.version,
    )


def _operation_rights(actor: Actor, operations: frozenset[str], gate: str) -> _Rights:
    """Refusals: 40160 neither right; 40166 a client without identity owns nothing."""
    if f"{gate}-any" in operations:
        return _Rights.ANY
    if f"{gate}-own" not in operations:
        raise refusal(40160, f"the capability does not allow {gate} here")
    if actor.identity is None:
        raise refusal(40166, f"{gate}-own needs an identified client")
    return _Rights.OWN

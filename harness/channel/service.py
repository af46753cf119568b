"""The service: connections in front of the hub, as one sans-IO object.

Commands go in with the time, finished tuples of effects come out; the caller owns clock, transports and
threads. ``now_ns`` is Unix time in nanoseconds on the service's clock. The caller must call
:meth:`ChannelService.tick` when :meth:`ChannelService.next_deadline_ns` comes; a command that arrives first
does it implicitly, so nothing is ever executed under an expired token. A quiet service without expiring
tokens has no deadlines.

Example::

    service = ChannelService("run 7, first boot", authenticate)
    service.connect(TransportId(1), Connect("alice's token"), now_ns)      # (Send(1, Connected(...)),)
    service.receive(TransportId(1), Attach("room"), now_ns)                # (Send(1, Attached(...)),)
    service.receive(TransportId(1), Publish("room", 0, (Message(name="hi"),)), now_ns)
    # (Send(1, Ack(0, ("...",))), Send(1, Deliver("room", ...)))
    service.drop(TransportId(1), now_ns)                                   # state is kept for two minutes

Owns the lifecycle of connections (Ably spec RTN15, RTN22, RTC8) and the answer to every command. Does not
read tokens (``authenticate`` is injected), order messages (``log``) or authorise (``hub``).
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, assert_never

from harness.channel.commands import (
    Announce,
    Attach,
    Authorise,
    Close,
    Command,
    Connect,
    Detach,
    History,
    Operate,
    Ping,
    Publish,
    Resync,
)
from harness.channel.connections import Connection, ConnectionTable, DeadlineKind, IdMint, Presence
from harness.channel.errors import AuthError, ErrorInfo, RefusalError, error_info, refusal
from harness.channel.events import (
    Ack,
    Attached,
    AuthPrompt,
    ChannelFailed,
    Closed,
    CloseTransport,
    Connected,
    ConnectionFailed,
    Detached,
    Disconnected,
    Effects,
    Heartbeat,
    HistoryAnswered,
    HistoryRefused,
    Nack,
    Send,
    TransportId,
)
from harness.channel.frames import Store, VolatileStore
from harness.channel.grants import ANY_CLIENT, Actor, Authenticate, Grant, assume_identity
from harness.channel.hub import ChannelHub
from harness.channel.messages import MESSAGE_BYTES_MAX
from harness.channel.presence import MEMBERS_MAX
from harness.channel.rules import NS_PER_MS, ChannelRules

_STARTS_ANEW: Final = frozenset({80008, 80018})
"""Refusals of a resume that lead to a new connection (RTN15c7) rather than to a failed one."""


class AckOrder(Enum):
    """Whether a publisher is acknowledged before or after its own echo; the real order is not specified."""

    ACK_FIRST = auto()
    ECHO_FIRST = auto()


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Settings of a service.

    ``series`` names the continuity of serials. Give the same one to every boot over one durable store; by
    default it follows the seed text, so that a rebooted service disowns the serials of its predecessor.
    ``heartbeat_ms`` 0 sends none: a pending day then costs nothing. Prompts: the reference service asks for
    a new token 30 s before the old one expires, and not at all if less than 5.5 s remain.
    ``presence_grace_ms`` is how long a dropped connection's members stay present: 15 s as the specification
    has it (RTP2b1), where the documentation says as long as the state; a resume brings them back.
    """

    series: str | None = None
    state_ttl_ms: int = 120_000
    heartbeat_ms: int = 0
    message_bytes_max: int = MESSAGE_BYTES_MAX
    channels_per_connection_max: int = 200
    members_max: int = MEMBERS_MAX
    presence_grace_ms: int = 15_000
    ack_order: AckOrder = AckOrder.ACK_FIRST
    prompt_before_expiry_ms: int = 30_000
    prompt_remaining_ms_min: int = 5_500
    rules: ChannelRules = field(default_factory=ChannelRules)


class ChannelService:
    """An in-memory channel service. ``seed_text`` decides all ids: use another one for every boot.

    ``hub`` serves callers without a connection (REST): give its methods an :class:`Actor` from
    :meth:`identify`; deliveries it returns are effects like any other.
    """

    def __init__(
        self,
        seed_text: str,
        authenticate: Authenticate,
        options: ServiceOptions | None = None,
        store: Store | None = None,
    ) -> None:
        self.options = options or ServiceOptions()
        self._authenticate = authenticate
        self._mint = IdMint(seed_text)
        self._connections = ConnectionTable()
        self.hub = ChannelHub(
            self.options.series or self._mint.series(),
            self.options.rules,
            store or VolatileStore(),
            self.options.message_bytes_max,
            self.options.members_max,
        )

    def connections(self) -> tuple[Connection, ...]:
        """Return every kept connection, to look at."""
        return self._connections.all()

    def connection_of(self, key: str) -> Connection:
        """Return the connection with this secret key; 40006 if there is none."""
        try:
            return self._connections.by_key(key)
        except RefusalError as refused:
            raise refusal(40006, f"the connection key is not usable: {refused.info.message}") from None

    # -- opening --------------------------------------------------------------------------------------------

    def identify(self, credentials: object, client_id: str | None, now_ns: int) -> Actor:
        """Return who these credentials are, or raise ``RefusalError`` (token errors, 40012, 40102)."""
        now_ms = now_ns // NS_PER_MS
        grant = self._authenticate(credentials, now_ms)
        if grant.expires_ms is not None and grant.expires_ms <= now_ms:
            raise AuthError(error_info(40142, "the token has expired"))
        return Actor(grant, assume_identity(grant, client_id))

    def connect(self, transport: TransportId, command: Connect, now_ns: int) -> Effects:
        """Answer a new transport: Connected, or ConnectionFailed and a closed transport."""
        effects = self._tick_if_due(now_ns)
        if self._connections.on(transport) is not None:
            raise ValueError(
                f"transport {transport} already carries a connection; number transports uniquely"
            )
        key = command.resume or command.recover
        error: ErrorInfo | None = None
        try:
            actor = self.identify(command.credentials, command.client_id, now_ns)
            if key is not None:
                connection = self._connections.by_key(key)
                return effects + self._resume(connection, transport, actor, command, now_ns)
        except RefusalError as refused:
            if refused.info.code not in _STARTS_ANEW:
                return (*effects, Send(transport, ConnectionFailed(refused.info)), CloseTransport(transport))
            error = refused.info
        connection_id, new_key = self._mint.next()
        actor = Actor(actor.grant, actor.client_id, connection_id)
        connection = Connection(connection_id, new_key, actor, transport, echo=command.echo)
        connection.remain_present_ms = command.remain_present_ms
        self._connections.add(connection)
        self._await_live_deadlines(connection, now_ns)
        return (*effects, Send(transport, self._connected(connection, error)))

    def _resume(
        self, connection: Connection, transport: TransportId, actor: Actor, command: Connect, now_ns: int
    ) -> Effects:
        """Continue under the same id (RTN15c6); recovery changes the key (RTN16d), a resume keeps it.

        Delivery waits for new attaches.
        """
        if actor.client_id != connection.actor.client_id:
            raise refusal(40102, "unable to resume: the credentials are those of another client")
        superseded: Effects = ()
        if connection.presence is Presence.LIVE:
            old = connection.transport
            gone = Disconnected(error_info(80016, "a newer transport took over this connection"))
            superseded = (Send(old, gone), CloseTransport(old))
            self._detach_all(connection)
        self._connections.bind(connection, transport)
        if command.resume is None:
            connection.key = self._mint.another_key(connection.id)
        connection.actor = Actor(actor.grant, actor.client_id, connection.id)
        connection.echo = command.echo
        connection.remain_present_ms = command.remain_present_ms
        self._await_live_deadlines(connection, now_ns)
        restored = self._restore(connection, now_ns // NS_PER_MS) if connection.departed else ()
        return (*superseded, Send(transport, self._connected(connection, None)), *restored)

    def _connected(self, connection: Connection, error: ErrorInfo | None) -> Connected:
        return Connected(
            connection.id,
            connection.key,
            connection.actor.client_id,
            self.options.state_ttl_ms,
            self.options.message_bytes_max,
            self.options.heartbeat_ms,
            error,
        )

    # -- time -----------------------------------------------------------------------------------------------

    def next_deadline_ns(self) -> int | None:
        """Return when :meth:`tick` is next needed, ``None`` while nothing is awaited."""
        return self._connections.next_due_ns()

    def tick(self, now_ns: int) -> Effects:
        """Do everything that is due: discard state, prompt for tokens, expire them, send heartbeats."""
        effects: Effects = ()
        while (due := self._connections.pop_due(now_ns)) is not None:
            connection, kind = due
            match kind:
                case DeadlineKind.DISCARD_STATE:
                    self._connections.remove(connection)
                    effects += self._depart(connection, now_ns // NS_PER_MS)
                case DeadlineKind.LEAVE_PRESENCE:
                    effects += self._depart(connection, now_ns // NS_PER_MS)
                case DeadlineKind.PROMPT_FOR_TOKEN:
                    effects += (Send(connection.transport, AuthPrompt()),)
                case DeadlineKind.EXPIRE_TOKEN:
                    effects += self._disconnect(
                        connection, error_info(40142, "the token has expired"), now_ns
                    )
                case DeadlineKind.HEARTBEAT:
                    effects += (Send(connection.transport, Heartbeat()),)
                    next_ns = now_ns + self.options.heartbeat_ms * NS_PER_MS
                    self._connections.schedule(
                        connection, {**connection.deadlines_ns, DeadlineKind.HEARTBEAT: next_ns}
                    )
                case _:
                    assert_never(kind)
        return effects

    def _tick_if_due(self, now_ns: int) -> Effects:
        due_ns = self._connections.next_due_ns()
        return () if due_ns is None or due_ns > now_ns else self.tick(now_ns)

    def _await_live_deadlines(self, connection: Connection, now_ns: int) -> None:
        options = self.options
        deadlines_ns: dict[DeadlineKind, int] = {}
        expires_ms = connection.actor.grant.expires_ms
        if expires_ms is not None:
            expires_ns = expires_ms * NS_PER_MS
            deadlines_ns[DeadlineKind.EXPIRE_TOKEN] = expires_ns
            if expires_ns - now_ns >= options.prompt_remaining_ms_min * NS_PER_MS:
                prompt_ns = expires_ns - options.prompt_before_expiry_ms * NS_PER_MS
                deadlines_ns[DeadlineKind.PROMPT_FOR_TOKEN] = max(now_ns, prompt_ns)
        if options.heartbeat_ms:
            deadlines_ns[DeadlineKind.HEARTBEAT] = now_ns + options.heartbeat_ms * NS_PER_MS
        self._connections.schedule(connection, deadlines_ns)

    # -- ending ---------------------------------------------------------------------------------------------

    def drop(self, transport: TransportId, now_ns: int) -> Effects:
        """Note that the transport is gone without a goodbye; the connection's state is kept for a resume."""
        effects = self._tick_if_due(now_ns)
        connection = self._connections.on(transport)
        if connection is not None:
            self._lose_transport(connection, now_ns)
        return effects

    def disconnect(self, transport: TransportId, now_ns: int, error: ErrorInfo | None = None) -> Effects:
        """Ask the client to reconnect, from the service's side (RTN15h3); its state is kept."""
        connection = self._connections.on(transport)
        if connection is None:
            return ()
        return self._disconnect(
            connection, error or error_info(80003, "the service asks to reconnect"), now_ns
        )

    def forget(self, connection_id: str, now_ns: int = 0) -> Effects:
        """Lose a connection's state, as a crashed front end would; its transport is closed without a word."""
        connection = self._connections.get(connection_id)
        if connection is None:
            return ()
        self._detach_all(connection)
        self._connections.remove(connection)
        left = self._depart(connection, now_ns // NS_PER_MS)
        live = connection.presence is Presence.LIVE
        return (CloseTransport(connection.transport), *left) if live else left

    def fail(self, transport: TransportId, error: ErrorInfo, now_ns: int) -> Effects:
        """End a connection for good, as its client broke the rules of the protocol."""
        connection = self._connections.on(transport)
        if connection is None:
            return ()
        closed = self.forget(connection.id, now_ns)
        return (Send(transport, ConnectionFailed(error)), *closed)

    def _disconnect(self, connection: Connection, error: ErrorInfo, now_ns: int) -> Effects:
        transport = connection.transport
        self._lose_transport(connection, now_ns)
        return (Send(transport, Disconnected(error)), CloseTransport(transport))

    def _lose_transport(self, connection: Connection, now_ns: int) -> None:
        self._detach_all(connection)
        self._connections.unbind(connection)
        deadlines_ns = {DeadlineKind.DISCARD_STATE: now_ns + self.options.state_ttl_ms * NS_PER_MS}
        if connection.entered:
            asked_ms = connection.remain_present_ms
            grace_ms = self.options.presence_grace_ms if asked_ms is None else asked_ms
            leave_ns = now_ns + min(grace_ms, self.options.state_ttl_ms) * NS_PER_MS
            deadlines_ns[DeadlineKind.LEAVE_PRESENCE] = leave_ns
        self._connections.schedule(connection, deadlines_ns)

    def _depart(self, connection: Connection, now_ms: int) -> Effects:
        """Announce that the members of a connection left, on all channels where it has any."""
        effects: Effects = ()
        for channel in connection.entered:
            departed = self.hub.depart(connection.id, channel, now_ms)
            effects += departed.deliveries
            if departed.members:
                connection.departed[channel] = departed.members
        connection.entered.clear()
        return effects

    def _restore(self, connection: Connection, now_ms: int) -> Effects:
        """Undo :meth:`_depart` for a connection that came back."""
        effects: Effects = ()
        for channel, members in connection.departed.items():
            effects += self.hub.restore(channel, members, now_ms)
            connection.entered[channel] = None
        connection.departed.clear()
        return effects

    def _detach_all(self, connection: Connection) -> None:
        for attachment in connection.attachments.values():
            self.hub.detach(attachment)
        connection.attachments.clear()

    # -- commands -------------------------------------------------------------------------------------------

    def receive(self, transport: TransportId, command: Command, now_ns: int) -> Effects:
        """Execute a command; one from a transport that carries no connection (any more) is ignored."""
        effects = self._tick_if_due(now_ns)
        connection = self._connections.on(transport)
        if connection is None:
            return effects
        now_ms = now_ns // NS_PER_MS
        answer: Effects
        match command:
            case Publish() | Operate() | Announce():
                answer = self._publish(connection, command, now_ms)
            case Attach():
                answer = self._attach(connection, command, now_ms)
            case Detach():
                answer = self._detach(connection, command, now_ms)
            case Resync():
                attachment = connection.attachments.get(command.channel)
                answer = () if attachment is None else self.hub.resync(attachment, now_ms)
            case History():
                answer = (self._history(connection, command, now_ms),)
            case Authorise():
                answer = self._authorise(connection, command, now_ns)
            case Ping():
                answer = (Send(transport, Heartbeat(command.id)),)
            case Close():
                self._detach_all(connection)
                self._connections.remove(connection)
                left = self._depart(connection, now_ms)
                answer = (Send(transport, Closed()), CloseTransport(transport), *left)
            case _:
                assert_never(command)
        return effects + answer if effects else answer

    def _publish(self, connection: Connection, command: Publish | Operate | Announce, now_ms: int) -> Effects:
        transport, msg_serial = connection.transport, command.msg_serial
        count = 1 if isinstance(command, Operate) else len(command.messages)
        known = connection.answers.find(msg_serial, count)
        if known is not None:
            return (Send(transport, known),)
        id_base = f"{connection.id}:{msg_serial}"
        answer: Ack | Nack
        deliveries: tuple[Send, ...] = ()
        try:
            if isinstance(command, Announce):
                accepted = self.hub.announce(
                    connection.actor, command.channel, command.messages, id_base, now_ms
                )
                connection.entered[command.channel] = None
            elif isinstance(command, Publish):
                accepted = self.hub.publish(
                    connection.actor, command.channel, command.messages, id_base, now_ms, command.params
                )
            else:
                accepted = self.hub.operate(
                    connection.actor, command.channel, command.message, id_base, now_ms
                )
        except RefusalError as refused:
            answer = Nack(msg_serial, refused.info)
        else:
            answer, deliveries = Ack(msg_serial, accepted.serials), accepted.deliveries
        connection.answers.remember(answer, now_ms)
        if self.options.ack_order is AckOrder.ACK_FIRST:
            return (Send(transport, answer), *deliveries)
        return (*deliveries, Send(transport, answer))

    def _attach(self, connection: Connection, command: Attach, now_ms: int) -> Effects:
        transport = connection.transport
        previous = connection.attachments.get(command.channel)
        try:
            if previous is None and len(connection.attachments) >= self.options.channels_per_connection_max:
                raise refusal(
                    90010, f"the connection has {len(connection.attachments)} channels, the most it may"
                )
            attachment, events = self.hub.attach(
                connection.actor, command, transport, previous, now_ms, echo=connection.echo
            )
        except RefusalError as refused:
            if previous is not None:
                self.hub.detach(previous)
                del connection.attachments[command.channel]
            return (Send(transport, ChannelFailed(command.channel, refused.info)),)
        connection.attachments[command.channel] = attachment
        return tuple([Send(transport, event) for event in events])

    def _detach(self, connection: Connection, command: Detach, now_ms: int) -> Effects:
        """Answered with Detached even if the channel was not attached."""
        attachment = connection.attachments.pop(command.channel, None)
        if attachment is not None:
            self.hub.detach(attachment)
        left: Effects = ()
        if command.channel in connection.entered:
            del connection.entered[command.channel]
            left = self.hub.depart(connection.id, command.channel, now_ms).deliveries
        return (Send(connection.transport, Detached(command.channel)), *left)

    def _history(self, connection: Connection, command: History, now_ms: int) -> Send:
        try:
            page = self.hub.history(connection.actor, command.channel, command.query, now_ms)
        except RefusalError as refused:
            return Send(connection.transport, HistoryRefused(command.request_id, refused.info))
        return Send(connection.transport, HistoryAnswered(command.request_id, page))

    def _authorise(self, connection: Connection, command: Authorise, now_ns: int) -> Effects:
        """Re-authenticate in place (RTC8a): Connected with the same id, or the end of the connection.

        Channels that the new token allows nothing on fail with 40160; those it allows less on are told so.
        """
        transport = connection.transport
        try:
            identified = self.identify(command.credentials, None, now_ns)
            client_id = _continuing_identity(connection.actor, identified.grant)
        except RefusalError as refused:
            failed: Effects = (Send(transport, ConnectionFailed(refused.info)), CloseTransport(transport))
            self._lose_transport(connection, now_ns)
            if not refused.info.is_token_error:
                self._connections.remove(connection)
            return failed
        connection.actor = Actor(identified.grant, client_id, connection.id)
        self._await_live_deadlines(connection, now_ns)
        connected = Send(transport, self._connected(connection, None))
        return (connected, *self._grant_anew(connection, identified.grant, now_ns // NS_PER_MS))

    def _grant_anew(self, connection: Connection, grant: Grant, now_ms: int) -> Effects:
        """Grant more or less on every channel; one that only now may be read was not continuous."""
        effects: Effects = ()
        for channel, attachment in tuple(connection.attachments.items()):
            modes = self.hub.modes_under(attachment, grant.capability)
            if modes == attachment.modes:
                continue
            told: Attached | ChannelFailed
            if modes:
                was_read = attachment.subscribes
                attachment.grant(modes)
                serial, applied = attachment.log.mark(now_ms), attachment.options.applied
                resumed, has_backlog = was_read or not attachment.subscribes, False
                told = Attached(channel, serial, modes, applied, resumed, has_backlog, None)
            else:
                self.hub.detach(attachment)
                del connection.attachments[channel]
                told = ChannelFailed(
                    channel, error_info(40160, "the new token allows nothing on this channel")
                )
            effects += (Send(connection.transport, told),)
        return effects


def _continuing_identity(actor: Actor, grant: Grant) -> str | None:
    """Return the connection's client id, which never changes: 40102 for another client's token (RSA15)."""
    if grant.client_id == actor.client_id or (grant.client_id == ANY_CLIENT and actor.identity is not None):
        return actor.client_id
    raise refusal(40102, "the new token is that of another client; open a new connection for it")

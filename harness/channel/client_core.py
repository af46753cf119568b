"""How a client reacts: to events of the service, to lost transports and to time.

Owns the consequences of every state change (Ably spec RTN14, RTN15, RTN19, RTL3, RTL4, RTL13) and all
deadlines. The invariant: ``_out`` is empty between calls, and each token issued is settled exactly once.
Does not offer anything to ask for; ``client`` does.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from harness.channel.client_channels import ClientChannel
from harness.channel.client_effects import (
    ClientEffect,
    ClientEffects,
    ConnectionChanged,
    DiscardTransport,
    OpenTransport,
    Rejected,
    Resolved,
    Result,
    SendCommand,
    SetTimer,
    Token,
    TokenNeeded,
)
from harness.channel.client_options import ClientOptions
from harness.channel.client_outbox import Outbox
from harness.channel.client_states import (
    CONNECTION_TRANSITIONS,
    ChannelInput,
    ChannelState,
    ConnectionInput,
    ConnectionState,
)
from harness.channel.client_timers import ClientTimers, TimerKind
from harness.channel.commands import Command, Connect, Detach, History, Ping
from harness.channel.errors import ErrorInfo, error_info
from harness.channel.events import (
    Ack,
    Attached,
    AuthPrompt,
    ChannelFailed,
    Closed,
    Connected,
    ConnectionFailed,
    Deliver,
    Detached,
    Disconnected,
    Event,
    Heartbeat,
    HistoryAnswered,
    HistoryRefused,
    Nack,
    PresenceChanged,
    PresenceSync,
)
from harness.channel.grants import ANY_CLIENT
from harness.channel.rules import NS_PER_MS

_GIVING_UP: Final = {
    ConnectionState.SUSPENDED: (ChannelInput.CONNECTION_SUSPENDED, 80002, "the connection is suspended"),
    ConnectionState.CLOSED: (ChannelInput.CONNECTION_CLOSED, 80017, "the connection was closed by its user"),
    ConnectionState.FAILED: (ChannelInput.CONNECTION_FAILED, 80000, "the connection failed"),
}
"""What giving up a connection means for its channels (RTL3) and to those who wait."""


class ClientCore:
    """The reacting half of :class:`~harness.channel.client.ChannelClient`."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._credentials = options.credentials
        self._out: list[ClientEffect] = []
        self._state = ConnectionState.INITIALIZED
        self._attempt = 0
        self._last_token = 0
        self._connection_id: str | None = None
        self._connection_key: str | None = None
        self._client_id: str | None = None
        self._state_ttl_ns = options.state_ttl_ns
        self._silence_max_ns = 0
        self._outbox = Outbox()
        self._requests: dict[Token, History | Ping] = {}
        self._authorising: list[Token] = []
        self._channels: dict[str, ClientChannel] = {}
        self._timers = ClientTimers()
        self._timer_ns: int | None = None
        self._was_suspended = False

    # -- what it knows --------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """The connection's state."""
        return self._state

    @property
    def connection_id(self) -> str | None:
        """The connection's id while there is one."""
        return self._connection_id

    @property
    def client_id(self) -> str | None:
        """The identity that the service confirmed; ``"*"`` may take any."""
        return self._client_id

    def channel_state(self, channel: str) -> ChannelState:
        """Return the state of a channel, also of one never touched."""
        known = self._channels.get(channel)
        return known.state if known else ChannelState.INITIALIZED

    # -- what happens to it ---------------------------------------------------------------------------------

    def transport_lost(self, attempt: int, now_ns: int) -> ClientEffects:
        """Note that the transport of ``attempt`` is gone or could not be opened."""
        if attempt == self._attempt and self._has_transport():
            self._lose(error_info(80003, "the connection was lost"), now_ns)
        return self._flush()

    def received(self, attempt: int, event: Event, now_ns: int) -> ClientEffects:
        """Take in an event of the service."""
        if attempt != self._attempt or not self._has_transport():
            return ()
        if self._silence_max_ns:
            self._timers.start(TimerKind.IDLE, now_ns + self._silence_max_ns)
        self._take_in(event, now_ns)
        return self._flush()

    def tick(self, now_ns: int) -> ClientEffects:
        """Do what is due; safe to call at any time."""
        while (due := self._timers.pop_due(now_ns)) is not None:
            self._expire(*due, now_ns)
        return self._flush()

    def _take_in(self, event: Event, now_ns: int) -> None:
        match event:
            case Deliver():
                if (found := self._channels.get(event.channel)) is not None:
                    self._out += found.deliveries(event)
            case Ack() | Nack() | HistoryAnswered() | HistoryRefused() | Heartbeat():
                self._take_in_answer(event)
            case Attached() | Detached() | ChannelFailed():
                self._take_in_for_channel(event, now_ns)
            case AuthPrompt():
                if self._options.can_renew:
                    self._out.append(TokenNeeded(None))
            case Connected() | Disconnected() | ConnectionFailed() | Closed():
                self._take_in_for_connection(event, now_ns)
            case PresenceChanged() | PresenceSync():
                pass  # a client of the message tier shows nobody who is present
            case _:
                assert_never(event)

    def _take_in_answer(self, event: Ack | Nack | HistoryAnswered | HistoryRefused | Heartbeat) -> None:
        match event:
            case Ack():
                self._settle(self._outbox.answered(event.msg_serial), event.serials)
            case Nack():
                self._settle(self._outbox.answered(event.msg_serial), event.error)
            case HistoryAnswered():
                self._settle_request(Token(event.request_id), event.page)
            case HistoryRefused():
                self._settle_request(Token(event.request_id), event.error)
            case Heartbeat():
                if event.id is not None and event.id.isdecimal():
                    self._settle_request(Token(int(event.id)), None)

    def _take_in_for_connection(
        self, event: Connected | Disconnected | ConnectionFailed | Closed, now_ns: int
    ) -> None:
        match event:
            case Connected():
                self._established(event, now_ns)
            case Closed():
                if self._move(ConnectionInput.CLOSE_DONE):
                    self._give_up_connection(None)
            case Disconnected() | ConnectionFailed():
                if self._state is ConnectionState.CLOSING:
                    self._lose(event.error, now_ns)
                elif event.error.is_token_error:
                    self._token_refused(event.error, now_ns)
                elif isinstance(event, Disconnected):
                    self._lose(event.error, now_ns)  # RTN15h3: reconnects at once
                else:
                    self._out.append(DiscardTransport(self._attempt))
                    self._move(ConnectionInput.REFUSED, event.error)
                    self._give_up_connection(event.error)

    def _take_in_for_channel(self, event: Attached | Detached | ChannelFailed, now_ns: int) -> None:
        found = self._channels.get(event.channel)
        if found is None:
            return
        self._cancel_channel_timers(found)
        match event:
            case Attached():
                self._out += found.attached(event)
                if found.state is ChannelState.ATTACHED:
                    found.last_attached = event
                    self._resolve(found.attach_tokens, event)
                    found.attach_tokens = []
                elif found.state is ChannelState.DETACHING:
                    self._await_channel(found, now_ns)
                elif found.state is ChannelState.DETACHED:
                    self._send(Detach(found.name))  # RTL5k
            case ChannelFailed():
                self._out += found.apply(ChannelInput.REFUSED, event.error)
                self._reject(found.take_tokens(), event.error)
            case Detached():
                self._detached(found, event, now_ns)

    # -- the connection -------------------------------------------------------------------------------------

    def _has_transport(self) -> bool:
        return self._state in (ConnectionState.CONNECTING, ConnectionState.CONNECTED, ConnectionState.CLOSING)

    def _move(self, cause: ConnectionInput, reason: ErrorInfo | None = None) -> bool:
        """Move by the table and return whether the state changed."""
        previous, self._state = self._state, CONNECTION_TRANSITIONS[(self._state, cause)]
        if previous is self._state:
            return False
        self._out.append(ConnectionChanged(previous, self._state, reason))
        return True

    def _start(self, now_ns: int) -> None:
        """Connect if not connected or about to be; a connection that is being closed is closed first."""
        if self._state is ConnectionState.CLOSING:
            self._out.append(DiscardTransport(self._attempt))
            self._move(ConnectionInput.CLOSE_DONE)
            self._give_up_connection(None)
        if self._move(ConnectionInput.CONNECT_ASKED):
            self._open(now_ns)

    def _open(self, now_ns: int) -> None:
        """Start an attempt, asking to resume if there is anything to resume.

        A key older than the service keeps state is sent too (RTN14h, protocol 6.1): the service decides.
        """
        self._attempt += 1
        self._timers.cancel(TimerKind.RETRY)
        self._timers.cancel(TimerKind.CLOSE)
        self._timers.start(TimerKind.ATTEMPT, now_ns + self._options.connect_timeout_ns)
        if self._state is ConnectionState.CONNECTING and not self._was_suspended:
            self._timers.start_once(TimerKind.SUSPEND, now_ns + self._state_ttl_ns)
        connect = Connect(
            self._credentials, self._options.client_id, self._connection_key, echo=self._options.echo
        )
        self._out.append(OpenTransport(self._attempt, connect))

    def _established(self, event: Connected, now_ns: int) -> None:
        """Take in CONNECTED: the answer to an attempt, or to new credentials on a standing connection."""
        own = self._options.client_id
        if own is not None and event.client_id not in (own, ANY_CLIENT):  # RSA15c
            error = error_info(40102, f"the service knows this client as {event.client_id!r}, not {own!r}")
            self._out.append(DiscardTransport(self._attempt))
            self._move(ConnectionInput.REFUSED, error)
            self._give_up_connection(error)
            return
        resumed = event.connection_id == self._connection_id
        self._connection_id, self._connection_key = event.connection_id, event.connection_key
        self._client_id = event.client_id
        self._state_ttl_ns = event.state_ttl_ms * NS_PER_MS
        self._silence_max_ns = 0
        if event.heartbeat_ms:  # RTN23a
            self._silence_max_ns = event.heartbeat_ms * NS_PER_MS + self._options.request_timeout_ns
            self._timers.start(TimerKind.IDLE, now_ns + self._silence_max_ns)
        changed = self._move(ConnectionInput.ESTABLISHED, event.error)
        if changed:
            self._timers.cancel(TimerKind.ATTEMPT)
            self._timers.cancel(TimerKind.SUSPEND)
            self._was_suspended = False
            self._restore(now_ns, resumed=resumed)
        else:
            self._out.append(ConnectionChanged(self._state, self._state, event.error))
        self._resolve(self._authorising, None)
        self._authorising = []

    def _restore(self, now_ns: int, *, resumed: bool) -> None:
        """Put everything back on a new transport: unanswered frames, queued ones, channels, requests."""
        if not resumed:
            self._outbox.renumber()  # RTN15c7
        for command in self._outbox.resend():
            self._send(command)  # RTN19a
        for command in self._outbox.send_queued():
            self._send(command)
        for channel in self._channels.values():
            self._out += channel.apply(ChannelInput.CONNECTION_READY)
            if channel.state is ChannelState.ATTACHING:
                self._timers.cancel(TimerKind.CHANNEL_RETRY, channel.name)
                self._send_attach(channel, now_ns)
            elif channel.state is ChannelState.DETACHING:
                self._send_detach(channel, now_ns)  # RTN19b
        for request in self._requests.values():
            self._send(request)

    def _lose(self, error: ErrorInfo, now_ns: int) -> None:
        """Go on without the transport: reconnect at once from CONNECTED (RTN15a), later from CONNECTING."""
        before = self._state
        self._out.append(DiscardTransport(self._attempt))
        self._timers.cancel(TimerKind.ATTEMPT)
        self._timers.cancel(TimerKind.IDLE)
        self._stop_waiting_for_channels()
        if before is ConnectionState.CONNECTING and self._was_suspended:
            self._back_to_suspended(error, now_ns)
            return
        self._move(ConnectionInput.LOST, error)
        if self._state is ConnectionState.CLOSED:
            self._give_up_connection(None)
            return
        self._timers.start_once(TimerKind.SUSPEND, now_ns + self._state_ttl_ns)
        if before is ConnectionState.CONNECTED:
            self._move(ConnectionInput.RETRY_DUE)
            self._open(now_ns)
        else:
            self._timers.start(TimerKind.RETRY, now_ns + self._options.disconnected_retry_ns)

    def _token_refused(self, error: ErrorInfo, now_ns: int) -> None:
        """Renew and reconnect (RTN15h2, RTN14b), or fail if that is impossible (RTN15h1)."""
        self._out.append(DiscardTransport(self._attempt))
        self._reject(self._authorising, error)
        self._authorising = []
        if not self._options.can_renew:
            failure = error_info(40171, f"no way to renew the token, which was refused: {error.message}")
            self._move(ConnectionInput.REFUSED, failure)
            self._give_up_connection(failure)
            return
        for kind in (TimerKind.ATTEMPT, TimerKind.IDLE):
            self._timers.cancel(kind)
        self._stop_waiting_for_channels()
        if self._was_suspended:
            self._back_to_suspended(error, now_ns)
        else:
            self._move(ConnectionInput.LOST, error)
            self._timers.start_once(TimerKind.SUSPEND, now_ns + self._state_ttl_ns)
        self._out.append(TokenNeeded(error))

    def _give_up_connection(self, reason: ErrorInfo | None) -> None:
        """Settle everything on SUSPENDED, CLOSED or FAILED (RTN7e, RTL3); the last two end the connection."""
        cause, code, text = _GIVING_UP[self._state]
        error = reason or error_info(code, text)
        for token, sent in self._outbox.abandon():
            self._settle_lost(token, error, sent=sent)
        for token in tuple(self._requests):
            self._settle_request(token, error)
        self._reject(self._authorising, error)
        self._authorising = []
        for channel in self._channels.values():
            self._out += channel.apply(cause, reason)
            self._cancel_channel_timers(channel)
            self._reject(channel.take_tokens(), error)
        if self._state is not ConnectionState.SUSPENDED:
            self._connection_id = self._connection_key = None  # RTN8c, RTN9c
            self._was_suspended = False
            self._timers.clear()

    # -- channels -------------------------------------------------------------------------------------------

    def _channel(self, name: str) -> ClientChannel:
        found = self._channels.get(name)
        if found is None:
            found = self._channels[name] = ClientChannel(name)
        return found

    def _send_attach(self, channel: ClientChannel, now_ns: int) -> None:
        if self._state is ConnectionState.CONNECTED:
            self._send(channel.attach_command())
            self._await_channel(channel, now_ns)

    def _send_detach(self, channel: ClientChannel, now_ns: int) -> None:
        self._send(Detach(channel.name))
        self._await_channel(channel, now_ns)

    def _await_channel(self, channel: ClientChannel, now_ns: int) -> None:
        self._timers.cancel(TimerKind.CHANNEL_RETRY, channel.name)
        self._timers.start(TimerKind.CHANNEL_ANSWER, now_ns + self._options.request_timeout_ns, channel.name)

    def _cancel_channel_timers(self, channel: ClientChannel) -> None:
        self._timers.cancel(TimerKind.CHANNEL_ANSWER, channel.name)
        self._timers.cancel(TimerKind.CHANNEL_RETRY, channel.name)

    def _stop_waiting_for_channels(self) -> None:
        """Without a transport no channel can answer in time; the wait begins anew when it is asked again."""
        for name in self._channels:
            self._timers.cancel(TimerKind.CHANNEL_ANSWER, name)

    def _detached(self, channel: ClientChannel, event: Detached, now_ns: int) -> None:
        asked = channel.state is ChannelState.DETACHING
        self._out += channel.apply(ChannelInput.DETACHED, event.error)
        if asked:
            self._resolve(channel.detach_tokens, None)
            channel.detach_tokens = []
            if channel.wants_attach:  # asked for while detaching (RTL4h)
                self._out += channel.apply(ChannelInput.ATTACH_ASKED)
        elif channel.state is ChannelState.SUSPENDED:
            error = event.error or error_info(
                90000, f"the service refused to attach {channel.name!r} for now"
            )
            self._reject(channel.attach_tokens, error)
            channel.attach_tokens = []
            self._timers.start(TimerKind.CHANNEL_RETRY, now_ns + self._options.channel_retry_ns, channel.name)
        if channel.state is ChannelState.ATTACHING:
            self._send_attach(channel, now_ns)

    # -- time -----------------------------------------------------------------------------------------------

    def _expire(self, kind: TimerKind, subject: str | int, now_ns: int) -> None:
        match kind:
            case TimerKind.ATTEMPT:
                self._lose(error_info(50003, "the service did not answer the attempt to connect"), now_ns)
            case TimerKind.IDLE:
                self._lose(error_info(80003, "the service fell silent"), now_ns)
            case TimerKind.RETRY:
                self._move(ConnectionInput.RETRY_DUE)
                self._open(now_ns)
            case TimerKind.SUSPEND:
                self._suspend(now_ns)
            case TimerKind.CLOSE:
                self._out.append(DiscardTransport(self._attempt))
                self._move(ConnectionInput.CLOSE_DONE)
                self._give_up_connection(None)
            case TimerKind.CHANNEL_ANSWER:
                self._channel_unanswered(self._channels[str(subject)], now_ns)
            case TimerKind.CHANNEL_RETRY:
                channel = self._channels[str(subject)]
                self._out += channel.apply(ChannelInput.RETRY_DUE)
                self._send_attach(channel, now_ns)
            case TimerKind.REQUEST:
                self._give_up_request(Token(int(subject)))

    def _suspend(self, now_ns: int) -> None:
        """Stop believing in the connection's state after its time to live (RTN14e)."""
        if self._state is ConnectionState.CONNECTING:
            self._out.append(DiscardTransport(self._attempt))
            self._timers.cancel(TimerKind.ATTEMPT)
        self._was_suspended = True
        self._back_to_suspended(error_info(80002, "the connection could not be restored in time"), now_ns)

    def _back_to_suspended(self, error: ErrorInfo, now_ns: int) -> None:
        self._move(ConnectionInput.TOO_LATE, error)
        self._give_up_connection(error)
        self._timers.start(TimerKind.RETRY, now_ns + self._options.suspended_retry_ns)

    def _channel_unanswered(self, channel: ClientChannel, now_ns: int) -> None:
        error = error_info(90007, f"the service did not answer for channel {channel.name!r}")
        self._out += channel.apply(ChannelInput.TIMED_OUT, error)
        self._reject(channel.take_tokens(), error)
        if channel.state is ChannelState.SUSPENDED:
            self._timers.start(TimerKind.CHANNEL_RETRY, now_ns + self._options.channel_retry_ns, channel.name)

    def _give_up_request(self, token: Token) -> None:
        error = error_info(50003, "the service did not answer in time")
        if token in self._requests:
            self._settle_request(token, error)
        else:
            self._settle_lost(token, error, sent=self._outbox.give_up(token))

    # -- tokens and output ----------------------------------------------------------------------------------

    def _issue(self) -> Token:
        self._last_token += 1
        return Token(self._last_token)

    def _send(self, command: Command) -> None:
        self._out.append(SendCommand(self._attempt, command))

    def _settle(self, token: Token | None, answer: Result | ErrorInfo) -> None:
        """Resolve or reject one token by the service's answer; ``None`` was settled before."""
        if token is None:
            return
        self._timers.cancel(TimerKind.REQUEST, token)
        if isinstance(answer, ErrorInfo):
            self._out.append(Rejected(token, answer, may_have_happened=False))
        else:
            self._out.append(Resolved(token, answer))

    def _settle_lost(self, token: Token, error: ErrorInfo, *, sent: bool) -> None:
        self._timers.cancel(TimerKind.REQUEST, token)
        self._out.append(Rejected(token, error, may_have_happened=sent))

    def _settle_request(self, token: Token, answer: Result | ErrorInfo) -> None:
        if self._requests.pop(token, None) is not None:
            self._settle(token, answer)

    def _resolve(self, tokens: Iterable[Token], result: Result) -> None:
        self._out += [Resolved(token, result) for token in tokens]

    def _reject(self, tokens: Iterable[Token], error: ErrorInfo) -> None:
        self._out += [Rejected(token, error, may_have_happened=False) for token in tokens]

    def _flush(self) -> ClientEffects:
        if self._timers.changed:
            self._timers.changed = False
            at_ns = self._timers.nearest_ns
            if at_ns != self._timer_ns:
                self._timer_ns = at_ns
                self._out.append(SetTimer(at_ns))
        effects, self._out = tuple(self._out), []
        return effects

"""A sans-IO client of the channel service, with the care of a real SDK: the other end of a transport.

A shell owns transports, clock and waiting; the client decides. Every method takes ``now_ns`` (integer
nanoseconds on any axis that never steps back) and returns effects to carry out in order. Each thing asked
for has a token, which exactly one ``Resolved`` or ``Rejected`` settles. Example, one publish from nothing::

    client = ChannelClient(ClientOptions(credentials="alice's token"))
    client.connect(now)          # ConnectionChanged(.. CONNECTING), OpenTransport(1, Connect(..)), SetTimer
                                 # shell: opens a pipe, passes Connect to the service, carries the answer back
    client.received(1, Connected(..), now)                   # ConnectionChanged(.. CONNECTED), SetTimer(None)
    token, effects = client.publish("room", (message,), now) # SendCommand(1, Publish(..))
    client.received(1, Ack(0, ("..",)), now)                 # Resolved(token, ("..",))
    client.transport_lost(1, now)            # .. CONNECTING, OpenTransport(2, Connect(resume=..))

The shell needs five calls: ``received``, ``transport_lost`` (also when opening fails), ``tick`` when
``SetTimer`` says so, and ``authorise`` or ``renewal_failed`` after ``TokenNeeded``. All effects of one call
are carried out before anything that they lead to is fed back in, else an older timer would replace a newer
one. Events of an older attempt are ignored.

Owns the order of things after a reconnect (Ably spec RTN15, RTN19, RTL3d) and every deadline. It does not
repeat a publish that was answered, nor invent ids: a publish that is renumbered after a failed resume can
arrive twice, unless its messages carry an id (RSL1k), exactly as with the real SDKs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from harness.channel.client_core import ClientCore
from harness.channel.client_effects import (
    ClientEffects,
    ConnectionChanged,
    DiscardTransport,
    Issued,
    Rejected,
    Resolved,
    Token,
)
from harness.channel.client_states import (
    QUEUEING_STATES,
    ChannelInput,
    ChannelState,
    ConnectionInput,
    ConnectionState,
)
from harness.channel.client_timers import TimerKind
from harness.channel.commands import Authorise, Close, History, Operate, Ping, Publish
from harness.channel.errors import ErrorInfo, error_info
from harness.channel.history import HistoryQuery
from harness.channel.messages import Message
from harness.channel.modes import Mode
from harness.channel.names import NO_PARAMS

UNUSABLE: Final = {
    ConnectionState.SUSPENDED: (80002, "the connection is suspended; it keeps trying, ask again later"),
    ConnectionState.CLOSING: (80017, "the connection is being closed; connect again first"),
    ConnectionState.CLOSED: (80017, "the connection is closed; connect again first"),
    ConnectionState.FAILED: (80000, "the connection has failed; connect again with other credentials"),
}
"""What is told to whoever asks for something that can not be sent and will not wait."""


class ChannelClient(ClientCore):
    """One client; see the module for how to drive it."""

    # -- what is asked of it --------------------------------------------------------------------------------

    def connect(self, now_ns: int) -> ClientEffects:
        """Connect, unless that is done or under way."""
        self._start(now_ns)
        return self._flush()

    def close(self, now_ns: int) -> ClientEffects:
        """End the connection; the service discards its state (RTN12)."""
        before = self._state
        self._move(ConnectionInput.CLOSE_ASKED)
        if self._state is ConnectionState.CLOSING and before is ConnectionState.CONNECTED:
            self._send(Close())
            self._timers.start(TimerKind.CLOSE, now_ns + self._options.request_timeout_ns)
        elif self._state is ConnectionState.CLOSED and before is not ConnectionState.CLOSED:
            if before is ConnectionState.CONNECTING:
                self._out.append(DiscardTransport(self._attempt))
            self._give_up_connection(None)
        return self._flush()

    def attach(
        self, channel: str, now_ns: int, params: Mapping[str, str] = NO_PARAMS, modes: Mode | None = None
    ) -> Issued:
        """Attach; resolves with the :class:`Attached` event. Parameters count from the next ATTACH on."""
        token, found = self._issue(), self._channel(channel)
        if not self._can_wait_or_send(token):
            return Issued(token, self._flush())
        if found.state is ChannelState.ATTACHED:
            self._out.append(Resolved(token, found.last_attached))
            return Issued(token, self._flush())
        found.params, found.modes = params, modes
        found.attach_tokens.append(token)
        found.wants_attach = True
        asked_before = found.state in (ChannelState.ATTACHING, ChannelState.DETACHING)
        self._out += found.apply(ChannelInput.ATTACH_ASKED)
        self._timers.cancel(TimerKind.CHANNEL_RETRY, channel)
        if not asked_before:
            self._send_attach(found, now_ns)
        return Issued(token, self._flush())

    def detach(self, channel: str, now_ns: int) -> Issued:
        """Detach; resolves when the service confirms, at once if there is nothing to leave."""
        token, found = self._issue(), self._channel(channel)
        found.wants_attach = False
        error = error_info(90000, f"channel {channel!r} was detached before its attach was done")
        self._reject(found.attach_tokens, error)
        found.attach_tokens = []
        asked_before = found.state is ChannelState.DETACHING
        self._out += found.apply(ChannelInput.DETACH_ASKED)
        if found.state is ChannelState.DETACHING and self._state is ConnectionState.CONNECTED:
            found.detach_tokens.append(token)
            if not asked_before:
                self._send_detach(found, now_ns)
        elif found.state is ChannelState.DETACHING:
            self._out += found.apply(ChannelInput.DETACHED)
            self._out.append(Resolved(token, None))
        elif found.state is ChannelState.FAILED:
            self._out.append(Rejected(token, self._channel_unusable(channel), may_have_happened=False))
        else:
            self._cancel_channel_timers(found)
            self._out.append(Resolved(token, None))
        return Issued(token, self._flush())

    def publish(
        self, channel: str, messages: tuple[Message, ...], now_ns: int, params: Mapping[str, str] = NO_PARAMS
    ) -> Issued:
        """Publish as one atomic frame; resolves with the serials. Needs no attach (RTL6c1)."""
        return self._post(Publish(channel, 0, messages, params), now_ns)

    def operate(self, channel: str, message: Message, now_ns: int) -> Issued:
        """Update, delete or append; resolves with the version serial."""
        return self._post(Operate(channel, 0, message), now_ns)

    def history(
        self, channel: str, query: HistoryQuery, now_ns: int, *, until_attach: bool = False
    ) -> Issued:
        """Read one page; resolves with it. ``until_attach`` ends where delivery on this attachment began."""
        token = self._issue()
        found = self._channels.get(channel)
        if until_attach and query.until_serial is None:
            if found is None or found.state is not ChannelState.ATTACHED or found.attach_serial is None:
                error = error_info(
                    90001, f"channel {channel!r} is not attached; attach it or drop until_attach"
                )
                self._out.append(Rejected(token, error, may_have_happened=False))
                return Issued(token, self._flush())
            query = replace(query, until_serial=found.attach_serial)
        self._ask(token, History(token, channel, query), now_ns)
        return Issued(token, self._flush())

    def ping(self, now_ns: int) -> Issued:
        """Ask for a sign of life; resolves with nothing (RTN13)."""
        token = self._issue()
        self._ask(token, Ping(str(token)), now_ns)
        return Issued(token, self._flush())

    def authorise(self, credentials: object, now_ns: int) -> Issued:
        """Use new credentials: in place while connected (RTC8a), else for connecting now (RTC8b, RTC8c)."""
        token = self._issue()
        self._credentials = credentials
        self._authorising.append(token)
        if self._state is ConnectionState.CONNECTED:
            self._send(Authorise(credentials))
        elif self._state is ConnectionState.CONNECTING:
            self._out.append(DiscardTransport(self._attempt))
            self._open(now_ns)
        else:
            self._start(now_ns)
        return Issued(token, self._flush())

    def renewal_failed(self, error: ErrorInfo, now_ns: int) -> ClientEffects:
        """Say that no new credentials are to be had now: a connected client stays so, another tries later."""
        if self._state is ConnectionState.DISCONNECTED:
            self._timers.start(TimerKind.RETRY, now_ns + self._options.disconnected_retry_ns)
        self._out.append(ConnectionChanged(self._state, self._state, error))
        return self._flush()

    # -- helpers --------------------------------------------------------------------------------------------

    def _post(self, command: Publish | Operate, now_ns: int) -> Issued:
        """Send now, queue, or reject (RTL6c)."""
        token = self._issue()
        channel = self._channels.get(command.channel)
        if channel is not None and channel.state in (ChannelState.SUSPENDED, ChannelState.FAILED):
            error = self._channel_unusable(command.channel)
            self._out.append(Rejected(token, error, may_have_happened=False))
        elif self._can_wait_or_send(token):
            if self._options.publish_timeout_ns is not None:
                self._timers.start(TimerKind.REQUEST, now_ns + self._options.publish_timeout_ns, token)
            self._outbox.put(token, command)
            if self._state is ConnectionState.CONNECTED:
                for numbered in self._outbox.send_queued():
                    self._send(numbered)
        return Issued(token, self._flush())

    def _ask(self, token: Token, request: History | Ping, now_ns: int) -> None:
        if self._can_wait_or_send(token):
            self._requests[token] = request
            self._timers.start(TimerKind.REQUEST, now_ns + self._options.request_timeout_ns, token)
            if self._state is ConnectionState.CONNECTED:
                self._send(request)

    def _can_wait_or_send(self, token: Token) -> bool:
        """Reject ``token`` unless the connection stands or may yet stand."""
        if self._state is ConnectionState.CONNECTED or self._state in QUEUEING_STATES:
            return True
        code, text = UNUSABLE[self._state]
        self._out.append(Rejected(token, error_info(code, text), may_have_happened=False))
        return False

    def _channel_unusable(self, channel: str) -> ErrorInfo:
        return error_info(90001, f"channel {channel!r} is {self.channel_state(channel)}; attach it again")

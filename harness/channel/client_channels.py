"""A client's channel: its state, and how far it has read.

Owns the channel serial (Ably spec RTL15b) and the guard against frames that were delivered before. The
invariant: attaching with :attr:`ClientChannel.channel_serial` continues directly after the last delivered
frame. Does not send and does not keep timers; ``client`` does.
"""

from collections.abc import Mapping

from harness.channel.client_effects import ChannelChanged, ClientEffect, Delivered, Discontinuity, Token
from harness.channel.client_states import CHANNEL_TRANSITIONS, ChannelInput, ChannelState
from harness.channel.commands import Attach
from harness.channel.errors import ErrorInfo
from harness.channel.events import Attached, Deliver
from harness.channel.modes import Mode
from harness.channel.names import NO_PARAMS


class ClientChannel:
    """One channel as a client knows it."""

    __slots__ = (
        "_was_attached",
        "attach_serial",
        "attach_tokens",
        "channel_serial",
        "detach_tokens",
        "last_attached",
        "modes",
        "name",
        "params",
        "state",
        "wants_attach",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = ChannelState.INITIALIZED
        self.modes: Mode | None = None
        self.params: Mapping[str, str] = NO_PARAMS
        self.attach_tokens: list[Token] = []
        self.detach_tokens: list[Token] = []
        self.wants_attach = False
        self.last_attached: Attached | None = None
        self.channel_serial: str | None = None
        """Up to here everything was delivered; ``None`` before the first attach and after the end."""
        self.attach_serial: str | None = None
        """Where this attachment began: the bound for history up to the attach (RTL15a, RTL15c)."""
        self._was_attached = False

    def apply(self, cause: ChannelInput, reason: ErrorInfo | None = None) -> list[ClientEffect]:
        """Move by the table and return the change, if there is one."""
        previous, self.state = self.state, CHANNEL_TRANSITIONS[(self.state, cause)]
        if self.state in (ChannelState.DETACHED, ChannelState.FAILED):
            # RTL15b1, protocol 6.1: SUSPENDED keeps the serial; the service decides how far it reaches.
            self.channel_serial = None
            self._was_attached = False
        if previous is self.state:
            return []
        return [ChannelChanged(self.name, previous, self.state, reason)]

    def attach_command(self) -> Attach:
        """Return the ATTACH that continues where this channel stands (RTL4c1)."""
        return Attach(self.name, self.modes, self.params, self.channel_serial)

    def attached(self, event: Attached) -> list[ClientEffect]:
        """Take in ATTACHED: move, set the serials, and tell of a loss of continuity (RTL12)."""
        if CHANNEL_TRANSITIONS[(self.state, ChannelInput.ATTACHED)] is not ChannelState.ATTACHED:
            return []
        was_update = self.state is ChannelState.ATTACHED
        effects = self.apply(ChannelInput.ATTACHED, event.error)
        if event.resumed:
            self.channel_serial = max(self.channel_serial or "", event.channel_serial)
        else:
            # While a backlog is under way its end is not reached yet: a transport lost now must rewind again.
            self.channel_serial = None if event.has_backlog else event.channel_serial
            self.attach_serial = event.channel_serial
            if was_update:
                effects.append(ChannelChanged(self.name, self.state, self.state, event.error))
            if self._was_attached:
                effects.append(Discontinuity(self.name, event.error))
        self._was_attached = True
        return effects

    def deliveries(self, event: Deliver) -> list[ClientEffect]:
        """Return the messages to hand out: none unless attached (RTL17), none that came before."""
        if self.state is not ChannelState.ATTACHED:
            return []
        if self.channel_serial is not None and event.channel_serial <= self.channel_serial:
            return []
        self.channel_serial = event.channel_serial
        return [Delivered(self.name, message) for message in event.messages]

    def take_tokens(self) -> tuple[Token, ...]:
        """Return and clear every token that waits on this channel."""
        tokens = (*self.attach_tokens, *self.detach_tokens)
        self.attach_tokens, self.detach_tokens = [], []
        return tokens

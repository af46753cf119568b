"""The client's two state machines as tables: connection and channel (Ably spec RTN4, RTL2).

Owns every transition. A pair that a table does not list can not happen: looking it up is a ``KeyError``, a
bug of the client. Does not say what a transition entails; ``client`` does.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias


class ConnectionState(StrEnum):
    """Spec RTN4a."""

    INITIALIZED = "initialized"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


class ConnectionInput(StrEnum):
    """What moves a connection."""

    CONNECT_ASKED = "connect asked"
    ESTABLISHED = "established"
    LOST = "lost"
    TOO_LATE = "state expired"
    RETRY_DUE = "retry due"
    REFUSED = "refused"
    CLOSE_ASKED = "close asked"
    CLOSE_DONE = "close done"


class ChannelState(StrEnum):
    """Spec RTL2b."""

    INITIALIZED = "initialized"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"
    DETACHED = "detached"
    SUSPENDED = "suspended"
    FAILED = "failed"


class ChannelInput(StrEnum):
    """What moves a channel."""

    ATTACH_ASKED = "attach asked"
    DETACH_ASKED = "detach asked"
    ATTACHED = "attached"
    DETACHED = "detached"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    RETRY_DUE = "retry due"
    CONNECTION_READY = "connection ready"
    CONNECTION_SUSPENDED = "connection suspended"
    CONNECTION_CLOSED = "connection closed"
    CONNECTION_FAILED = "connection failed"


_S: TypeAlias = ConnectionState
_I: TypeAlias = ConnectionInput
CONNECTION_TRANSITIONS: Final[Mapping[tuple[_S, _I], _S]] = MappingProxyType(
    {
        (_S.INITIALIZED, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.INITIALIZED, _I.CLOSE_ASKED): _S.CLOSED,
        (_S.CONNECTING, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.CONNECTING, _I.ESTABLISHED): _S.CONNECTED,
        (_S.CONNECTING, _I.LOST): _S.DISCONNECTED,  # RTN14d
        (_S.CONNECTING, _I.TOO_LATE): _S.SUSPENDED,  # RTN14e
        (_S.CONNECTING, _I.REFUSED): _S.FAILED,  # RTN14g
        (_S.CONNECTING, _I.CLOSE_ASKED): _S.CLOSED,
        (_S.CONNECTED, _I.CONNECT_ASKED): _S.CONNECTED,
        (_S.CONNECTED, _I.ESTABLISHED): _S.CONNECTED,  # RTN24: an update
        (_S.CONNECTED, _I.LOST): _S.DISCONNECTED,  # RTN15a
        (_S.CONNECTED, _I.REFUSED): _S.FAILED,  # RTN15i
        (_S.CONNECTED, _I.CLOSE_ASKED): _S.CLOSING,
        (_S.DISCONNECTED, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.DISCONNECTED, _I.RETRY_DUE): _S.CONNECTING,
        (_S.DISCONNECTED, _I.TOO_LATE): _S.SUSPENDED,
        (_S.DISCONNECTED, _I.REFUSED): _S.FAILED,
        (_S.DISCONNECTED, _I.CLOSE_ASKED): _S.CLOSED,
        (_S.SUSPENDED, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.SUSPENDED, _I.RETRY_DUE): _S.CONNECTING,
        (_S.SUSPENDED, _I.REFUSED): _S.FAILED,
        (_S.SUSPENDED, _I.CLOSE_ASKED): _S.CLOSED,
        (_S.CLOSING, _I.ESTABLISHED): _S.CLOSING,
        (_S.CLOSING, _I.LOST): _S.CLOSED,
        (_S.CLOSING, _I.REFUSED): _S.CLOSED,
        (_S.CLOSING, _I.CLOSE_ASKED): _S.CLOSING,
        (_S.CLOSING, _I.CLOSE_DONE): _S.CLOSED,
        (_S.CLOSED, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.CLOSED, _I.CLOSE_ASKED): _S.CLOSED,
        (_S.FAILED, _I.CONNECT_ASKED): _S.CONNECTING,
        (_S.FAILED, _I.CLOSE_ASKED): _S.FAILED,
    }
)

QUEUEING_STATES: Final = frozenset({_S.INITIALIZED, _S.CONNECTING, _S.DISCONNECTED})
"""Where a publish or request waits for the connection (RTL6c2); elsewhere it is sent or rejected."""

_C: TypeAlias = ChannelState
_E: TypeAlias = ChannelInput
CHANNEL_TRANSITIONS: Final[Mapping[tuple[_C, _E], _C]] = MappingProxyType(
    {
        (_C.INITIALIZED, _E.ATTACH_ASKED): _C.ATTACHING,
        (_C.INITIALIZED, _E.DETACH_ASKED): _C.INITIALIZED,  # RTL5a
        (_C.INITIALIZED, _E.ATTACHED): _C.INITIALIZED,  # nothing was asked: the service errs
        (_C.INITIALIZED, _E.DETACHED): _C.INITIALIZED,
        (_C.ATTACHING, _E.ATTACH_ASKED): _C.ATTACHING,
        (_C.ATTACHING, _E.DETACH_ASKED): _C.DETACHING,
        (_C.ATTACHING, _E.ATTACHED): _C.ATTACHED,
        (_C.ATTACHING, _E.DETACHED): _C.SUSPENDED,  # RTL13b
        (_C.ATTACHING, _E.TIMED_OUT): _C.SUSPENDED,  # RTL4f
        (_C.ATTACHED, _E.ATTACH_ASKED): _C.ATTACHED,  # RTL4a
        (_C.ATTACHED, _E.DETACH_ASKED): _C.DETACHING,
        (_C.ATTACHED, _E.ATTACHED): _C.ATTACHED,  # RTL12: an update
        (_C.ATTACHED, _E.DETACHED): _C.ATTACHING,  # RTL13a
        (_C.DETACHING, _E.ATTACH_ASKED): _C.DETACHING,  # RTL4h: attaches once detached
        (_C.DETACHING, _E.DETACH_ASKED): _C.DETACHING,
        (_C.DETACHING, _E.ATTACHED): _C.DETACHING,  # crossed the DETACH on its way
        (_C.DETACHING, _E.DETACHED): _C.DETACHED,
        (_C.DETACHING, _E.TIMED_OUT): _C.ATTACHED,  # RTL5f: back to where it was
        (_C.DETACHED, _E.ATTACH_ASKED): _C.ATTACHING,
        (_C.DETACHED, _E.DETACH_ASKED): _C.DETACHED,
        (_C.DETACHED, _E.ATTACHED): _C.DETACHED,
        (_C.DETACHED, _E.DETACHED): _C.DETACHED,
        (_C.SUSPENDED, _E.ATTACH_ASKED): _C.ATTACHING,
        (_C.SUSPENDED, _E.DETACH_ASKED): _C.DETACHED,  # RTL5j
        (_C.SUSPENDED, _E.ATTACHED): _C.ATTACHED,  # the answer came after the timeout
        (_C.SUSPENDED, _E.DETACHED): _C.ATTACHING,  # RTL13a
        (_C.SUSPENDED, _E.RETRY_DUE): _C.ATTACHING,
        (_C.FAILED, _E.ATTACH_ASKED): _C.ATTACHING,  # RTL4g
        (_C.FAILED, _E.DETACH_ASKED): _C.FAILED,
        (_C.FAILED, _E.ATTACHED): _C.FAILED,
        (_C.FAILED, _E.DETACHED): _C.FAILED,
        # A refusal fails a channel wherever it stands (RTL14) ...
        **{(state, _E.REFUSED): _C.FAILED for state in _C},
        # ... and the connection moves those that are or want to be attached (RTL3).
        **{(state, _E.CONNECTION_READY): state for state in _C},
        (_C.ATTACHED, _E.CONNECTION_READY): _C.ATTACHING,  # RTL3d
        (_C.SUSPENDED, _E.CONNECTION_READY): _C.ATTACHING,  # RTL3d
        **{(state, _E.CONNECTION_SUSPENDED): state for state in _C},
        (_C.ATTACHING, _E.CONNECTION_SUSPENDED): _C.SUSPENDED,  # RTL3c
        (_C.ATTACHED, _E.CONNECTION_SUSPENDED): _C.SUSPENDED,  # RTL3c
        (_C.DETACHING, _E.CONNECTION_SUSPENDED): _C.DETACHED,
        **{(state, _E.CONNECTION_CLOSED): _C.DETACHED for state in _C},  # RTL3b
        (_C.INITIALIZED, _E.CONNECTION_CLOSED): _C.INITIALIZED,
        (_C.FAILED, _E.CONNECTION_CLOSED): _C.FAILED,
        **{(state, _E.CONNECTION_FAILED): _C.FAILED for state in _C},  # RTL3a
        (_C.INITIALIZED, _E.CONNECTION_FAILED): _C.INITIALIZED,
        (_C.DETACHED, _E.CONNECTION_FAILED): _C.DETACHED,
    }
)

"""Numbers of the wire: actions and flags of a ProtocolMessage (Ably spec TR2, TR3).

Owns the vocabulary only. Mode bits are those of ``harness.channel.modes`` and are not repeated here.
"""

from enum import IntEnum, IntFlag


class Action(IntEnum):
    """What a ProtocolMessage is (spec TR2)."""

    HEARTBEAT = 0
    ACK = 1
    NACK = 2
    CONNECT = 3
    CONNECTED = 4
    DISCONNECT = 5
    DISCONNECTED = 6
    CLOSE = 7
    CLOSED = 8
    ERROR = 9
    ATTACH = 10
    ATTACHED = 11
    DETACH = 12
    DETACHED = 13
    PRESENCE = 14
    MESSAGE = 15
    SYNC = 16
    AUTH = 17
    ACTIVATE = 18
    OBJECT = 19
    OBJECT_SYNC = 20
    ANNOTATION = 21


class Flag(IntFlag):
    """Flags of ATTACH and ATTACHED besides the modes (spec TR3)."""

    HAS_PRESENCE = 1 << 0
    HAS_BACKLOG = 1 << 1
    RESUMED = 1 << 2
    ATTACH_RESUME = 1 << 5

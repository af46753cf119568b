"""Connections: what the service remembers about each client, and for how long.

Owns deterministic ids and keys, the memory of answered publishes (a resend is answered again, never executed
again: Ably spec RTN19a2), the two states of a kept connection, and its deadlines.
Does not decide what a deadline or a command does; ``service`` does.
"""

import heapq
import re
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NamedTuple

from harness.channel.attachments import Attachment
from harness.channel.errors import RefusalError, error_info
from harness.channel.events import Ack, Nack, TransportId
from harness.channel.grants import Actor
from harness.channel.presence import PresenceMessage

_ID_CHARS: Final = 10
_SECRET_CHARS: Final = 20
_KEY: Final = re.compile(rf"([0-9a-f]{{{_ID_CHARS}}})!([0-9a-f]{{{_SECRET_CHARS}}})")
ANSWERS_KEPT_MS: Final = 240_000
"""How long an answer can be repeated: the state's two minutes twice, as a loss has to be noticed first."""


class Presence(Enum):
    """Whether a kept connection has a transport. A connection that is neither is not in the table at all."""

    LIVE = auto()
    DROPPED = auto()


class Happening(Enum):
    """What can befall a kept connection."""

    RESUMED = auto()
    TRANSPORT_LOST = auto()


TRANSITIONS: Final[Mapping[tuple[Presence, Happening], Presence]] = MappingProxyType(
    {
        (Presence.LIVE, Happening.TRANSPORT_LOST): Presence.DROPPED,
        (Presence.LIVE, Happening.RESUMED): Presence.LIVE,  # a newer transport supersedes the old one
        (Presence.DROPPED, Happening.RESUMED): Presence.LIVE,
    }
)
"""Losing the transport of a dropped connection can not happen: its transport is not known any more."""


class DeadlineKind(Enum):
    """What a connection can be waiting for."""

    DISCARD_STATE = auto()
    LEAVE_PRESENCE = auto()
    PROMPT_FOR_TOKEN = auto()
    EXPIRE_TOKEN = auto()
    HEARTBEAT = auto()


class IdMint:
    """Deterministic connection ids and keys: a hash of the seed text and a counter."""

    __slots__ = ("_count", "_seed_text")

    def __init__(self, seed_text: str) -> None:
        self._seed_text = seed_text
        self._count = 0

    def next(self) -> tuple[str, str]:
        """Return a new connection id and its secret key, ``<id>!<secret>``."""
        self._count += 1
        text = self._hash(f"connection:{self._count}")
        connection_id = text[:_ID_CHARS]
        return connection_id, f"{connection_id}!{text[_ID_CHARS : _ID_CHARS + _SECRET_CHARS]}"

    def another_key(self, connection_id: str) -> str:
        """Return a new secret key for a connection that has one."""
        self._count += 1
        text = self._hash(f"key:{self._count}")
        return f"{connection_id}!{text[:_SECRET_CHARS]}"

    def series(self) -> str:
        """Return the series name of this seed text."""
        return self._hash("series")[:8]

    def _hash(self, purpose: str) -> str:
        return _hashed(f"{self._seed_text}:{purpose}")


@lru_cache(maxsize=4096)
def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class AnswerMemory:
    """The answers given to publishes of one connection, by msgSerial."""

    __slots__ = ("_ages", "_answers", "_forgotten_below")

    def __init__(self) -> None:
        self._answers: dict[int, Ack | Nack] = {}
        self._ages: deque[tuple[int, int]] = deque()
        self._forgotten_below = 0

    def find(self, msg_serial: int, message_count: int) -> Ack | Nack | None:
        """Return the answer to repeat, or ``None`` if this frame is new.

        A frame whose answer was forgotten is acknowledged without serials rather than executed twice.
        """
        answer = self._answers.get(msg_serial)
        if answer is None and msg_serial < self._forgotten_below:
            return Ack(msg_serial, (None,) * message_count)
        return answer

    def remember(self, answer: Ack | Nack, now_ms: int) -> None:
        """Keep ``answer`` for repeats and forget those too old to be asked for."""
        self._answers[answer.msg_serial] = answer
        self._ages.append((now_ms, answer.msg_serial))
        while self._ages[0][0] < now_ms - ANSWERS_KEPT_MS:
            _, forgotten = self._ages.popleft()
            del self._answers[forgotten]
            self._forgotten_below = max(self._forgotten_below, forgotten + 1)


class Connection:
    """One client's connection state. ``deadlines_ns`` says what is awaited and when.

    ``entered`` names the channels on which it announced presence, ``departed`` the members that were taken
    for gone while it had no transport. ``remain_present_ms`` is how long they may be without one, ``None``
    for the service's own choice.
    """

    __slots__ = (
        "actor",
        "answers",
        "attachments",
        "deadlines_ns",
        "departed",
        "due_ns",
        "echo",
        "entered",
        "id",
        "key",
        "presence",
        "remain_present_ms",
        "transport",
    )

    def __init__(
        self, connection_id: str, key: str, actor: Actor, transport: TransportId, *, echo: bool
    ) -> None:
        self.id = connection_id
        self.key = key
        self.actor = actor
        self.echo = echo
        self.transport = transport
        self.presence = Presence.LIVE
        self.attachments: dict[str, Attachment] = {}
        self.entered: dict[str, None] = {}
        self.departed: dict[str, tuple[PresenceMessage, ...]] = {}
        self.remain_present_ms: int | None = None
        self.answers = AnswerMemory()
        self.deadlines_ns: dict[DeadlineKind, int] = {}
        self.due_ns: int | None = None
        """The nearest deadline; kept by the table."""

    def apply(self, happening: Happening) -> None:
        """Change state by the table; a pair that it does not list is a bug of the service."""
        self.presence = TRANSITIONS[(self.presence, happening)]


class Due(NamedTuple):
    """A deadline that has come."""

    connection: Connection
    kind: DeadlineKind


class ConnectionTable:
    """All kept connections, found by id, key or transport, and their nearest deadline."""

    __slots__ = ("_by_id", "_by_transport", "_heap", "_sequence")

    def __init__(self) -> None:
        self._by_id: dict[str, Connection] = {}
        self._by_transport: dict[TransportId, Connection] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def on(self, transport: TransportId) -> Connection | None:
        """Return the connection that this transport carries now."""
        return self._by_transport.get(transport)

    def get(self, connection_id: str) -> Connection | None:
        """Return a kept connection."""
        return self._by_id.get(connection_id)

    def all(self) -> tuple[Connection, ...]:
        """Return every kept connection, oldest first."""
        return tuple(self._by_id.values())

    def by_key(self, key: str) -> Connection:
        """Find the connection to resume.

        Refusals: 80018 malformed key, 80008 state gone (both: the client gets a new connection and is told),
        40101 right connection but wrong secret (fatal).
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise RefusalError(error_info(80018, "unable to resume: the connection key is malformed"))
        connection = self._by_id.get(match[1])
        if connection is None:
            raise RefusalError(error_info(80008, "unable to resume: the connection has expired"))
        if connection.key != key:
            raise RefusalError(error_info(40101, "unable to resume: the connection key is wrong"))
        return connection

    def add(self, connection: Connection) -> None:
        """Keep a new connection on its transport."""
        self._by_id[connection.id] = connection
        self._by_transport[connection.transport] = connection

    def bind(self, connection: Connection, transport: TransportId) -> None:
        """Put a resumed connection on a new transport."""
        self._by_transport.pop(connection.transport, None)
        connection.apply(Happening.RESUMED)
        connection.transport = transport
        self._by_transport[transport] = connection

    def unbind(self, connection: Connection) -> None:
        """Keep the connection without its transport."""
        self._by_transport.pop(connection.transport, None)
        connection.apply(Happening.TRANSPORT_LOST)

    def remove(self, connection: Connection) -> None:
        """Forget the connection."""
        self._by_id.pop(connection.id, None)
        self._by_transport.pop(connection.transport, None)

    def schedule(self, connection: Connection, deadlines_ns: dict[DeadlineKind, int]) -> None:
        """Replace what a connection waits for."""
        connection.deadlines_ns = deadlines_ns
        self._push(connection)

    def next_due_ns(self) -> int | None:
        """Return the nearest deadline of all connections."""
        while self._heap:
            due_ns, _, connection_id = self._heap[0]
            connection = self._by_id.get(connection_id)
            if connection is not None and connection.due_ns == due_ns:
                return due_ns
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now_ns: int) -> Due | None:
        """Take the earliest deadline that is not after ``now_ns``."""
        due_ns = self.next_due_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        connection = self._by_id[heapq.heappop(self._heap)[2]]
        kind = min(connection.deadlines_ns, key=connection.deadlines_ns.__getitem__)
        del connection.deadlines_ns[kind]
        self._push(connection)
        return Due(connection, kind)

    def _push(self, connection: Connection) -> None:
        if not connection.deadlines_ns:
            connection.due_ns = None
            return
        connection.due_ns = due_ns = min(connection.deadlines_ns.values())
        if len(self._heap) > 64 + 4 * len(self._by_id):  # mostly superseded entries: rebuild, O(1) per push
            self._heap = [
                (kept.due_ns, i, kept.id)
                for i, kept in enumerate(self._by_id.values())
                if kept.due_ns is not None
            ]
            heapq.heapify(self._heap)
            self._sequence = len(self._heap)
        self._sequence += 1
        heapq.heappush(self._heap, (due_ns, self._sequence, connection.id))

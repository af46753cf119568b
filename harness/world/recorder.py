"""The recorder: the ordered list of what was seen in one run, and the observers that feed it.

Owns the sequence. Network movements are kept as the simulator's own light tuples in the same list and
become trace events only when a trace is written, because most runs are judged and forgotten.

Invariant: a dead host reports nothing; what its code still does after the power cut was never seen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.model import Arguments, CallId, Choice, HostName, PersonId, RequestId, Role
from harness.sim import Host, NetworkEvent
from harness.trace import (
    AdapterFailed,
    DecisionTaken,
    Event,
    MessageMoved,
    RequestExpired,
    RequestPublished,
)


@dataclass(slots=True)
class Recorder:
    """Appends events in the order in which they happened; ``now_ns`` reads the run's clock."""

    now_ns: Callable[[], int]
    entries: list[Event | NetworkEvent] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Append one event."""
        self.entries.append(event)


def all_events(entries: Iterable[Event | NetworkEvent]) -> tuple[Event, ...]:
    """Return every entry as a trace event, network movements included, in order."""
    return tuple(_moved(entry) if isinstance(entry, NetworkEvent) else entry for entry in entries)


def _moved(entry: NetworkEvent) -> MessageMoved:
    source, target = HostName(entry.source), HostName(entry.target)
    return MessageMoved(
        at=entry.at_ns,
        host=target if entry.kind == "delivered" else source,
        moved=entry.kind,
        message=entry.message_id,
        source=source,
        target=target,
        label=entry.label,
    )


@dataclass(slots=True)
class HostObserver:
    """What one incarnation of a host reports; refused once that incarnation is dead."""

    recorder: Recorder
    host: Host
    incarnation: int
    on_request: Callable[[RequestId, CallId], None]
    on_screen: Callable[[], None]

    def request_published(self, request: RequestId, call: CallId, arguments: Arguments) -> None:
        """Record that a request was made known."""
        if self._alive():
            at, host = self.recorder.now_ns(), HostName(self.host.name)
            self.recorder.add(RequestPublished(at, host, request, call, arguments))
            self.on_request(request, call)

    def decision_taken(
        self,
        request: RequestId,
        choice: Choice,
        *,
        person: PersonId | None = None,
        role: Role | None = None,
        arguments: Arguments | None = None,
        call: CallId | None = None,
    ) -> None:
        """Record that a decision took effect."""
        if self._alive():
            at, host = self.recorder.now_ns(), HostName(self.host.name)
            self.recorder.add(DecisionTaken(at, host, request, call, choice, person, role, arguments))

    def request_expired(self, request: RequestId, *, call: CallId | None = None) -> None:
        """Record that a request ended because its deadline passed."""
        if self._alive():
            self.recorder.add(
                RequestExpired(self.recorder.now_ns(), HostName(self.host.name), request, call),
            )

    def screen_changed(self) -> None:
        """Have the world look at this device's screen."""
        if self._alive():
            self.on_screen()

    def adapter_failed(self, where: str, error: str) -> None:
        """Record that the adapter is at fault outside of any call."""
        if self._alive():
            self.recorder.add(AdapterFailed(self.recorder.now_ns(), HostName(self.host.name), where, error))

    def _alive(self) -> bool:
        return self.host.alive and self.host.incarnation == self.incarnation

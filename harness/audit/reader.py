"""Traces that this tool wrote, read back also where they are damaged.

Owns which damage is refused and which is judged with a reservation. Refused: no header, another version, a
line that is no event, sequence numbers that go back. Judged with a reservation: missing or repeated lines,
kinds of events that this version does not know, a clock that goes back, a last line that was cut short.

Invariant: where an event may be missing, ``quiet`` is left out of the trace, so that no property takes
silence for proof. Movements on the network are checked for their place and not kept: no property reads them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.audit.log import Doubt, Log, LogBuilder
from harness.audit.source import LogError, text_of
from harness.trace import FORMAT, Quiet
from harness.trace_file import TraceError, UnknownKindError, parse_event, parse_header, parse_object

_MOVEMENT = "message-moved"


@dataclass(slots=True)
class _Reading:
    """One trace while it is read; ``source`` is how error texts call where it comes from."""

    source: str
    header: dict[str, str]
    builder: LogBuilder
    expected_seq: int = 0
    last_line: bytes = b""
    last_at: int = 0
    lines_read: int = field(default=1)

    def take(self, number: int, raw: bytes, record: dict[str, Any]) -> None:
        """Take the next line; raises TraceError."""
        self.lines_read += 1
        where = f"{self.source}:{number}"
        if not self._in_place(number, where, raw, record.pop("seq", None)):
            return
        self.last_line = raw
        kind = record.get("kind")
        if kind == _MOVEMENT:
            return
        try:
            event = parse_event(where, record)
        except UnknownKindError:
            self.builder.reservations.add(
                number,
                f"an event of the unknown kind {kind!r} is left out",
                Doubt.ABSENCE,
                kind="unknown kind",
            )
            return
        if event.at < self.last_at:
            reason = f"the clock goes back from {self.last_at} ns to {event.at} ns"
            self.builder.reservations.add(number, reason, Doubt.TIME, kind="clock goes back")
        self.last_at = max(self.last_at, event.at)
        self.builder.add(number, event)

    def _in_place(self, number: int, where: str, raw: bytes, seq: object) -> bool:
        """Return whether a line is the next event; False for one that merely repeats the last."""
        due = self.expected_seq
        if not isinstance(seq, int) or isinstance(seq, bool):
            raise TraceError(f"{where}: no sequence number: every event has its seq, from 0 on.")
        if seq == due - 1 and raw.strip() == self.last_line.strip():
            self.builder.reservations.add(
                number, f"event {seq} is there twice and counted once", Doubt.NOTHING, kind="repeated event"
            )
            return False
        if seq < due:
            raise TraceError(
                f"{where}: sequence number {seq} where {due} is due: lines are doubled or out of order. "
                "Sort them by seq and leave out repetitions.",
            )
        if seq > due:
            missing = f"event {due} is" if seq == due + 1 else f"events {due} to {seq - 1} are"
            self.builder.reservations.add(number, f"{missing} missing", Doubt.ABSENCE, kind="missing events")
        self.expected_seq = seq + 1
        return True

    def log(self) -> Log:
        """Return the log as far as it was read."""
        builder = self.builder
        if any(it.doubt is Doubt.ABSENCE for it in builder.reservations.named):
            kept = [place for place, event in enumerate(builder.events) if not isinstance(event, Quiet)]
            builder.events[:] = [builder.events[place] for place in kept]
            builder.lines[:] = type(builder.lines)("Q", [builder.lines[place] for place in kept])
        adapter, scenario = self.header.get("adapter", ""), self.header.get("scenario", "")
        return builder.log(self.lines_read, adapter=adapter, scenario=scenario)


def read_logs(lines: Iterable[bytes], name: str) -> Iterator[Log]:
    """Yield the traces of a source; several may stand one after the other, each with its header.

    Raises LogError where a source is refused; what was yielded before stands.
    """
    reading: _Reading | None = None
    try:
        for number, raw in enumerate(lines, start=1):
            text = text_of(raw, name, number)
            if not text.strip():
                continue
            try:
                record = parse_object(f"{name}:{number}", text)
            except TraceError:
                if reading is None or raw.endswith(b"\n"):
                    raise
                reading.builder.reservations.add(
                    number, "the last line was cut short and is left out", Doubt.ABSENCE, kind="cut short"
                )
                break
            if reading is None or "format" in record:
                if reading is not None:
                    yield reading.log()
                reading = _begun(name, number, record)
            else:
                reading.take(number, raw, record)
    except TraceError as error:
        raise LogError(str(error)) from error
    if reading is None:
        raise LogError(f'{name}: it is empty. A trace begins with a line "format": "{FORMAT}".')
    yield reading.log()


def _begun(name: str, number: int, record: dict[str, Any]) -> _Reading:
    header = parse_header(f"{name}:{number}", record)
    return _Reading(name, header, LogBuilder(name if number == 1 else f"{name} from line {number}"))

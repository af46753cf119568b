"""Mermaid sequence diagrams: what documents and issue trackers draw by themselves.

Owns how events become lines of that language, and its escape. Which events have a line is chosen as for
every other picture. A run without violations has no diagrams.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.model import HostName
from harness.narrate import boundary_places, event_phrase
from harness.narrate.events import message_label
from harness.narrate.lanes import hosts_of
from harness.narrate.selection import IDLE_NS, Row, folded_words, idle_words, rows_of
from harness.report import FinishedRun, Violation, counterexample_name
from harness.report.markup import file_stem, printable, shortened
from harness.trace import Event, MessageMoved

_ROWS_MAX: Final = 60
"""More lines than this are unreadable as a sequence diagram."""
_TEXT_LENGTH_MAX: Final = 120
_SPECIAL: Final = re.compile(r"[^\w .,()/→…✗'\"=-]|\bend\b", re.IGNORECASE)
"""Everything else is written as a character code; a bare "end" would close a block."""


@dataclass(frozen=True, slots=True)
class MermaidReport:
    """Sequence diagrams of all violations."""

    name: str = "mermaid"
    summary: str = "a Mermaid sequence diagram of every violation, for documents and issues"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``sequences/ADAPTER-PROPERTY.mmd`` for every violation with a trace."""
        return {_path(it): "\n".join(_lines(it)) + "\n" for it in run.violations() if it.trace.events}


def _path(violation: Violation) -> str:
    return f"sequences/{file_stem(counterexample_name(violation.adapter, violation.verdict.property))}.mmd"


def _lines(violation: Violation) -> Iterator[str]:
    events = violation.trace.events
    marked = boundary_places(violation.trace, violation.counterexample.finding.events)
    ids = {host: f"h{number}" for number, host in enumerate(hosts_of(events))}
    yield "sequenceDiagram"
    for host, name in ids.items():
        yield f"  participant {name} as {_text(host)}"
    everybody = ",".join(dict.fromkeys([*list(ids.values())[:1], *list(ids.values())[-1:]]))
    before_ns = 0
    for row in rows_of(events, marked, _ROWS_MAX):
        if row.folded and everybody:
            yield f"  Note over {everybody}: … {_text(folded_words(events, row))}"
        if not row.shown:
            continue
        at_ns = events[row.places[0]].at
        if at_ns - before_ns >= IDLE_NS and everybody:
            yield f"  Note over {everybody}: … {_text(idle_words(at_ns - before_ns))}"
        before_ns = at_ns
        yield from _row(row, events, ids)


def _row(row: Row, events: Sequence[Event], ids: Mapping[HostName, str]) -> Iterator[str]:
    mark = "✗ " if row.marked else ""
    for place in row.places:
        event = events[place]
        if not isinstance(event, MessageMoved):
            if event.host in ids:
                yield f"  Note over {ids[event.host]}: {mark}{_text(event_phrase(event))}"
            continue
        arrow = "->>" if event.moved == "delivered" else "-x"
        if event.source in ids and event.target in ids:
            label = _text(message_label(event.label))
            yield f"  {ids[event.source]}{arrow}{ids[event.target]}: {mark}{label}"


def _text(text: str) -> str:
    line = shortened(" ".join(printable(text).split()), _TEXT_LENGTH_MAX)
    return _SPECIAL.sub(lambda match: f"#{ord(match.group()[0])};{match.group()[1:]}", line) or "#8203;"


REPORTS: Final = (MermaidReport(),)

"""Traces for a timeline viewer: the Chrome trace event format, which Perfetto and chrome://tracing open.

Owns how events become slices, flows and spans: a row for every host, an instant's slice for every event, a
flow from where a message was sent to where it arrived, a span for every call and for every loss of power.
Virtual time is the time axis. A run without violations has no traces.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.narrate import boundary_places, event_phrase
from harness.report import FinishedRun, Violation, counterexample_name
from harness.report.markup import file_stem, printable
from harness.trace import HostCrashed, HostRestarted, MessageMoved, OutcomeReported, ToolCalled, event_line

_SLICE_US: Final = 1
"""Events take no virtual time; flows need something to hold on to."""
_PROCESS: Final = 1


@dataclass(frozen=True, slots=True)
class PerfettoReport:
    """Every violation's trace for a timeline viewer."""

    name: str = "perfetto"
    summary: str = "every violation's trace for Perfetto or chrome://tracing"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``traces/ADAPTER-PROPERTY.json`` for every violation with a trace."""
        return {_path(it): _document(it) for it in run.violations() if it.trace.events}


def _path(violation: Violation) -> str:
    return f"traces/{file_stem(counterexample_name(violation.adapter, violation.verdict.property))}.json"


def _document(violation: Violation) -> str:
    sheet = _Sheet(boundary_places(violation.trace, violation.counterexample.finding.events))
    events = [it for place, event in enumerate(violation.trace.events) for it in sheet.entries(place, event)]
    name = {"name": "process_name", "ph": "M", "pid": _PROCESS, "args": {"name": violation.adapter}}
    document = {
        "displayTimeUnit": "ms",
        "traceEvents": [name, *sheet.threads(), *events, *sheet.still_down()],
    }
    return printable(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)) + "\n"


@dataclass(slots=True)
class _Sheet:
    """The rows of a trace and what is open on them."""

    marked: frozenset[int]
    rows: dict[str, int] = field(default_factory=dict)
    sent: dict[int, bool] = field(default_factory=dict)
    called: dict[str, bool] = field(default_factory=dict)
    down_ns: dict[str, int] = field(default_factory=dict)
    last_ns: int = 0

    def entries(self, place: int, event: Any) -> Iterator[dict[str, Any]]:
        """Yield the entries of one event."""
        self.last_ns = event.at
        name = f"✗ {event_phrase(event)}" if place in self.marked else event_phrase(event)
        record = json.loads(event_line(place, event))
        yield self._entry(event, "X", name=name, cat=event.kind, dur=_SLICE_US, args=record)
        match event:
            case MessageMoved(moved="sent", message=message):
                self.sent[message] = True
                yield self._entry(event, "s", name="message", cat="message", id=message)
            case MessageMoved(moved="delivered", message=message) if message in self.sent:
                yield self._entry(event, "f", name="message", cat="message", id=message, bp="e")
            case ToolCalled(call=call) if call not in self.called:
                self.called[call] = True
                yield self._entry(event, "b", name=call, cat="call", id=call)
            case OutcomeReported(call=call) if self.called.get(call):
                self.called[call] = False
                yield self._entry(event, "e", name=call, cat="call", id=call)
            case HostCrashed(host=host):
                self.down_ns[host] = event.at
            case HostRestarted(host=host) if host in self.down_ns:
                yield self._down(host, event.at)

    def still_down(self) -> list[dict[str, Any]]:
        """Return the spans of the hosts that have not come back."""
        return [self._down(host, self.last_ns) for host in list(self.down_ns)]

    def threads(self) -> Iterator[dict[str, Any]]:
        """Yield the names of the rows, filled as events came."""
        for host, row in self.rows.items():
            yield {"name": "thread_name", "ph": "M", "pid": _PROCESS, "tid": row, "args": {"name": host}}

    def _down(self, host: str, until_ns: int) -> dict[str, Any]:
        from_ns = self.down_ns.pop(host)
        took = {"ts": _us(from_ns), "dur": _us(until_ns - from_ns)}
        return {
            "name": "no power",
            "cat": "power",
            "ph": "X",
            "pid": _PROCESS,
            "tid": self.rows[host],
            **took,
        }

    def _entry(self, event: Any, phase: str, **more: Any) -> dict[str, Any]:
        row = self.rows.setdefault(event.host, len(self.rows) + 1)
        return {"ph": phase, "pid": _PROCESS, "tid": row, "ts": _us(event.at), **more}


def _us(ns: int) -> int | float:
    """Return microseconds, whole where they are."""
    return ns // 1000 if ns % 1000 == 0 else ns / 1000


REPORTS: Final = (PerfettoReport(),)

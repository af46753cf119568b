"""A space-time listing: one line an event, time on the left, a lane for every host, arrows for messages.

Owns how the chosen rows of a trace are set as text; which they are, :mod:`harness.narrate.selection` says.
Who prints it adds colour by a line's ``tone``.
"""

import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.model import HostName
from harness.narrate import lanes
from harness.narrate.events import event_phrase
from harness.narrate.lanes import Lanes, hosts_of
from harness.narrate.page import Line, Span, Tone
from harness.narrate.selection import IDLE_NS, Row, folded_words, idle_words, rows_of
from harness.narrate.units import instant, instant_digits
from harness.trace import (
    DeviationFired,
    DeviceJoined,
    Event,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    ToolCalled,
    Trace,
)

_TEXT_WIDTH_MIN: Final = 30
_MARK: Final = "✗ "
_NO_MARK: Final = "  "


@dataclass(slots=True)
class _Scene:
    """What is known while a listing is read from top to bottom."""

    looks: dict[HostName, str]
    told_ns: int | None = None


def listing(
    trace: Trace,
    marked: Collection[int] = (),
    width: int = 100,
    *,
    lines_max: int = 60,
) -> tuple[Line, ...]:
    """Return ``trace`` as lines of at most ``width`` characters, if that leaves room for a few words.

    ``marked`` holds the places of the events that show a violation. More than ``lines_max`` events are
    thinned out: messages first, then what is farthest from a marked event.
    """
    rows = rows_of(trace.events, marked, lines_max)
    shown = [trace.events[place] for row in rows if row.shown for place in row.places]
    hosts = [host for host in hosts_of(trace.events) if any(_involves(event, host) for event in shown)]
    digits = instant_digits(tuple(event.at for event in shown))
    clock_width = max((len(instant(event.at, digits=digits)) for event in shown), default=1)
    left = len(_MARK) + clock_width + 2
    columns = Lanes.of(hosts, width - left - _TEXT_WIDTH_MIN)
    sheet = _Sheet(columns, clock_width, max(width - left - columns.width, 20), digits)
    return tuple(sheet.lines(trace.events, rows))


def _involves(event: Event, host: HostName) -> bool:
    if isinstance(event, MessageMoved):
        return host in (event.source, event.target)
    return event.host == host


@dataclass(slots=True)
class _Sheet:
    """The page a listing is written on."""

    columns: Lanes
    clock_width: int
    text_width: int
    digits: int

    def lines(self, events: Sequence[Event], rows: Sequence[Row]) -> Iterator[Line]:
        """Yield the header, then one line or more for every chosen event and for what is folded."""
        yield from self._header()
        scene = _Scene(looks=dict.fromkeys(self.columns.places, lanes.ABSENT))
        before_ns = 0
        for row in rows:
            happened = [events[place] for place in row.places]
            if row.folded:
                graph = self.columns.row(scene.looks)
                yield _line(f"{self._left('')}{graph}… {folded_words(events, row)}", Tone.FOLDED)
            elif row.shown:
                at_ns = happened[0].at
                if at_ns - before_ns >= IDLE_NS:
                    yield self._idle(scene, at_ns - before_ns)
                yield from self._event(scene, happened, marked=row.marked)
                before_ns = at_ns
            for event in happened:
                _look(scene, event)

    def _header(self) -> Iterator[Line]:
        legend = self.columns.legend()
        if legend:
            for line in textwrap.wrap(legend, self.text_width + self.columns.width):
                yield _line(f"{self._left('')}{line}", Tone.HEADER)
        for row, text in enumerate(self.columns.header):
            clock = "time" if row == len(self.columns.header) - 1 else ""
            yield _line(f"{self._left(clock)}{text}".rstrip(), Tone.HEADER)

    def _left(self, clock: str, *, marked: bool = False) -> str:
        return f"{_MARK if marked else _NO_MARK}{clock:>{self.clock_width}}  "

    def _idle(self, scene: _Scene, gap_ns: int) -> Line:
        looks = {host: lanes.IDLE if look == lanes.UP else look for host, look in scene.looks.items()}
        return _line(f"{self._left('')}{self.columns.row(looks)}… {idle_words(gap_ns)} …", Tone.FOLDED)

    def _event(self, scene: _Scene, events: Sequence[Event], *, marked: bool) -> Iterator[Line]:
        event = events[0]
        _look(scene, event)
        graph = self._graph(scene, events)
        clock = self._clock(scene, event.at)
        tone = Tone.MARKED if marked else _tone(event)
        first, *more = textwrap.wrap(event_phrase(event), self.text_width) or [""]
        yield _line(f"{self._left(clock, marked=marked)}{graph}{first}".rstrip(), tone)
        for line in more:
            row = self.columns.row(scene.looks)
            yield _line(f"{self._left('', marked=marked)}{row}{line}".rstrip(), tone)

    def _clock(self, scene: _Scene, at_ns: int) -> str:
        """Return the time, nothing where the line above has the same."""
        if scene.told_ns == at_ns:
            return ""
        scene.told_ns = at_ns
        return instant(at_ns, digits=self.digits)

    def _graph(self, scene: _Scene, events: Sequence[Event]) -> str:
        places, event = self.columns.places, events[0]
        if isinstance(event, MessageMoved) and event.source in places and event.target in places:
            lost = event.moved != "delivered"
            targets = [it.target for it in events if isinstance(it, MessageMoved)]
            return self.columns.arrow(scene.looks, event.source, targets, lost=lost)
        sign = lanes.POWER_LOST if isinstance(event, HostCrashed) else lanes.EVENT
        return self.columns.row({**scene.looks, event.host: sign})


def _look(scene: _Scene, event: Event) -> None:
    """Note how the lanes look from ``event`` on."""
    match event:
        case HostCrashed(host=host):
            scene.looks[host] = lanes.DOWN
        case HostRestarted(host=host) | DeviceJoined(host=host) | ToolCalled(host=host):
            scene.looks[host] = lanes.UP
        case MessageMoved(source=source, target=target):
            for host in (source, target):
                if scene.looks.get(host) == lanes.ABSENT:
                    scene.looks[host] = lanes.UP
        case _:
            if scene.looks.get(event.host) == lanes.ABSENT:
                scene.looks[event.host] = lanes.UP


def _tone(event: Event) -> Tone:
    match event:
        case MessageMoved(moved="delivered"):
            return Tone.MESSAGE
        case MessageMoved() | HostCrashed() | HostRestarted() | DeviationFired():
            return Tone.FAULT
        case _:
            return Tone.EVENT


def _line(text: str, tone: Tone) -> Line:
    return (Span(text, tone),)

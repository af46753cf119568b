"""How long judging takes: one small run by every property, and long traces next to the time to parse them."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from harness.audit.judging import check_log
from harness.audit.reader import read_logs
from harness.explore.stopwatch import Stopwatch
from harness.model import AnswerId, CallId, Card, RequestId
from harness.properties import PROPERTIES, Terms, judge
from harness.properties.examples import (
    answered,
    called,
    card,
    decided,
    executed,
    joined,
    published,
    quiet,
    screen,
    tale,
    told,
)
from harness.trace import Event, MessageMoved, Quiet, Trace, event_line
from harness.trace_file import read_trace

STORY: Final = PROPERTIES["P1"].holding
SPACING_NS: Final = 60_000_000_000
MILLION: Final = 1_000_000


def _renamed(event: Event, number: int) -> Event:
    """Return ``event`` as it would be in the ``number``-th of many runs in one log."""
    changed: dict[str, Any] = {"at": event.at + number * SPACING_NS}
    for field, kind in (("call", CallId), ("request", RequestId), ("answer", AnswerId)):
        if getattr(event, field, None) is not None:
            changed[field] = kind(f"{getattr(event, field)}-{number}")
    cards: tuple[Card, ...] = getattr(event, "cards", ())
    if cards:
        changed["cards"] = tuple(
            replace(it, request=RequestId(f"{it.request}-{number}"), call=CallId(f"{it.call}-{number}"))
            for it in cards
        )
    return replace(event, **changed)


def _log() -> Iterator[Event]:
    number = 0
    while True:
        for event in STORY.events:
            if not isinstance(event, Quiet):
                yield _renamed(event, number)
                yield MessageMoved(event.at, event.host, "sent", number, event.host, event.host, "answer")
        number += 1


def _long_trace(events: int) -> Trace:
    return Trace(tuple(islice(_log(), events)))


def test_one_run_judged_by_every_property(benchmark: Any) -> None:
    judgements = benchmark(judge, STORY, Terms())
    assert not any(judgement.findings for judgement in judgements.values())


@pytest.mark.parametrize("events", [10_000, 100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_long_trace_judged_by_every_property(benchmark: Any, events: int) -> None:
    trace = _long_trace(events)
    judgements = benchmark.pedantic(judge, (trace, Terms()), rounds=1)
    assert judgements["P4"].exercised > 0


CROWD: Final = 10_000
PEOPLE: Final = [f"p{number}" for number in range(CROWD)]
SHAPES: Final[dict[str, tuple[Event, ...]]] = {
    "10,000 people answer one call": (
        called(),
        *(answered(f"a-{it}", it) for it in PEOPLE),
        *(told(f"a-{it}") for it in PEOPLE),
        quiet(),
    ),
    "10,000 decisions and effects of one call": (
        called(),
        *(answered(f"a-{it}", it) for it in PEOPLE),
        *(decided(it) for it in PEOPLE),
        *(executed() for _ in PEOPLE),
        quiet(),
    ),
    "10,000 devices show one call": (
        called(),
        published(),
        *(joined(it) for it in PEOPLE),
        *(screen(it, card()) for it in PEOPLE),
        quiet(),
        *(screen(it, card()) for it in PEOPLE),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_crowd_around_one_call_judged_by_every_property(benchmark: Any, shape: str) -> None:
    trace = tale(*SHAPES[shape])
    benchmark.pedantic(judge, (trace, Terms()), rounds=1)


@pytest.mark.parametrize("events", [10_000, 100_000])
def test_a_long_trace_parsed(benchmark: Any, events: int) -> None:
    lines = list(_long_trace(events).lines())
    trace = benchmark.pedantic(read_trace, (lines,), rounds=1)
    assert len(trace.events) == events


@pytest.mark.slow
def test_a_million_events_are_judged_in_at_most_three_times_their_parsing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], benchmark: Any
) -> None:
    """Print both times and the memory: the log read as ``hitl check`` reads it, then judged by everything."""
    path = tmp_path / "million.jsonl"
    whole = (event for event in _log() if not isinstance(event, MessageMoved))
    with path.open("w", encoding="utf-8") as file:
        file.write(next(Trace(()).lines()) + "\n")
        file.writelines(f"{event_line(*it)}\n" for it in enumerate(islice(whole, MILLION)))
    before_mib, parsing = _resident_mib(), Stopwatch()
    with path.open("rb") as lines:
        (log,) = read_logs(lines, "million")
    parsing_s, parsed_mib, judging = parsing.elapsed_s(), _resident_mib(), Stopwatch()
    checked = benchmark.pedantic(check_log, (log, Terms()), rounds=1)
    judging_s, ratio = judging.elapsed_s(), judging.elapsed_s() / parsing_s
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark is run for what it prints
            f"\n{checked.events:,} events: parsed in {parsing_s:.1f} s, judged in {judging_s:.1f} s "
            f"({ratio:.2f} times the parsing); {parsed_mib - before_mib} MiB for the events, "
            f"{_resident_mib() - parsed_mib} MiB more for judging",
        )
    assert checked.events == MILLION
    assert not checked.violated
    assert ratio <= 3


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() // 2**20

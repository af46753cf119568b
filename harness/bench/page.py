"""A benchmark as a page of text: what a stranger reads first.

Owns the layout of its tables. Figures are milliseconds. A percentile beyond which fewer than ten samples lie
is marked: it is little more than the largest value seen.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from harness.bench.figures import PERCENTILES, Figures, reliable
from harness.bench.profiles import PROFILES
from harness.bench.result import BenchResult, Row, Sweep
from harness.bench.segments import Segment
from harness.narrate.page import Line, Span, Tone
from harness.narrate.units import plural

_US_PER_MS: Final = 1_000
_NAME: Final = 18
_CELL: Final = 9
_WIDE: Final = 14
_INTERVAL: Final = 20
_DIGITS_BELOW: Final = 100
_DOUBTFUL: Final = "~"


def bench_page(result: BenchResult) -> Iterator[Line]:
    """Yield the page."""
    virtual = [it for it in result.rows if it.lane == "virtual"]
    real = [it for it in result.rows if it.lane != "virtual"]
    if virtual:
        yield from _virtual(virtual, result)
    if real:
        yield from _real(real, result)
    for name, what, reason in result.not_measured:
        yield (Span("not measured  ", Tone.DOUBTFUL), Span(f"{name}, {what}: {reason}"))
    if result.not_measured:
        yield ()


def _virtual(rows: Sequence[Row], result: BenchResult) -> Iterator[Line]:
    yield (Span("Virtual time: approval latency in milliseconds, the same on every machine", Tone.HEADER),)
    networks = [it for it in rows if it.sweep is Sweep.NETWORKS]
    if networks:
        said = f"{plural(result.requests, 'request')} a row, {plural(networks[0].devices, 'device')}, seed "
        yield (Span(f"{said}{result.seed}; a person's own time is in no figure", Tone.FAINT),)
        yield ()
        heads = ("shown", "all shown", "press-effect")
        tails = [f"p{it:g}" for it in PERCENTILES]
        head = _header(("network", "implementation"), heads, _WIDE)
        yield (*head, *_header((), tails, _CELL))
        for it in networks:
            yield _network_row(it)
        yield ()
        yield (
            Span(
                "the first three: medians; the percentiles: end to end; ~ fewer than 10 samples beyond",
                Tone.FAINT,
            ),
        )
        for name in dict.fromkeys(it.network for it in networks):
            yield (Span(f"{name}: {_profile(name)}", Tone.FAINT),)
        yield ()
    yield from _crowds(rows)


def _network_row(it: Row) -> Line:
    end = it.figures.get(Segment.END_TO_END)
    medians = [_median(it, at) for at in (Segment.FIRST_SCREEN, Segment.ALL_SCREENS, Segment.PRESS_TO_EFFECT)]
    tails = [_percentile(end, f"{at:g}") for at in PERCENTILES]
    return (
        Span(it.network.ljust(_NAME), Tone.PLAIN),
        Span(it.adapter.ljust(_NAME), Tone.TITLE),
        *(Span(cell.rjust(_WIDE)) for cell in medians),
        *(Span(cell.rjust(_CELL)) for cell in tails),
        *_unfinished(it),
    )


def _real(rows: Sequence[Row], result: BenchResult) -> Iterator[Line]:
    lane = rows[0].lane
    said = "on loopback, with the service in the same process" if lane == "wall" else "against an account"
    yield (Span(f"Real time ({lane}): approval latency in milliseconds, {said}", Tone.HEADER),)
    machine = ", ".join(f"{name} {value}" for name, value in result.environment.items())
    yield (Span(f"with 95 % bootstrap intervals; {machine}", Tone.FAINT),)
    yield ()
    loads = [it for it in rows if it.sweep is Sweep.LOAD]
    if loads:
        yield (
            Span(
                "offered/s".rjust(_CELL)
                + "  achieved/s".rjust(_CELL + 3)
                + "  "
                + "implementation".ljust(_NAME)
            ),
            *(Span(f"p{it:g}".ljust(_INTERVAL)) for it in PERCENTILES),
        )
    for it in loads:
        end = it.figures.get(Segment.END_TO_END)
        yield (
            Span(f"{it.rate:g}".rjust(_CELL)),
            Span(f"{it.achieved or 0:g}".rjust(_CELL + 3) + "  "),
            Span(it.adapter.ljust(_NAME), Tone.TITLE),
            *(Span(_with_interval(end, f"{at:g}").ljust(_INTERVAL)) for at in PERCENTILES),
            *([Span("saturated", Tone.BAD)] if it.saturated else []),
            *_unfinished(it),
        )
    if loads:
        yield ()
        yield (
            Span(
                "end to end, from the intended beginning: requests come whether or not earlier ones are done",
                Tone.FAINT,
            ),
        )
        yield ()
    yield from _crowds(rows)


def _crowds(rows: Sequence[Row]) -> Iterator[Line]:
    for sweep, words in (
        (Sweep.DEVICES, "Many devices: until all of them show a request (median)"),
        (Sweep.STORM, "Reconnect storm: a request made as every device loses its connection, end to end"),
    ):
        chosen = [it for it in rows if it.sweep is sweep]
        if not chosen:
            continue
        counts = list(dict.fromkeys(it.devices for it in chosen))
        yield (Span(f"{words}, {chosen[0].network}", Tone.HEADER),)
        yield _header(("implementation",), [plural(count, "device") for count in counts], _WIDE)
        for name in dict.fromkeys(it.adapter for it in chosen):
            segment = Segment.ALL_SCREENS if sweep is Sweep.DEVICES else Segment.END_TO_END
            cells = {it.devices: _median(it, segment) for it in chosen if it.adapter == name}
            yield (
                Span(name.ljust(_NAME), Tone.TITLE),
                *(Span(cells.get(count, "-").rjust(_WIDE)) for count in counts),
            )
        yield ()


def _header(names: Sequence[str], heads: Sequence[str], width: int = _CELL + 3) -> Line:
    left = "".join(name.ljust(_NAME) for name in names)
    return (Span(left + "".join(head.rjust(width) for head in heads), Tone.LABEL),)


def _profile(name: str) -> str:
    it = PROFILES[name]
    loss = f", {it.loss:.0%} of messages sent twice" if it.loss else ""
    delay, jitter = _ms(it.delay_ns // 1_000), _ms(it.jitter_ns // 1_000)
    return f"{delay} ms one way ({it.source}), jitter {jitter} ms on average{loss}"


def _unfinished(it: Row) -> Iterator[Span]:
    if it.unfinished:
        yield Span(f"  {it.unfinished} never finished", Tone.BAD)


def _median(it: Row, segment: Segment) -> str:
    return _percentile(it.figures.get(segment), "50")


def _percentile(figures: Figures | None, percentile: str) -> str:
    if figures is None:
        return "-"
    sure = reliable(percentile, figures.count) or percentile == "50"
    return f"{'' if sure else _DOUBTFUL}{_ms(figures.percentiles[percentile])}"


def _with_interval(figures: Figures | None, percentile: str) -> str:
    text = _percentile(figures, percentile)
    if figures is None or percentile not in figures.intervals:
        return text
    low, high = figures.intervals[percentile]
    return f"{text} [{_ms(low)}, {_ms(high)}]"


def _ms(micros: int) -> str:
    value = micros / _US_PER_MS
    return f"{value:.1f}" if value < _DIGITS_BELOW else f"{value:.0f}"

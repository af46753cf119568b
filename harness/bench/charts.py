"""A benchmark as charts, drawn by matplotlib.

Owns which charts there are. Equal results give equal SVG files: no date, no random ids.

Raises ImportError where matplotlib is not installed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, ScalarFormatter

from harness.bench.result import BenchResult, Row, Sweep
from harness.bench.segments import Segment

_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "hitl",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": "hitl-harness"},
    "png": {"Software": "hitl-harness"},
}
_NS_PER_MS: Final = 1_000_000
_COLUMNS: Final = 3
_NINES: Final = (50.0, 90.0, 99.0, 99.9)
_PARTS: Final = (Segment.FIRST_SCREEN, Segment.DECIDED, Segment.EFFECT, Segment.KNOWN)
_STYLES: Final = ("-", "--", ":", "-.")


def charts(result: BenchResult) -> dict[str, bytes]:
    """Return every chart that the rows allow, as SVG and PNG, by file name."""
    files: dict[str, bytes] = {}
    with mpl.rc_context(_STYLE):
        for name, draw in _CHARTS.items():
            figure = draw(result.rows)
            if figure is None:
                continue
            for kind in ("svg", "png"):
                out = BytesIO()
                figure.savefig(out, format=kind, dpi=144, metadata=_METADATA[kind])
                files[f"{name}.{kind}"] = out.getvalue()
    return files


def _ecdf(rows: Sequence[Row]) -> Figure | None:
    """End to end: the share of approvals that were done within a time, a panel for each network."""
    return _panels(
        [it for it in rows if it.sweep is Sweep.NETWORKS],
        "End to end, virtual time: share of approvals done within ...",
        _draw_ecdf,
    )


def _draw_ecdf(axes: Any, it: Row, style: str) -> None:
    values = sorted(ns / _NS_PER_MS for ns in it.latencies_ns.get(Segment.END_TO_END, []))
    shares = [(place + 1) / len(values) for place in range(len(values))]
    axes.step(values, shares, style, where="post", label=it.adapter)
    axes.set_xlabel("ms")
    axes.set_ylim(0, 1)


def _percentiles(rows: Sequence[Row]) -> Figure | None:
    """End to end: latency by percentile, the tail spread out, a panel for each network."""
    return _panels(
        [it for it in rows if it.sweep is Sweep.NETWORKS],
        "End to end, virtual time: latency by percentile",
        _draw_percentiles,
    )


def _draw_percentiles(axes: Any, it: Row, style: str) -> None:
    end = it.figures.get(Segment.END_TO_END)
    if end is None:
        return
    beyond = [100 / (100 - percentile) for percentile in _NINES]
    axes.plot(
        beyond, [end.percentiles[f"{at:g}"] / 1_000 for at in _NINES], style, marker="o", label=it.adapter
    )
    axes.set_xscale("log")
    axes.set_xticks(beyond, [f"{at:g}" for at in _NINES])
    axes.minorticks_off()
    axes.set_xlabel("percentile")
    axes.set_ylabel("ms")
    axes.set_ylim(bottom=0)


def _segments(rows: Sequence[Row]) -> Figure | None:
    """Where the time goes: medians of the segments, a bar for each network and implementation."""
    chosen = [it for it in rows if it.sweep is Sweep.NETWORKS]
    if not chosen:
        return None
    figure = Figure(figsize=(10, 1.2 + 0.35 * len(chosen)), layout="constrained")
    axes = figure.subplots()
    labels = [f"{it.network}, {it.adapter}" for it in chosen]
    left = [0.0] * len(chosen)
    for part in _PARTS:
        widths = [it.figures[part].percentiles["50"] / 1_000 if part in it.figures else 0.0 for it in chosen]
        axes.barh(labels, widths, left=left, label=str(part))
        left = [one + other for one, other in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("ms (sum of medians)")
    axes.set_title("Where the time goes, virtual time")
    axes.legend(loc="lower right")
    return figure


def _load(rows: Sequence[Row]) -> Figure | None:
    """Latency over load in real time: medians and 99th percentiles with their intervals."""
    chosen = [it for it in rows if it.sweep is Sweep.LOAD and Segment.END_TO_END in it.figures]
    if not chosen:
        return None
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, percentile in zip(figure.subplots(1, 2), ("50", "99"), strict=True):
        for name, style in _styled(chosen):
            own = [it for it in chosen if it.adapter == name]
            ends = [it.figures[Segment.END_TO_END] for it in own]
            offered = [it.rate for it in own]
            (line,) = axes.plot(
                offered, [it.percentiles[percentile] / 1_000 for it in ends], style, marker="o", label=name
            )
            bounds = [it.intervals.get(percentile, (it.percentiles[percentile],) * 2) for it in ends]
            low, high = ([pair[side] / 1_000 for pair in bounds] for side in (0, 1))
            axes.fill_between(offered, low, high, alpha=0.2, color=line.get_color())
        axes.set_xscale("log")
        axes.set_yscale("log")
        rates = sorted({it.rate for it in chosen})
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.set_xlabel("requests a second offered")
        axes.set_ylabel("ms")
        axes.set_title(f"p{percentile} end to end over load, {chosen[0].lane}")
        axes.legend()
    return figure


def _devices(rows: Sequence[Row]) -> Figure | None:
    """How long until all devices show a request, and what a reconnect storm costs."""
    wanted = ((Sweep.DEVICES, Segment.ALL_SCREENS), (Sweep.STORM, Segment.END_TO_END))
    chosen = [it for it in rows if it.sweep in (Sweep.DEVICES, Sweep.STORM)]
    if not chosen:
        return None
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (sweep, segment) in zip(figure.subplots(1, 2), wanted, strict=True):
        drawn = [it for it in chosen if it.sweep is sweep and segment in it.figures]
        for lane, name in dict.fromkeys((it.lane, it.adapter) for it in drawn):
            own = [it for it in drawn if (it.lane, it.adapter) == (lane, name)]
            values = [it.figures[segment].percentiles["50"] / 1_000 for it in own]
            style = "-" if lane == "virtual" else "--"
            axes.plot([it.devices for it in own], values, style, marker="o", label=f"{name}, {lane}")
        counts = sorted({it.devices for it in drawn})
        axes.set_xscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("devices")
        axes.set_ylabel("ms")
        axes.set_title("Until all devices show it" if sweep is Sweep.DEVICES else "Through a reconnect storm")
        axes.legend()
    return figure


def _panels(rows: Sequence[Row], title: str, draw: Callable[[Any, Row, str], None]) -> Figure | None:
    networks = list(dict.fromkeys(it.network for it in rows))
    if not networks:
        return None
    lines = -(-len(networks) // _COLUMNS)
    figure = Figure(figsize=(10, 0.6 + 2.8 * lines), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(lines, _COLUMNS, squeeze=False).flat
    styles = dict(_styled(rows))
    for axes, network in zip(grid, [*networks, *[""] * (lines * _COLUMNS - len(networks))], strict=True):
        if not network:
            axes.set_axis_off()
            continue
        axes.set_title(network)
        for it in rows:
            if it.network == network:
                draw(axes, it, styles[it.adapter])
        axes.legend()
    return figure


def _styled(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield each implementation with a style of line, so that colour is not the only sign."""
    for place, name in enumerate(dict.fromkeys(it.adapter for it in rows)):
        yield name, _STYLES[place % len(_STYLES)]


_CHARTS: Final[Mapping[str, Callable[[Sequence[Row]], Figure | None]]] = {
    "end-to-end": _ecdf,
    "percentiles": _percentiles,
    "segments": _segments,
    "load": _load,
    "devices": _devices,
}

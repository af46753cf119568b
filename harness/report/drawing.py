"""A space-time diagram drawn as SVG: alone in a file, or as the left part of a list of its rows.

Owns what lanes, events and messages look like, and the colours of both themes. Where things stand is said
by :mod:`harness.report.spacetime`. Everything is drawn with classes: no style attribute, no script, so
that a page with a strict policy can hold it.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Final

from harness.report.markup import escaped, shortened
from harness.report.spacetime import ROW_HEIGHT, Arrow, Diagram, Dot, Sign, Step, StepKind

HEAD_HEIGHT: Final = 84
"""Room for the names of the lanes, which stand aslant."""
_MARGIN: Final = 22
_LANE_GAP: Final = 46
_LANE_GAP_MANY: Final = 28
_MANY: Final = 6
_NAME_LENGTH_MAX: Final = 15
_TITLE_HEIGHT: Final = 44
_CLOCK_WIDTH: Final = 92
_CHARACTER_WIDTH: Final = 7
"""Of 13 pixel sans-serif, on the wide side: text is never cut off, a picture may be a little too wide."""
_TEXT_LENGTH_MAX: Final = 110

STYLE: Final = """
.lane{stroke:var(--lane,#b8bcc8);stroke-width:2}
.lane.down{stroke:var(--bad,#b4232f);stroke-dasharray:1 5;stroke-linecap:round}
.name{font:600 11px system-ui,sans-serif;fill:var(--soft,#555c6b)}
.msg{stroke:var(--msg,#4a63d0);stroke-width:1.6;fill:none}
.msg.faint{stroke:var(--lane,#b8bcc8);stroke-width:1}
.msg.lost{stroke:var(--bad,#b4232f);stroke-dasharray:4 3}
.tip{fill:var(--msg,#4a63d0)}
.tip.faint{fill:var(--lane,#b8bcc8)}
.x{stroke:var(--bad,#b4232f);stroke-width:2.2;stroke-linecap:round;fill:none}
.cut{fill:var(--bad,#b4232f);fill-opacity:.12}
.dot{fill:var(--ink,#1c2030);stroke:var(--card,#fff);stroke-width:2}
.dot.plain{fill:var(--soft,#555c6b)}
.dot.answer{fill:var(--msg,#4a63d0)}
.dot.decision{fill:var(--plum,#8b3fb0)}
.dot.effect{fill:var(--gold,#b26a00)}
.dot.outcome{fill:var(--good,#187a45)}
.dot.restart{fill:var(--card,#fff);stroke:var(--soft,#555c6b)}
.dot.hostile{fill:var(--bad,#b4232f)}
.halo{fill:none;stroke:var(--bad,#b4232f);stroke-width:2.4}
.idle{fill:var(--card,#fff)}
.tick{fill:var(--lane,#b8bcc8)}
""".strip().replace("\n", "")

_ALONE_STYLE: Final = """
svg{--card:#fff;--ink:#1c2030;background:var(--card)}
text{font:13px system-ui,sans-serif;fill:var(--ink)}
.clock{font:12px ui-monospace,monospace;fill:var(--soft,#555c6b)}
.host{font-weight:600}.folded{fill:var(--soft,#555c6b);font-style:italic}
.fault,.mark{fill:var(--bad,#b4232f)}.mark{fill-opacity:.09}.title{font-weight:600;font-size:15px}
@media(prefers-color-scheme:dark){svg{--card:#171a22;--ink:#e8eaf0;--soft:#a2a9b8;--lane:#4d5465;
--msg:#8fa3ff;--bad:#ff8089;--plum:#d49bf0;--gold:#f0b352;--good:#62d394}}
""".strip().replace("\n", "")

_CIRCLES: Final = {Sign.PLAIN: 4, Sign.ANSWER: 6, Sign.OUTCOME: 6, Sign.RESTART: 5}
_POLYGONS: Final = {
    Sign.DECISION: ((0, -8), (8, 0), (0, 8), (-8, 0)),
    Sign.EFFECT: ((-6, -6), (6, -6), (6, 6), (-6, 6)),
    Sign.HOSTILE: ((0, -8), (8, 6), (-8, 6)),
}


def graph_width(lanes: int) -> int:
    """Return how wide the lanes of a diagram are, margins included."""
    return 2 * _MARGIN + max(lanes - 1, 0) * _gap(lanes)


def _gap(lanes: int) -> int:
    return _LANE_GAP if lanes < _MANY else _LANE_GAP_MANY


def graph(diagram: Diagram) -> str:
    """Return the lanes with all that is on them; its rows begin below the names."""
    width, height = graph_width(len(diagram.lanes)), HEAD_HEIGHT + diagram.height
    head = f'<svg class="graph" width="{width}" height="{height}" aria-hidden="true" focusable="false">'
    return "".join([head, *_lanes(diagram), "</svg>"])


def picture(diagram: Diagram, title: str) -> str:
    """Return the whole diagram as an SVG document: lanes, and what happened beside them."""
    left = graph_width(len(diagram.lanes)) + 8
    texts = [len(step.host) + len(step.words) + 1 for step in diagram.steps]
    longest = min(max([*texts, len(title) - _CLOCK_WIDTH // _CHARACTER_WIDTH, 20]), _TEXT_LENGTH_MAX)
    width = left + _CLOCK_WIDTH + longest * _CHARACTER_WIDTH + _MARGIN
    height = _TITLE_HEIGHT + HEAD_HEIGHT + diagram.height + 12
    return "".join(_picture(diagram, title, (width, height), left))


def _picture(diagram: Diagram, title: str, size: tuple[int, int], left: int) -> Iterator[str]:
    name, (width, height) = escaped(title), size
    room = (width - 2 * _MARGIN) // _CHARACTER_WIDTH
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    yield f'viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'
    yield f"<title>{name}</title><style>{STYLE}{_ALONE_STYLE}</style>"
    yield f'<rect width="{width}" height="{height}" class="idle"/>'
    yield f'<text class="title" x="{_MARGIN - 8}" y="28">{escaped(shortened(title, room))}</text>'
    yield f'<g transform="translate(0 {_TITLE_HEIGHT})">'
    for step in diagram.steps:
        if step.marked:
            y = HEAD_HEIGHT + step.y - ROW_HEIGHT // 2
            yield f'<rect class="mark" x="0" y="{y}" width="{width}" height="{ROW_HEIGHT}"/>'
    yield from _lanes(diagram)
    for step in diagram.steps:
        yield _told(step, left)
    yield "</g></svg>\n"


def _told(step: Step, left: int) -> str:
    y = HEAD_HEIGHT + step.y + 4
    clock = (
        f'<text class="clock" x="{left + _CLOCK_WIDTH - 12}" y="{y}" text-anchor="end">{step.clock}</text>'
    )
    host = f'<tspan class="host">{escaped(step.host)}</tspan> ' if step.host else ""
    room = max(_TEXT_LENGTH_MAX - len(step.host), 20)
    words = escaped(shortened(step.words, room))
    quiet = step.kind in (StepKind.FOLDED, StepKind.IDLE)
    kind = "folded" if quiet else "fault" if step.kind is StepKind.FAULT or step.marked else "event"
    text = f"… {words} …" if quiet else f"{host}{words}"
    return f'{clock}<text class="{kind}" x="{left + _CLOCK_WIDTH}" y="{y}">{text}</text>'


def _lanes(diagram: Diagram) -> Iterator[str]:
    """Yield the elements from back to front: cuts, lanes, idle time, messages, events."""
    gap = _gap(len(diagram.lanes))
    xs = [_MARGIN + number * gap for number in range(len(diagram.lanes))]
    for host, x in zip(diagram.lanes, xs, strict=True):
        name = escaped(shortened(host, _NAME_LENGTH_MAX))
        yield f'<text class="name" transform="translate({x + 3} {HEAD_HEIGHT - 8}) rotate(-42)">{name}</text>'
    yield f'<g transform="translate(0 {HEAD_HEIGHT})">'
    for cut in diagram.cuts:
        across = xs[cut.other] - xs[cut.one]
        yield (
            f'<rect class="cut" x="{xs[cut.one]}" y="{cut.from_y}" width="{across}" '
            f'height="{cut.to_y - cut.from_y}"/>'
        )
    for piece in diagram.stretches:
        down = "" if piece.up else " down"
        x = xs[piece.lane]
        yield f'<path class="lane{down}" d="M{x} {piece.from_y}V{piece.to_y}"/>'
    for step in diagram.steps:
        if step.kind is StepKind.IDLE:
            yield from _idle(xs, step.y)
    for arrow in diagram.arrows:
        yield from _arrow(arrow, xs)
    for dot in diagram.dots:
        yield from _dot(dot, xs[dot.lane])
    yield "</g>"


def _idle(xs: list[int], y: int) -> Iterator[str]:
    """Yield the gap in the lanes that stands for idle time."""
    yield f'<rect class="idle" x="0" y="{y - 9}" width="{xs[-1] + _MARGIN if xs else 0}" height="18"/>'
    for x in xs:
        for dy in (-5, 0, 5):
            yield f'<circle class="tick" cx="{x}" cy="{y + dy}" r="1.5"/>'


def _arrow(arrow: Arrow, xs: list[int]) -> Iterator[str]:
    x1, x2 = xs[arrow.source], xs[arrow.target]
    y1, y2 = arrow.source_y, arrow.target_y
    if arrow.lost:
        x2 = (x1 + x2) // 2
        yield f'<path class="msg lost" d="M{x1} {y1}L{x2} {y2}"/>'
        yield f'<path class="x" d="M{x2 - 4} {y2 - 4}l8 8m0-8l-8 8"/>'
        return
    faint = " faint" if arrow.faint else ""
    yield f'<path class="msg{faint}" d="M{x1} {y1}L{x2} {y2}"/>'
    # The tip: a triangle along the line, from its point and direction, in whole tenths of a pixel.
    dx, dy = x2 - x1, y2 - y1
    length = max(sqrt(dx * dx + dy * dy), 1.0)
    ux, uy = dx / length, dy / length
    back_x, back_y = x2 - 9 * ux, y2 - 9 * uy
    points = ((x2, y2), (back_x - 3.6 * uy, back_y + 3.6 * ux), (back_x + 3.6 * uy, back_y - 3.6 * ux))
    yield f'<path class="tip{faint}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}z"/>'


def _dot(dot: Dot, x: int) -> Iterator[str]:
    y = dot.y
    if dot.sign is Sign.CRASH:
        yield f'<path class="x" d="M{x - 6} {y - 6}l12 12m0-12l-12 12"/>'
    elif dot.sign in _POLYGONS:
        points = " ".join(f"{x + dx},{y + dy}" for dx, dy in _POLYGONS[dot.sign])
        yield f'<polygon class="dot {dot.sign}" points="{points}"/>'
    else:
        yield f'<circle class="dot {dot.sign}" cx="{x}" cy="{y}" r="{_CIRCLES[dot.sign]}"/>'
    if dot.marked:
        yield f'<circle class="halo" cx="{x}" cy="{y}" r="12"/>'

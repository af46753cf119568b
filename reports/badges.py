"""Badges: one for every adapter and profile, as a picture and as an endpoint for badge services.

Owns what a badge looks like. What it may say is decided by :mod:`harness.report.profiles`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from harness.narrate import Tone
from harness.report import FinishedRun
from harness.report.markup import escaped, file_stem
from harness.report.profiles import ProfileStanding, standings

_CHARACTER_WIDTH: Final = 6.2
"""Of 11 pixel Verdana, on the wide side; the text is fitted to its half by ``textLength``."""
_PADDING: Final = 10
_COLOURS: Final = {
    Tone.GOOD: ("#1a7f37", "brightgreen"),
    Tone.BAD: ("#b4232f", "red"),
    Tone.DOUBTFUL: ("#8f5600", "orange"),
    Tone.FAINT: ("#555c6b", "lightgrey"),
}
"""Of the picture, dark enough for white text, and by name for a badge service."""


@dataclass(frozen=True, slots=True)
class BadgesReport:
    """One badge for each adapter and profile."""

    name: str = "badges"
    summary: str = "a badge for every adapter and profile: SVG, and JSON for a badge service"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``badges/ADAPTER-PROFILE.svg`` and ``.json``."""
        return dict(_files(run))


def _files(run: FinishedRun) -> Iterator[tuple[str, str]]:
    for adapter in run.result.adapters:
        for standing in standings(adapter):
            stem = f"badges/{file_stem(f'{adapter.adapter}-{standing.profile}')}"
            yield f"{stem}.svg", _svg(standing)
            yield f"{stem}.json", _endpoint(standing)


def _endpoint(standing: ProfileStanding) -> str:
    record = {
        "schemaVersion": 1,
        "label": f"hitl {standing.profile}",
        "message": standing.words,
        "color": _COLOURS[standing.standing.tone][1],
    }
    return json.dumps(record, indent=1) + "\n"


def _svg(standing: ProfileStanding) -> str:
    label, message = f"hitl {standing.profile}", standing.words
    left, right = _width(label), _width(message)
    colour = _COLOURS[standing.standing.tone][0]
    title = escaped(f"{standing.adapter}: {label}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3b404c"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{_PADDING // 2 + 1}" y="14" textLength="{left - _PADDING}">{escaped(label)}</text>'
        f'<text x="{left + _PADDING // 2}" y="14" textLength="{right - _PADDING}">{escaped(message)}</text>'
        "</g></svg>\n"
    )


def _width(text: str) -> int:
    return round(len(text) * _CHARACTER_WIDTH) + _PADDING


REPORTS: Final = (BadgesReport(),)

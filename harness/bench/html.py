"""A benchmark as one self-contained HTML file: the table, every chart, and what the figures mean.

Owns the page. It fetches nothing and runs no script.
"""

from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.bench.page import bench_page
from harness.bench.result import BenchResult
from harness.narrate.page import plain
from harness.report.markup import printable

_TITLES: Final = {
    "end-to-end": "How many approvals are done within a time",
    "percentiles": "The tail",
    "segments": "Where the time goes",
    "load": "Latency over load",
    "devices": "Many devices, and reconnect storms",
}


def bench_html(result: BenchResult, files: Mapping[str, bytes]) -> str:
    """Return the page about ``result``; ``files`` are its charts by name, of which the SVG ones are shown."""
    template = Environment(
        loader=PackageLoader("harness.bench", ""), autoescape=True, undefined=StrictUndefined
    ).get_template("page.html.j2")
    shown = [
        {"title": title, "name": name, "svg": Markup(_inner(files[f"{name}.svg"]))}  # noqa: S704 - our own drawing
        for name, title in _TITLES.items()
        if f"{name}.svg" in files
    ]
    adapters = list(dict.fromkeys(it.adapter for it in result.rows))
    table = printable(plain(bench_page(result)))
    return template.render(adapters=adapters, charts=shown, table=table, result=result) + "\n"


def _inner(svg: bytes) -> str:
    """Return the SVG element without the declarations that only a file of its own needs."""
    text = svg.decode("utf-8")
    return text[text.index("<svg") :]

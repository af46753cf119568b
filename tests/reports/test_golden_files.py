"""Rules about the text formats: equal runs give the files that are kept beside this test, byte for byte.

``HITL_UPDATE_GOLDEN=1 pytest tests/reports`` rewrites the files; their difference is then reviewed.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.reports.sample import rendered, sample_run

GOLDEN: Final = Path(__file__).parent / "golden"
FILES: Final = (
    ("markdown", "summary.md"),
    ("junit", "junit.xml"),
    ("svg", "diagrams/acme-P4.svg"),
    ("mermaid", "sequences/acme-P4.mmd"),
    ("perfetto", "traces/acme-P4.json"),
    ("badges", "badges/acme-core.svg"),
    ("badges", "badges/acme-core.json"),
    ("badges", "badges/acme-durable.json"),
)


@pytest.mark.parametrize(("report", "name"), FILES)
def test_equal_runs_give_the_recorded_bytes(report: str, name: str) -> None:
    data = rendered(report, sample_run())[name].encode()
    file = GOLDEN / Path(name).name
    if os.environ.get("HITL_UPDATE_GOLDEN"):
        file.write_bytes(data)
    assert data == file.read_bytes()


@pytest.mark.parametrize("report", sorted({report for report, _ in FILES} | {"html"}))
def test_rendering_twice_gives_the_same_bytes(report: str) -> None:
    assert rendered(report, sample_run()) == rendered(report, sample_run())

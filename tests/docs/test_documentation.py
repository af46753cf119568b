"""Documentation that a program can check is checked: tables, links, examples, claims about files."""

import re
from pathlib import Path
from typing import Final

import pytest

from harness.catalog import load_catalog
from tests.docs.fence_table import PAGE, page_with_table

ROOT: Final = Path(__file__).parent.parent.parent
PAGES: Final = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    if not path.is_relative_to(ROOT / ".nox")
)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_table_of_refused_calls_is_that_of_the_fence() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_table(page), 'run "python -m tests.docs.fence_table"'


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{short(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_no_page_is_wider_than_a_screen(page: Path) -> None:
    tables_and_commands = ("|", "    ", "- ", "#")
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        wide = len(line) > 120 and not line.startswith(tables_and_commands) and "](" not in line
        assert not wide, f"{short(page)}:{number} has {len(line)} characters"


def test_the_scenarios_page_lists_every_scenario_with_its_summary() -> None:
    page = (ROOT / "scenarios" / "README.md").read_text(encoding="utf-8")
    for plugin in load_catalog().scenarios.values():
        if plugin.path.parent == ROOT / "scenarios":
            row = f"| `{plugin.path.name}` | {plugin.value.summary} |"
            assert row in page, f"scenarios/README.md lacks the row {row}"


def test_the_reports_page_lists_every_report() -> None:
    page = (ROOT / "reports" / "README.md").read_text(encoding="utf-8")
    for plugin in load_catalog().reports.values():
        if plugin.path.parent == ROOT / "reports":
            assert f"`{plugin.name}`" in page


def test_the_scenario_of_the_guide_can_be_loaded_and_draws_a_plan(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "write-a-scenario.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    file = tmp_path / "answer_in_a_tunnel.py"
    file.write_text(code, encoding="utf-8")
    catalog = load_catalog([str(file)])
    assert not [problem for problem in catalog.problems if problem.path == file]
    assert catalog.scenario("answer_in_a_tunnel").path == file

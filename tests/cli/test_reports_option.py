"""Rules about ``hitl run --report``: which files come out, and what a broken report may do."""

import json
from pathlib import Path

from tests.cli.calling import Hitl

ROLES = ("--scenario", "role_rejection", "--examples", "8")

RAISING = '''"""A report that raises."""

from dataclasses import dataclass


@dataclass
class Raising:
    name: str = "raising"
    summary: str = "raises"

    def render(self, run):
        raise ValueError("no ink")


@dataclass
class Escaping:
    name: str = "escaping"
    summary: str = "writes elsewhere"

    def render(self, run):
        return {"../elsewhere.txt": "here"}


REPORTS = (Raising(), Escaping())
'''


def test_every_report_is_written_and_its_file_named(hitl: Hitl, plugin: str) -> None:
    done = hitl("run", "forgetful", "--plugin", plugin, *ROLES, "--report", "out")
    assert done.code == 1
    text = Path("out/report.txt").read_text(encoding="utf-8")
    assert text == done.out
    record = json.loads(Path("out/result.json").read_text(encoding="utf-8"))
    assert record["adapters"][0]["adapter"] == "forgetful"
    assert "report: out/report.txt" in done.err


def test_only_the_named_formats_are_written(hitl: Hitl, plugin: str) -> None:
    hitl("run", "forgetful", "--plugin", plugin, *ROLES, "--report", "out", "--format", "json")
    assert [path.name for path in Path("out").iterdir()] == ["result.json"]


def test_a_report_that_raises_is_named_and_the_others_are_still_written(hitl: Hitl, plugin: str) -> None:
    Path("mine.py").write_text(RAISING, encoding="utf-8")
    words = ("--report", "out", "--format", "raising", "--format", "json")
    done = hitl("run", "forgetful", "--plugin", plugin, "--plugin", "mine.py", *ROLES, *words)
    assert done.code == 2
    assert "the report raising failed: ValueError: no ink" in done.err
    assert Path("out/result.json").exists()


def test_a_report_cannot_write_outside_its_folder(hitl: Hitl, plugin: str) -> None:
    Path("mine.py").write_text(RAISING, encoding="utf-8")
    words = ("--report", "out", "--format", "escaping")
    done = hitl("run", "forgetful", "--plugin", plugin, "--plugin", "mine.py", *ROLES, *words)
    assert done.code == 2
    assert "lies outside out" in done.err
    assert not Path("elsewhere.txt").exists()


def test_a_report_folder_that_is_a_file_is_told(hitl: Hitl, plugin: str) -> None:
    Path("out").write_text("a file", encoding="utf-8")
    done = hitl("run", "forgetful", "--plugin", plugin, *ROLES, "--report", "out")
    assert done.code == 2
    assert "Choose another folder" in done.err

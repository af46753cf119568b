"""The catalogue: what it finds, and what it says of what it cannot load."""

from pathlib import Path

import pytest

from harness.catalog import UnknownNameError, load_catalog, suggest

SCENARIO = """
class Mine:
    name = "mine"
    summary = "a scenario of a user"
    properties = ("P1",)
    faults = ()
    def draw(self, choose): ...
SCENARIOS = (Mine(),)
"""


def test_built_in_plug_ins_are_found_in_sorted_order() -> None:
    catalog = load_catalog()
    assert list(catalog.scenarios) == sorted(catalog.scenarios)
    assert "first_response_wins" in catalog.scenarios
    assert "reference" in catalog.adapters
    assert not catalog.problems


def test_a_plug_in_of_a_users_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCENARIO)
    plugin = load_catalog([str(tmp_path)]).scenario("mine")
    assert plugin.path == tmp_path / "mine.py"


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCENARIO)
    assert "mine" in load_catalog([str(tmp_path / "mine.py")]).scenarios


def test_an_object_in_a_module_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_module.py").write_text(SCENARIO.replace("SCENARIOS = (Mine(),)", ""))
    monkeypatch.syspath_prepend(tmp_path)
    assert "mine" in load_catalog(["users_module:Mine"]).scenarios


def test_a_broken_plug_in_is_reported_with_file_and_line_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "mine.py").write_text(SCENARIO)
    (tmp_path / "unfinished.py").write_text("def f(:\n")
    catalog = load_catalog([str(tmp_path)])
    assert "mine" in catalog.scenarios
    assert "reference" in catalog.adapters
    told = [f"{problem.path.name}:{problem.line}: {problem.text}" for problem in catalog.problems]
    assert told[0] == "broken.py:2: ZeroDivisionError: division by zero"
    assert told[1].startswith("unfinished.py:1: SyntaxError")


def test_a_file_without_a_plug_in_says_what_is_due(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    (problem,) = load_catalog([str(tmp_path / "empty.py")]).problems
    assert "exports no" in problem.text


def test_a_name_that_is_taken_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCENARIO.replace('"mine"', '"first_response_wins"'))
    (problem,) = load_catalog([str(tmp_path)]).problems
    assert "'first_response_wins' is taken" in problem.text


def test_a_missing_plug_in_is_a_problem_not_a_crash() -> None:
    (problem,) = load_catalog(["no/such/folder"]).problems
    assert "no such plug-in" in problem.text


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'referense'\. Did you mean reference"):
        load_catalog().adapter("referense")
    assert "Known: a, b" in suggest("report", "zzz", ["b", "a"])

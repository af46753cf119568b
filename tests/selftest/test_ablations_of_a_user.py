"""Ablations are plug-ins like any other: a user's own are collected as the built-in ones are."""

from pathlib import Path

from harness.catalog import load_catalog
from harness.explore.selftest import Form, self_test

PLUGIN = """
from dataclasses import replace
from harness.ablation import Ablation
from harness.catalog import load_catalog

_BROKEN = load_catalog().ablations["run-the-tool-and-pass-it-the-verdict"].value.adapter
MINE = replace(_BROKEN, manifest=replace(_BROKEN.manifest, name="mine"))
ADAPTERS = (MINE,)
ABLATIONS = (Ablation("my-own-fault", MINE, ("P3",), "synthetic"),)
"""


def test_a_users_ablations_are_collected_and_looked_for_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    catalog = load_catalog([str(path)])
    assert catalog.problems == ()
    assert catalog.ablations["my-own-fault"].path == path
    mine = {"my-own-fault": catalog.ablations["my-own-fault"]}
    only_mine = type(catalog)(catalog.adapters, catalog.scenarios, catalog.reports, (), mine)
    result = self_test(only_mine, Form(1, 20, 2, 2), plugins=(str(path),), processes=2)
    assert result.rows[0].found
    assert {vigil.adapter for vigil in result.intact} == {"mine"}, "what stands beside it is watched"


def test_a_second_ablation_of_one_name_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.replace('"my-own-fault"', '"resuming-starts-over"'))
    (problem,) = load_catalog([str(path)]).problems
    assert "'resuming-starts-over' is taken" in problem.text

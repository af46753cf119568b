"""Which lane an adapter is played in, and how a lane that it does not have is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from harness.adapter import Adapter
from harness.catalog import Plugin
from harness.cli.errors import UserError
from harness.cli.playing import choose_lanes
from harness.cli.plugins import catalog_with
from harness.explore.conformance import EXAMPLES_IN_REAL_TIME

pytest.importorskip("ably")

ROOT: Final = Path(__file__).parents[2]


def plugins(*names: str) -> list[Plugin[Adapter]]:
    catalog = catalog_with(())
    return [catalog.adapter(name) for name in names]


def test_each_adapter_is_played_in_its_own_default_lane() -> None:
    playing = choose_lanes(plugins("reference", "ably"), None, None, skips=False)
    assert (dict(playing.real_time), dict(playing.skipped)) == ({}, {})


def test_a_wanted_lane_is_that_of_every_adapter_that_has_it() -> None:
    playing = choose_lanes(plugins("reference", "ably"), "wall", None, skips=True)
    assert [(name, it.lane) for name, it in playing.real_time.items()] == [("ably", "wall")]
    assert list(playing.skipped) == ["reference"]
    assert "no wall lane" in playing.skipped["reference"]


def test_a_named_adapter_without_the_wanted_lane_is_refused_with_what_to_type() -> None:
    with pytest.raises(UserError, match="reference has no wall lane, only virtual"):
        choose_lanes(plugins("ably", "reference"), "wall", None, skips=False)


def test_real_time_affords_fewer_plans_unless_the_user_says_how_many() -> None:
    playing = choose_lanes(plugins("ably"), "wall", None, skips=False)
    assert playing.real_time["ably"].examples == EXAMPLES_IN_REAL_TIME
    assert playing.examples(None, ["ably"]) == EXAMPLES_IN_REAL_TIME
    assert playing.examples(None, ["ably", "reference"]) is None, "each adapter says how many"
    assert choose_lanes(plugins("ably"), "wall", 7, skips=False).real_time["ably"].examples == 7


def test_the_result_says_in_which_lane_an_adapter_was_played(tmp_path: Path) -> None:
    words = ["run", "ably", "--wall", "--examples", "1", "--scenario", "early_response", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words, "--allow-inconclusive"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["adapters"]
    assert (row["adapter"], row["lane"], row["runs"]) == ("ably", "wall", 1)

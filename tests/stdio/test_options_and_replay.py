"""Options reach the adapter that takes them, and a counterexample of a command is replayed with them."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.calling import Hitl
from tests.cli.conftest import hitl as hitl  # noqa: PLC0414 - a fixture by its name
from tests.stdio.stepping import require_node

HERE: Final = Path(__file__).parent
IN_PYTHON: Final = f"cmd:{sys.executable} {HERE / 'eager_adapter.py'}"
IN_NODE: Final = f"cmd:node {HERE / 'eager_adapter.mjs'}"
FEW: Final = ("--scenario", "first_response_wins", "--examples", "1", "--allow-inconclusive")
HASTY: Final = ("--option", "haste=great")
SAVED: Final = Path(".hitl/runs/001/eager-P3")


def saved() -> dict[str, Any]:
    record: dict[str, Any] = json.loads((SAVED / "plan.json").read_text(encoding="utf-8"))
    return record


def test_in_virtual_time_a_command_with_options_is_replayed_to_the_byte(hitl: Hitl) -> None:
    require_node()
    done = hitl("run", IN_NODE, *FEW, *HASTY)
    assert done.code == 1, done.out + done.err
    assert f"hitl replay {SAVED.as_posix()}" in done.out
    assert (saved()["reference"], saved()["options"]) == (IN_NODE, {"haste": "great"})
    replayed = hitl("replay", str(SAVED))
    assert replayed.code == 0, replayed.out + replayed.err
    assert "✓ same digest" in replayed.out


def test_in_real_time_it_is_played_again_and_said_that_nothing_can_be_exact(hitl: Hitl) -> None:
    done = hitl("run", IN_PYTHON, *FEW, *HASTY)
    assert done.code == 1, done.out + done.err
    assert "where it may come out differently" in done.out
    assert saved()["lane"] == "wall"
    replayed = hitl("replay", str(SAVED))
    assert replayed.code == 0, replayed.out + replayed.err
    assert "✗ violated: " in replayed.out
    assert "Real time repeats nothing exactly: no bytes are compared." in " ".join(replayed.out.split())


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("hast=great", "unknown option 'hast'. Did you mean haste?"),
        ("haste=some", "haste is great or none"),
        ("haste", "NAME=VALUE is due here"),
    ],
)
def test_an_option_that_cannot_be_used_is_the_users_mistake(hitl: Hitl, option: str, said: str) -> None:
    done = hitl("run", IN_PYTHON, *FEW, "--option", option)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not Path(".hitl/runs").exists()


def test_an_option_is_set_on_the_adapters_that_take_it_only(hitl: Hitl) -> None:
    done = hitl("run", "genie", "reference", *FEW, "--option", "manager=built-in")
    assert done.code == 0, done.out + done.err


def test_a_damaged_lane_of_a_saved_run_is_refused(hitl: Hitl, tmp_path: Path) -> None:
    record = {"format": "hitl-run", "version": 1, "adapter": "reference", "scenario": "s", "property": "P1"}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**record, "digest": "0", "lane": "moon", "plan": {}}), encoding="utf-8")
    done = hitl("replay", str(file))
    assert done.code == 2
    assert "lane: " in done.err

"""``hitl run --update-expectations``: the list of known violations follows what the run shows."""

import shutil
from pathlib import Path

import pytest

from harness.expectations import NOT_EXPLAINED, read_expectations
from harness.results import Expected
from tests.cli.calling import PLUGIN, Hitl

FEW = ("--examples", "4", "--allow-inconclusive")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(PLUGIN, folder / "forgetful.py")
    return folder


def test_new_violations_are_listed_those_that_hold_are_struck_and_the_run_is_as_expected(
    hitl: Hitl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "expectations.toml"
    file.write_text(
        '# ours\n\n[[violation]]\nadapter = "forgetful"\nproperty = "P1"\nreason = "mended long ago"\n',
        encoding="utf-8",
    )
    words = ("run", "forgetful", "--plugin", str(folder / "forgetful.py"), *FEW)
    assert hitl(*words).code == 1
    small = hitl(*words, "--update-expectations")
    assert small.code == 0
    assert set(read_expectations(file).of("forgetful")) == {"P1", "P9"}, "a small run strikes nothing"
    monkeypatch.setattr("harness.cli.running.EXAMPLES", 4)
    done = hitl(*words, "--update-expectations")
    assert done.code == 0
    entries = read_expectations(file).of("forgetful")
    assert entries == {"P9": Expected(NOT_EXPLAINED)}
    assert "1 known violation, 0 new, 1 gone, 1 not yet explained" in done.err
    assert file.read_text(encoding="utf-8").startswith("# ours\n")
    before = file.read_bytes()
    assert hitl(*words).code == 0
    assert hitl(*words, "--update-expectations").code == 0
    assert file.read_bytes() == before


def test_a_part_of_the_suite_cannot_bring_the_list_up_to_date(hitl: Hitl, folder: Path) -> None:
    words = ("run", "forgetful", "--plugin", str(folder / "forgetful.py"), "--update-expectations")
    for further in (("--scenario", "role_rejection"), ("--ignore-expectations",)):
        done = hitl(*words, *further)
        assert done.code == 2
        assert "leave out --scenario and --ignore-expectations" in done.err

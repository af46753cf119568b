"""Rules about Node: the installed one first, then an importable one, then the machine's, if new enough."""

from pathlib import Path

import pytest

from harness.install import node
from harness.install.folders import node_part
from harness.install.node import find_node


@pytest.fixture
def bare(envs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 - sets a variable
    """Return the only folder in which programs are found; no Node is installed or importable."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(node, "_WHEEL", "hitl_no_such_wheel")
    return programs


def program(file: Path, says: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_a_machines_node_serves_if_it_is_new_enough_and_has_npm(bare: Path) -> None:
    machine = program(bare / "node", "v22.15.0")
    assert find_node() is None, "there is no npm"
    npm = program(bare / "npm", "10")
    found = find_node()
    assert found is not None
    assert (found.program, found.npm) == (machine, (str(npm),))


@pytest.mark.parametrize("says", ["v22.14.9", "v20.20.2", "nonsense"])
def test_an_older_node_counts_for_nothing(bare: Path, says: str) -> None:
    program(bare / "node", says)
    program(bare / "npm", "10")
    assert find_node() is None


def test_the_installed_node_comes_first_and_brings_its_npm(bare: Path) -> None:
    program(bare / "node", "v26.0.0")
    program(bare / "npm", "10")
    part = node_part()
    package = part.folder / "hitl_no_such_wheel"
    own = program(package / "bin" / "node", "v24.0.0")
    npm = program(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "10")
    part.stamp(part.folder)
    found = find_node()
    assert found is not None
    assert (found.program, found.npm) == (own, (str(own), str(npm)))

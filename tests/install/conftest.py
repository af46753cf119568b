"""An empty place for environments, and one in which the toys are installed."""

from pathlib import Path

import pytest

from harness.adapter import Adapter
from harness.catalog import load_catalog
from harness.install.building import install
from harness.install.folders import ENVS_VARIABLE
from tests.install.toylib import toys


@pytest.fixture
def envs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder in which environments are built."""
    folder = tmp_path / "envs"
    monkeypatch.setenv(ENVS_VARIABLE, str(folder))
    return folder


def adapter(plugin: Path, name: str) -> Adapter:
    """Return one adapter of a plug-in."""
    return load_catalog([str(plugin)]).adapter(name).value


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the toys' plug-in, and a folder with an environment for each of their two versions."""
    folder = tmp_path_factory.mktemp("toys")
    plugin, home = toys(folder / "plugin"), folder / "envs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVS_VARIABLE, str(home))
        for name in ("toy-one", "toy-two"):
            install(adapter(plugin, name).manifest.requires, lambda _text: None)
    return plugin, home

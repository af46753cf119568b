"""What ``hitl adapter install`` does: from names to requirements, and those brought about one by one.

Owns what is told meanwhile. How an installation is done is the business of :mod:`harness.install`.
"""

import sys
from collections.abc import Sequence

from harness.adapter import Adapter, Requires
from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.errors import UserError
from harness.cli.plugins import catalog_with
from harness.install.building import install
from harness.install.folders import NotInstalledError
from harness.install.steps import InstallError
from harness.results import ExitCode


def install_for(names: Sequence[str], plugins: Sequence[str], *, every: bool) -> int:
    """Install what the adapters ``names`` need, or ``every`` one; returns the exit code, raises UserError.

    An installation that fails is told and does not stop the others.
    """
    chosen = _chosen(catalog_with(plugins), names, every=every)
    for plugin in chosen:
        if not plugin.value.manifest.requires and not every:
            _say(f"{plugin.name} needs nothing beside the harness")
    due = dict.fromkeys(it for plugin in chosen for it in plugin.value.manifest.requires)
    failed = [it for it in due if not _installed(it)]
    return ExitCode.HARNESS_AT_FAULT if failed else ExitCode.CONFORMANT


def _chosen(catalog: Catalog, names: Sequence[str], *, every: bool) -> list[Plugin[Adapter]]:
    if every == bool(names):
        raise UserError("say for which adapters: name them, or say --all.")
    if every:
        return list(catalog.adapters.values())
    try:
        return [plugin for name in names for plugin in _called(catalog, name)]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list adapters" shows all.') from error


def _called(catalog: Catalog, name: str) -> list[Plugin[Adapter]]:
    """Return the adapters that share the environment ``name``, otherwise the adapter of that name."""
    sharing = [
        plugin
        for plugin in catalog.adapters.values()
        if name in {it.environment for it in plugin.value.manifest.requires}
    ]
    return sharing or [catalog.adapter(name)]


def _installed(requires: Requires) -> bool:
    try:
        install([requires], _say)
    except (InstallError, NotInstalledError) as error:
        print(f"hitl: {error}", file=sys.stderr)
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""``hitl adapter install``: what adapters wrap, brought into environments of their own.

Owns the way from names to requirements and what is told meanwhile. What an installation does is the business
of :mod:`harness.install`.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from harness.adapter import Adapter, Requires
from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.errors import UserError

_PLUGIN_HELP: Final = "A further plug-in: a folder, a .py file or package.module:Name."


def install(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Adapters whose packages to install.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Install what any adapter needs.")] = False,
    plugin: Annotated[list[str] | None, typer.Option(metavar="PATH", help=_PLUGIN_HELP)] = None,
) -> int:
    """Install the packages that adapters wrap, each into an environment of its own under .hitl/envs.

    Versions are those that the adapters' folders lock. What is there already is left alone.

    Exit codes: 0 all is there, 2 something could not be installed.
    """
    from harness.cli.plugins import catalog_with  # noqa: PLC0415 - only what a command needs, when it runs

    catalog = catalog_with(tuple(plugin or ()))
    chosen = _chosen(catalog, names or [], every=every)
    due = {it.name: it.value.manifest.requires for it in chosen}
    for name, requires in due.items():
        if not requires and not every:
            _say(f"{name} needs nothing beside the harness")
    return _install(tuple(dict.fromkeys(it for requires in due.values() for it in requires)))


def _chosen(catalog: Catalog, names: Sequence[str], *, every: bool) -> list[Plugin[Adapter]]:
    if every and names:
        raise UserError("--all installs for every adapter: leave out the names, or leave out --all.")
    if not every and not names:
        raise UserError("name the adapters to install for, or say --all.")
    if every:
        return list(catalog.adapters.values())
    chosen: list[Plugin[Adapter]] = []
    for name in names:
        sharing = [
            it
            for it in catalog.adapters.values()
            if name in {requires.environment for requires in it.value.manifest.requires}
        ]
        try:
            chosen.extend(sharing or [catalog.adapter(name)])
        except UnknownNameError as error:
            raise UserError(f'{error} "hitl list adapters" shows all.') from error
    return chosen


def _install(due: Sequence[Requires]) -> int:
    """Install each of ``due``; one that fails is told and does not stop the others."""
    from harness.install.building import install as install_all  # noqa: PLC0415 - as above
    from harness.install.folders import NotInstalledError  # noqa: PLC0415 - as above
    from harness.install.steps import InstallError  # noqa: PLC0415 - as above

    failed = False
    for requires in due:
        try:
            install_all([requires], _say)
        except (InstallError, NotInstalledError) as error:
            print(f"hitl: {error}", file=sys.stderr)
            failed = True
    return 2 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""``hitl adapter install``: what adapters wrap, brought into environments of their own.

Owns the options. What they lead to is in ``adapter_installing``.
"""

from typing import Annotated, Final

import typer

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
    from harness.cli.adapter_installing import install_for  # noqa: PLC0415 - `hitl --help` starts at once

    return install_for(tuple(names or ()), tuple(plugin or ()), every=every)

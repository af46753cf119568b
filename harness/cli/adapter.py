"""``hitl adapter``: commands about adapters themselves, before any scenario runs.

Owns the group. Each command stands in a module of its own.
"""

from typing import Final

import typer

from harness.cli.adapter_install import install

adapter_app: Final = typer.Typer(no_args_is_help=True, help="Install what adapters wrap.")

adapter_app.command()(install)


@adapter_app.callback()
def adapter() -> None:
    """Say that this is a group, even while it holds a single command."""

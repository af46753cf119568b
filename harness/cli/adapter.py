"""``hitl adapter``: commands about adapters themselves, before any scenario runs.

Owns the group. Each command stands in a module of its own.
"""

from typing import Final

import typer

from harness.cli.adapter_check import check
from harness.cli.adapter_install import install

adapter_app: Final = typer.Typer(no_args_is_help=True, help="Check adapters, and install what they wrap.")

adapter_app.command()(check)
adapter_app.command()(install)

"""``hitl adapter check``: tells the author of an adapter what is wrong with it before any scenario runs.

Owns the argument. What it leads to is in ``adapter_checking``.
"""

from typing import Annotated, Final

import typer

_COMMAND_HELP: Final = "What starts the adapter, in quotes: 'python my_adapter.py'."


def check(command: Annotated[str, typer.Argument(metavar="COMMAND", help=_COMMAND_HELP)]) -> int:
    """Try an adapter that is a process: hello, boot, calls, double answers, power loss, close.

    Says of everything that is wrong why it matters and what to do. Nothing is judged but the adapter itself.

    Exit codes: 0 it keeps the contract, 1 it does not, 2 it cannot be started.
    """
    from harness.cli.adapter_checking import check_command  # noqa: PLC0415 - `hitl --help` starts at once

    return check_command(command)

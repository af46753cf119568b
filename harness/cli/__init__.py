"""The command line: ``hitl``.

Owns the way in and the one boundary behind which an escaped exception is a fault of the harness: exit
code 2, never 1, because 1 says that an implementation breaks a promise.
"""

import os
import sys
import traceback
from typing import Final

from harness.cli.app import INPUT_ERRORS, command

_HARNESS_AT_FAULT: Final = 2
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
"""What a shell reports of a program that wrote into a closed pipe."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; ``arguments`` default to the process's own."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = command()(arguments, prog_name="hitl", standalone_mode=False)
    except INPUT_ERRORS as error:
        format_message = getattr(error, "format_message", error.__str__)
        print(f"hitl: {format_message()}", file=sys.stderr)
        return _HARNESS_AT_FAULT
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception:  # noqa: BLE001 - the last boundary: anything else is a fault of the harness
        traceback.print_exc()
        note = "this is a fault of the harness, not of what it tests; please report the lines above."
        print(f"hitl: {note}", file=sys.stderr)
        return _HARNESS_AT_FAULT
    return code if isinstance(code, int) else 0

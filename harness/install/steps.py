"""The commands that an installation runs, and what is said where one fails.

Owns how pip and npm are called and how their complaints are read. Each runs to its end, without a question to
the user.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

PIP_INSTALL: Final = ("--disable-pip-version-check", "--no-input", "install", "--quiet")
NPM_CI: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_LINES_SHOWN: Final = 12
_ADVICE: Final = (
    (
        r"ResolutionImpossible",
        "Its versions exclude those that the harness needs. Lock others, or use the out-of-process contract.",
    ),
    (
        r"DO NOT MATCH THE HASHES|EINTEGRITY",
        "The registry hands out something else than what was locked: find out why before you lock it anew.",
    ),
    (
        r"all requirements must have their versions pinned|Hashes are required",
        "Lock it anew, with all it needs.",
    ),
    (r"can only install packages when your package.json", "Lock it anew: npm install --package-lock-only."),
    (r"No space left|ENOSPC", "The disk is full."),
    (
        r"getaddrinfo|name resolution|onnection|unreachable|timed out|ENOTFOUND|EAI_AGAIN|E(CONN|TIMED)\w+",
        "Can the package registry be reached? Look at the network, and at the proxy settings of pip or npm.",
    ),
    (
        r"No matching distribution",
        "Has the registry that version for this Python and platform? Can the package registry be reached?",
    ),
)
"""What to do about a failed step, by what it said; the first that fits."""
_OTHER_ADVICE: Final = "The lines above are what it said last."


class InstallError(Exception):
    """An installation failed; the text says at what, with the last lines of what was run, and what to do."""


def run_step(what: str, command: Sequence[str], folder: Path | None = None) -> None:
    """Run ``command`` to its end; raises InstallError, which says that ``what`` failed."""
    variables = {key: it for key, it in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(  # noqa: S603 - venv, pip and npm, with arguments made by this package
            list(command),
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InstallError(f"{what}: {command[0]} cannot be started: {error.strerror}.") from error
    if done.returncode != 0:
        raise InstallError("\n".join([f"{what} failed:", *_last_lines(done.stdout), _advice(done.stdout)]))


def _last_lines(said: str) -> Iterable[str]:
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    return [f"  {line}" for line in lines[-_LINES_SHOWN:]]


def _advice(said: str) -> str:
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, said)), _OTHER_ADVICE)

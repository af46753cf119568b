"""Options that several commands share: their types, help texts, and what their words mean.

Owns the wording, so that an option says the same wherever it stands.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from harness.cli.errors import UserError

RUNS_DIR: Final = Path(".hitl/runs")

_PLUGIN_HELP: Final = "A further plug-in: a folder, a .py file or package.module:Name."
_EXAMPLES_HELP: Final = "Plans to try for each scenario; default: 100, 3 in real time."
_SEED_HELP: Final = 'Equal seeds give equal results; "random" searches anew each time.'

AdaptersArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ADAPTER]...", help="Which to test; default: reference.")
]
EveryOption = Annotated[bool, typer.Option("--all", help="Test every adapter in the catalogue.")]
ExamplesOption = Annotated[int | None, typer.Option(min=1, metavar="N", help=_EXAMPLES_HELP)]
SeedOption = Annotated[str, typer.Option(metavar="N", help=_SEED_HELP)]
ScenarioOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this scenario; repeatable.")
]
ReportOption = Annotated[Path | None, typer.Option(metavar="DIR", help="Write reports into this folder.")]
FormatsOption = Annotated[
    list[str] | None, typer.Option("--format", metavar="NAME", help="Which reports; default: all.")
]
IgnoreOption = Annotated[
    bool, typer.Option("--ignore-expectations", help="Count known violations like any other.")
]
AllowOption = Annotated[
    bool, typer.Option("--allow-inconclusive", help="Exit 0 where something could not be judged.")
]
WallOption = Annotated[
    bool, typer.Option("--wall", help="In real time, over real sockets to a server of its own on loopback.")
]
LiveOption = Annotated[
    bool, typer.Option("--live", help="In real time, against the Ably account whose key is in ABLY_API_KEY.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="Set an option of the adapters; repeatable."),
]
PluginOption = Annotated[list[str] | None, typer.Option("--plugin", metavar="PATH", help=_PLUGIN_HELP)]
RunsOption = Annotated[Path, typer.Option(metavar="DIR", help="Where run folders go.")]


def lane_of(*, wall: bool, live: bool) -> Literal["wall", "live"] | None:
    """Return the lane that two options ask for, None for each adapter's own; raises UserError."""
    if wall and live:
        raise UserError("--wall runs on loopback, --live against an account: choose one.")
    return "live" if live else "wall" if wall else None


def seed_of(text: str) -> int | None:
    """Return a seed, None for a new one each time; raises UserError."""
    if text == "random":
        return None
    if not text.isascii() or not text.isdecimal():
        raise UserError(f'--seed {text}: a number from 0 on or "random" is due here.')
    return int(text)

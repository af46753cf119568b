"""``hitl bench``: approval latency, virtual and real.

Owns the options and help texts. What they lead to is imported when it runs.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

_OUT: Final = Path(".hitl/bench")


class BenchLane(StrEnum):
    """Where latency is measured."""

    VIRTUAL = "virtual"
    WALL = "wall"
    LIVE = "live"


def bench(  # noqa: PLR0913 - one parameter per option
    *,
    adapters: Annotated[
        list[str] | None, typer.Argument(metavar="[ADAPTER]...", help="Which to measure; default: reference.")
    ] = None,
    lane: Annotated[
        list[BenchLane] | None,
        typer.Option(help="Where; repeatable. Default: virtual, and wall for those that have it."),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this network; repeatable. Default: all, in virtual time."),
    ] = None,
    requests: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Requests a row in virtual time, and at most in real time."),
    ] = 1_000,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=0.1, metavar="N", help="Requests a second in real time; repeatable: a sweep."),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="Devices of the person who answers.")] = 3,
    crowd: Annotated[
        list[int] | None,
        typer.Option(min=1, max=10_000, metavar="N", help="Device counts to sweep; repeatable, 1 to 10000."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Equal seeds give equal virtual figures.")
    ] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where charts, CSV and JSON go.")] = _OUT,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin", metavar="PATH", help="A further plug-in: a folder, a .py file or package.module:Name."
        ),
    ] = None,
) -> int:
    """Measure approval latency, end to end and by segment, of several implementations side by side.

    Exit codes: 0 measured, 2 the input is at fault, 3 something could not be measured.
    """
    from harness.cli.benching import Request, measure  # noqa: PLC0415 - `hitl --help` starts at once

    request = Request(
        adapters=tuple(adapters or ()),
        lanes=tuple(it.value for it in lane or ()),
        profiles=tuple(profile or ()),
        requests=requests,
        rates=tuple(rate or ()),
        devices=devices,
        crowds=tuple(crowd or ()),
        seed=seed,
        out=out,
        as_json=json,
        plugins=tuple(plugin or ()),
    )
    return measure(request)

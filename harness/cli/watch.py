"""``hitl watch``: a run with a page that shows how it goes, or a race to be played by hand.

Owns the options. What they lead to is in ``watching`` and ``hands_on``.
"""

from typing import Annotated

import typer

from harness.cli.errors import UserError
from harness.cli.options import (
    RUNS_DIR,
    AdaptersArgument,
    AllowOption,
    EveryOption,
    ExamplesOption,
    FormatsOption,
    IgnoreOption,
    LiveOption,
    PluginOption,
    ReportOption,
    RunsOption,
    ScenarioOption,
    SeedOption,
    SetOption,
    WallOption,
    lane_of,
    seed_of,
)


def watch(  # noqa: PLR0913 - one parameter per option
    *,
    adapters: AdaptersArgument = None,
    play: Annotated[
        bool, typer.Option("--play", help="Play a device yourself: two tabs race for one request.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the page is served; 0 picks a free port.")
    ] = 0,
    once: Annotated[
        bool, typer.Option("--once", help="End with the run, instead of leaving the page up until Ctrl-C.")
    ] = False,
    every: EveryOption = False,
    examples: ExamplesOption = None,
    seed: SeedOption = "0",
    scenario: ScenarioOption = None,
    report: ReportOption = None,
    formats: FormatsOption = None,
    ignore_expectations: IgnoreOption = False,
    allow_inconclusive: AllowOption = False,
    wall: WallOption = False,
    live: LiveOption = False,
    option: SetOption = None,
    plugin: PluginOption = None,
    runs_dir: RunsOption = RUNS_DIR,
) -> int:
    """Run the conformance suite with a page on loopback that shows how it goes, or play a device yourself.

    The run is that of "hitl run": the same folder, output and exit codes. With --play nothing is run but the
    rounds that you play; it exits 0 on Ctrl-C.
    """
    if play:
        if every or scenario or report or live or examples is not None:
            raise UserError("--play runs no suite: it takes names of adapters, --port and --plugin only.")
        from harness.cli.hands_on import play_by_hand  # noqa: PLC0415 - `hitl --help` starts at once

        return play_by_hand(tuple(adapters or ()), tuple(plugin or ()), port)
    from harness.cli.running import Request  # noqa: PLC0415 - as above
    from harness.cli.watching import watch_run  # noqa: PLC0415 - as above

    request = Request(
        adapters=tuple(adapters or ()),
        every_adapter=every,
        scenarios=tuple(scenario or ()),
        examples=examples,
        seed=seed_of(seed),
        as_json=False,
        report_folder=report,
        formats=tuple(formats or ()),
        use_expectations=not ignore_expectations,
        update_expectations=False,
        allow_inconclusive=allow_inconclusive,
        plugins=tuple(plugin or ()),
        runs_folder=runs_dir,
        lane=lane_of(wall=wall, live=live),
        options=tuple(option or ()),
    )
    return watch_run(request, port, stays=not once)

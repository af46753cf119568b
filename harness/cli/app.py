"""The commands, their options and their help texts.

Owns the surface only: each command hands plain values to a module that is imported when the command
runs, so that ``hitl --help`` starts at once.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from harness.cli.adapter import adapter_app
from harness.cli.bench import bench
from harness.cli.compare import compare, trend
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
from harness.cli.serve import serve
from harness.cli.watch import watch

INPUT_ERRORS: Final[tuple[type[Exception], ...]] = (
    UserError,
    *(
        it
        for it in typer.BadParameter.__mro__
        if issubclass(it, Exception) and it.__name__ == "ClickException"
    ),
)
"""What a command raises where the input is at fault: its own error, and the base of typer's errors for
unknown options and the like, wherever this version of typer keeps it."""

app: Final = typer.Typer(
    name="hitl",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command() -> Callable[..., Any]:
    """Return the command line as a callable."""
    return typer.main.get_command(app)


class ListKind(StrEnum):
    """What ``hitl list`` can list."""

    ADAPTERS = "adapters"
    SCENARIOS = "scenarios"
    PROPERTIES = "properties"
    REPORTS = "reports"


class SchemaKind(StrEnum):
    """Which of the published formats ``hitl schema`` prints."""

    PLAN = "plan"
    TRACE = "trace"
    RESULT = "result"
    STDIO = "stdio"


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer hands a flag to its callback
    if wanted:
        from harness.cli.catalogue import print_version

        print_version()
        raise typer.Exit


@app.callback()
def hitl(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find out whether a human-in-the-loop approval system keeps its promises."""


@app.command(name="run")
def run_command(
    *,
    adapters: AdaptersArgument = None,
    every: EveryOption = False,
    examples: ExamplesOption = None,
    seed: SeedOption = "0",
    scenario: ScenarioOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
    report: ReportOption = None,
    formats: FormatsOption = None,
    ignore_expectations: IgnoreOption = False,
    update_expectations: Annotated[
        bool,
        typer.Option("--update-expectations", help="Rewrite each adapter's list of known violations."),
    ] = False,
    allow_inconclusive: AllowOption = False,
    wall: WallOption = False,
    live: LiveOption = False,
    option: SetOption = None,
    plugin: PluginOption = None,
    runs_dir: RunsOption = RUNS_DIR,
) -> int:
    """Run the conformance suite and show which promises hold.

    Exit codes: 0 conformant, 1 violated, 2 the harness or its input is at fault, 3 inconclusive.
    """
    from harness.cli.running import Request, run

    request = Request(
        adapters=tuple(adapters or ()),
        every_adapter=every,
        scenarios=tuple(scenario or ()),
        examples=examples,
        seed=seed_of(seed),
        as_json=json,
        report_folder=report,
        formats=tuple(formats or ()),
        use_expectations=not ignore_expectations,
        update_expectations=update_expectations,
        allow_inconclusive=allow_inconclusive,
        plugins=tuple(plugin or ()),
        runs_folder=runs_dir,
        lane=lane_of(wall=wall, live=live),
        options=tuple(option or ()),
    )
    return run(request)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan.json, or the folder that holds it.")],
    *,
    plugin: PluginOption = None,
) -> int:
    """Execute a saved plan again and compare every event with what was recorded.

    What was played in real time is played there again, and only judged: real time repeats nothing exactly.

    Exit codes: 0 the same bytes, in real time the same violation; 1 it came out differently; 2 the file or
    the harness is at fault.
    """
    from harness.cli.replaying import replay_file

    return replay_file(file, tuple(plugin or ()))


@app.command(name="list")
def list_command(
    kind: Annotated[ListKind | None, typer.Argument(help="What to list; default: everything.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    plugin: PluginOption = None,
) -> int:
    """List adapters, scenarios, properties and reports."""
    from harness.cli.catalogue import print_catalogue

    kinds = [kind.value] if kind else [it.value for it in ListKind]
    return print_catalogue(kinds, tuple(plugin or ()), as_json=json)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="PROPERTY", help="Its id or name: P1 or single-winner.")],
) -> int:
    """Say what a property demands and why, with one trace that keeps it and one that breaks it."""
    from harness.cli.catalogue import print_property

    return print_property(name)


@app.command()
def schema(kind: Annotated[SchemaKind, typer.Argument(help="Which format.")]) -> int:
    """Print the JSON schema of a file format."""
    from harness.cli.catalogue import print_schema

    return print_schema(kind.value)


@app.command()
def selftest(
    *,
    short: Annotated[bool, typer.Option("--short", help="One seed instead of five; under a minute.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes to use; default: one a core.")
    ] = None,
    plugin: PluginOption = None,
) -> int:
    """Prove that the harness finds bugs: every ablation is found, and nothing where nothing is wrong.

    Exit codes: 0 all as expected, 1 something was missed or found where nothing is wrong.
    """
    from harness.cli.selftest import run_self_test

    return run_self_test(tuple(plugin or ()), short=short, as_json=json, processes=processes)


@app.command(hidden=True)
def inside(file: Annotated[Path, typer.Argument(help="What to do.")]) -> int:
    """Do a part of a run for another process, in the environment of an adapter."""
    from harness.cli.inside import run_task

    return run_task(file)


app.command()(serve)
app.command()(bench)
app.command()(compare)
app.command()(trend)
app.command()(watch)
app.add_typer(adapter_app, name="adapter")


@app.command()
def check(
    traces: Annotated[
        list[str], typer.Argument(metavar="TRACE...", help="Logs, run folders, or - for standard input.")
    ],
    *,
    mapping: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="How records of a foreign log become events."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit 0 where something could not be judged.")
    ] = False,
    plugin: PluginOption = None,
) -> int:
    """Judge recorded traces: this tool's own, or production logs through a mapping.

    Exit codes: 0 nothing violated, 1 violated, 2 a log cannot be read, 3 something stays open.
    """
    from harness.cli.check import Request
    from harness.cli.check import check as check_traces

    request = Request(tuple(traces), mapping, json, allow_inconclusive, tuple(plugin or ()))
    return check_traces(request)


@app.command()
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders; default: the newest one."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Write the files into this folder.")],
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="Which reports; default: all.")
    ] = None,
    plugin: PluginOption = None,
    runs_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders lie.")] = RUNS_DIR,
) -> int:
    """Render run folders again: as HTML, Markdown, JUnit XML, SVG, badges and more.

    Exit codes: 0 rendered, whatever the verdicts; 2 a run cannot be read or a report failed.
    """
    from harness.cli.report import Request
    from harness.cli.report import report as render

    request = Request(tuple(runs or ()), tuple(formats or ()), out, tuple(plugin or ()), runs_dir)
    return render(request)

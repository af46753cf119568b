"""How far a run is, on standard error.

Owns two faces: a live bar where standard error is a terminal, one line a finished scenario where it is a
file. Neither has any say in what a run does.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from harness.explore.conformance import Progress as SuiteProgress
from harness.explore.conformance import Seen
from harness.narrate import plural
from harness.results import Counterexample

_EVERY: int = 5
"""Runs between two updates of the bar; each update costs as much as a tenth of a run."""


class ProgressFace(SuiteProgress, Protocol):
    """Progress that opens before a run and closes after it."""

    def __enter__(self) -> Self:
        """Begin to show progress."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal clean."""


def progress_on(console: Console) -> ProgressFace:
    """Return the face that suits ``console``."""
    return LiveProgress(console) if console.is_terminal else LineProgress(console)


class LiveProgress:
    """A bar for each scenario that is being run, gone when all is done."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Add a bar."""
        self._task = self._bar.add_task(f"{adapter}  {scenario}", total=examples, note="")

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:  # noqa: ARG002 - the bar names both
        """Move the bar; runs beyond the examples are those of shrinking."""
        if runs % _EVERY == 0:
            total = self._bar.tasks[self._task].total or 0
            note = "making what was found smaller" if runs > total else ""
            self._bar.update(self._task, completed=min(runs, total), note=note)

    def shrinking(self, adapter: str, property_id: str) -> None:  # noqa: ARG002 - the bar names the adapter
        """Say what is being made smaller."""
        self._bar.update(self._task, note=f"making the counterexample to {property_id} smaller")

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Say nothing: the page shows what was found."""

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:  # noqa: ARG002 - see above
        """Fill the bar."""
        self._bar.update(self._task, completed=self._bar.tasks[self._task].total, note=plural(runs, "run"))


class LineProgress:
    """One line for each scenario when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Say nothing yet."""

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:
        """Say nothing yet."""

    def shrinking(self, adapter: str, property_id: str) -> None:
        """Say nothing yet."""

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Say nothing: the page shows what was found."""

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:  # noqa: ARG002 - the page says what was found
        """Say that a scenario is done."""
        text = f"{adapter} {scenario}: {plural(runs, 'run')}"
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

"""In which lane each adapter is played: the one that the user wants, or its own default.

Owns the choice and how it is refused. An adapter that was named and does not have the wanted lane is an error
of the user's; one that merely belongs to all is skipped with the reason.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from harness.adapter import Adapter, LaneName
from harness.catalog import Plugin
from harness.cli.errors import UserError
from harness.explore.conformance import EXAMPLES_IN_REAL_TIME, RealTime
from harness.trace import Trace

if TYPE_CHECKING:
    from harness.wall.lanes import Lane


@dataclass(frozen=True, slots=True)
class Playing:
    """The chosen lanes: who plays in real time, and how, and who is left out, and why; by adapter's name."""

    real_time: Mapping[str, RealTime] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def traces(self) -> dict[tuple[str, str], Trace]:
        """What was recorded of violations in real time, which nothing reproduces."""
        found: dict[tuple[str, str], Trace] = {}
        for real_time in self.real_time.values():
            found |= real_time.traces
        return found

    def examples(self, wanted: int | None, played: Iterable[str]) -> int | None:
        """Return how many plans a scenario are tried, those of real time where nothing else is ``played``.

        None means as many as each adapter says.
        """
        simulated = any(name not in self.real_time for name in played)
        return wanted or (None if simulated else EXAMPLES_IN_REAL_TIME)


def choose_lanes(
    adapters: Sequence[Plugin[Adapter]], wanted: LaneName | None, examples: int | None, *, skips: bool
) -> Playing:
    """Return the lane of each adapter, ``wanted`` or its default one.

    One that does not have the wanted lane is skipped where the user did not name it (``skips``). Raises
    UserError where it was named, and where a lane cannot be used.
    """
    chosen: dict[str, LaneName] = {}
    skipped: dict[str, str] = {}
    for plugin in adapters:
        lanes = plugin.value.manifest.lanes
        if wanted is None or wanted in lanes:
            chosen[plugin.name] = wanted or lanes[0]
        elif skips:
            skipped[plugin.name] = f"it has no {wanted} lane, only {_listed(lanes)}; leave out --{wanted}"
        else:
            raise UserError(_refusal(plugin, wanted))
    count = examples or EXAMPLES_IN_REAL_TIME
    real_time = {name: _real_time(lane, count) for name, lane in chosen.items() if lane != "virtual"}
    return Playing(real_time, skipped)


def _refusal(plugin: Plugin[Adapter], wanted: LaneName) -> str:
    lanes = plugin.value.manifest.lanes
    return (
        f"--{wanted}: {plugin.name} has no {wanted} lane, only {_listed(lanes)}. Leave out --{wanted} to "
        f'play it in its {lanes[0]} lane; "hitl list adapters" shows the lanes of all.'
    )


def _listed(lanes: Sequence[LaneName]) -> str:
    return " and ".join(lanes)


def _real_time(lane_name: LaneName, examples: int) -> RealTime:
    from harness.wall.parallel import play_all  # noqa: PLC0415 - loaded only where it is needed

    return RealTime(lane_name, partial(play_all, lane=real_lane(lane_name)), examples)


def real_lane(name: LaneName) -> "Lane":
    """Return the lane of that name, which is not the virtual one; raises UserError."""
    from harness.wall.lanes import LaneError, LoopbackLane, live_lane  # noqa: PLC0415 - as above

    try:
        return LoopbackLane() if name == "wall" else live_lane(os.environ)
    except LaneError as error:
        raise UserError(f"--{name}: {error}") from None

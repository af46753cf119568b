"""A benchmark from beginning to end: every implementation under every condition, side by side.

Owns the order of measurements and what is measured by default. Implementations take turns within each
condition, so that a machine that slows down slows all of them down.
"""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from harness.adapter import Adapter
from harness.bench import real_time, virtual
from harness.bench.measured import Measured, UnmeasuredError
from harness.bench.profiles import PROFILES, NetworkProfile
from harness.bench.result import BenchResult, Row, Sweep, row
from harness.wall.lanes import Lane

REQUESTS: Final = 1_000
RATES: Final = (5.0, 20.0, 50.0, 100.0, 200.0)
CROWDS: Final = (1, 10, 100)
DEVICES: Final = 3
CROWD_PROFILE: Final = PROFILES["lte"]
NO_SUCH_LANE: Final = "has no such lane"
_STEP_S: Final = 4.0
_STEP_REQUESTS_MAX: Final = 400
_STEP_REQUESTS_MIN: Final = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured. ``lanes`` are ``virtual`` and the real ones by name."""

    adapters: Sequence[Adapter]
    virtual: bool
    lanes: Sequence[Lane]
    profiles: Sequence[NetworkProfile]
    requests: int = REQUESTS
    devices: int = DEVICES
    rates: Sequence[float] = RATES
    crowds: Sequence[int] = CROWDS
    seed: int = 0


Tell = Callable[[str], None]
"""Is told what is being measured now."""


@dataclass(slots=True)
class Session:
    """One benchmark under way; ``rows`` are usable at every moment."""

    wanted: Wanted
    tell: Tell
    rows: list[Row]
    not_measured: list[tuple[str, str, str]]

    def run(self) -> None:
        """Measure everything that is wanted; raises LaneError where a lane cannot be used."""
        if self.wanted.virtual:
            self._virtual()
        for lane in self.wanted.lanes:
            self._real(lane)

    def result(self) -> BenchResult:
        """Return what was measured by now."""
        real = any(it.lane != "virtual" for it in self.rows)
        return BenchResult(
            self.wanted.seed,
            self.wanted.requests,
            tuple(self.rows),
            tuple(self.not_measured),
            _environment() if real else {},
        )

    def _virtual(self) -> None:
        wanted = self.wanted
        for profile in wanted.profiles:
            for adapter in self._offering("virtual"):
                taken = self._tried(
                    adapter,
                    f"virtual, {profile.name}",
                    partial(
                        virtual.measure_profile,
                        profile=profile,
                        requests=wanted.requests,
                        devices=wanted.devices,
                        seed=wanted.seed,
                    ),
                )
                self._add(
                    Sweep.NETWORKS, "virtual", adapter, taken, profile.name, virtual.RATE, wanted.devices
                )
        for sweep, measure in (
            (Sweep.DEVICES, virtual.measure_devices),
            (Sweep.STORM, virtual.measure_storm),
        ):
            for count in wanted.crowds:
                for adapter in self._offering("virtual"):
                    taken = self._tried(
                        adapter,
                        f"virtual, {sweep}, {count} devices",
                        partial(measure, profile=CROWD_PROFILE, devices=count, seed=wanted.seed),
                    )
                    self._add(sweep, "virtual", adapter, taken, CROWD_PROFILE.name, 0, count)

    def _real(self, lane: Lane) -> None:
        wanted = self.wanted
        network = "loopback" if lane.own_service else "internet"
        for rate in wanted.rates:
            for adapter in self._offering(lane.name):
                self._load(adapter, lane, network, rate)
        if not lane.own_service:
            return
        for sweep, measure in (
            (Sweep.DEVICES, real_time.measure_devices),
            (Sweep.STORM, real_time.measure_storm),
        ):
            for count in wanted.crowds:
                for adapter in self._offering(lane.name):
                    taken = self._tried(
                        adapter,
                        f"{lane.name}, {sweep}, {count} devices",
                        partial(measure, lane=lane, devices=count),
                    )
                    self._add(sweep, lane.name, adapter, taken, network, 0, count)

    def _load(self, adapter: Adapter, lane: Lane, network: str, rate: float) -> None:
        wanted = self.wanted
        requests = int(min(max(rate * _STEP_S, _STEP_REQUESTS_MIN), _STEP_REQUESTS_MAX, wanted.requests))
        self.tell(f"{adapter.manifest.name}: {lane.name}, {rate:g} requests a second")
        try:
            load = real_time.measure_load(adapter, lane, rate, requests, wanted.devices, wanted.seed)
        except UnmeasuredError as error:
            self.not_measured.append((adapter.manifest.name, lane.name, str(error)))
            return
        before = len(self.rows)
        self._add(Sweep.LOAD, lane.name, adapter, load.measured, network, rate, wanted.devices)
        self.rows[before:] = [
            replace(it, rate=load.offered, achieved=load.achieved, saturated=load.saturated)
            for it in self.rows[before:]
        ]

    def _offering(self, lane: str) -> Iterator[Adapter]:
        """Yield the adapters that have a lane; the others are told of once."""
        for adapter in self.wanted.adapters:
            if lane in adapter.manifest.lanes:
                yield adapter
                continue
            told = (adapter.manifest.name, lane, NO_SUCH_LANE)
            if told not in self.not_measured:
                self.not_measured.append(told)

    def _tried(self, adapter: Adapter, what: str, measure: Callable[[Adapter], Measured]) -> Measured | None:
        self.tell(f"{adapter.manifest.name}: {what}")
        try:
            return measure(adapter)
        except UnmeasuredError as error:
            self.not_measured.append((adapter.manifest.name, what, str(error)))
            return None

    def _add(
        self,
        sweep: Sweep,
        lane: str,
        adapter: Adapter,
        taken: Measured | None,
        network: str,
        rate: float,
        devices: int,
    ) -> None:
        if taken is None:
            return
        name = adapter.manifest.name, adapter.manifest.version
        seed = None if lane == "virtual" else self.wanted.seed
        made = row(sweep, lane, name, taken, network=network, rate=rate, devices=devices, interval_seed=seed)
        self.rows.append(made)


def _environment() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": str(os.cpu_count() or 0),
    }

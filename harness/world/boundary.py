"""The one boundary at which adapter code is called, and the machines that it is handed.

Owns the rule that what an adapter raises belongs to the adapter: it becomes an ``adapter-failed`` event
of this run, never an exception of the harness. A power cut ends a call that was under way without an
answer.
"""

import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePath
from typing import TypeVar

from harness.adapter import Adapter, AdapterFault, Environment, Implementation, Observer
from harness.messaging import ChannelClient, ChannelServiceHost
from harness.model import HostName
from harness.sim import Host
from harness.trace import AdapterFailed
from harness.world.recorder import Recorder

T = TypeVar("T")


class AdapterStartError(Exception):
    """An adapter could not even open an instance of what it wraps; the text says what it raised and where."""


def open_implementation(adapter: Adapter, environment: Environment) -> Implementation:
    """Return a fresh instance; raises AdapterStartError where the adapter raises."""
    try:
        return adapter.open(environment)
    except Exception as error:
        raise AdapterStartError(_told(error)) from error


@dataclass(frozen=True, slots=True)
class SimMachine:
    """One incarnation of a simulated host, as an adapter's code on it sees it."""

    host: Host
    observe: Observer
    clock: Callable[[], int]
    service: ChannelServiceHost

    def now_ns(self) -> int:
        """Return this host's wall clock in nanoseconds since the start of the run, skew included."""
        return self.clock() + self.host.skew_ns

    def connect(self, token: str, *, client_id: str | None = None) -> ChannelClient:
        """Return a client of the in-memory channel service, connecting from this host."""
        return self.service.client(self.host, token, client_id=client_id)

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Call ``kill`` when this life of the host loses power."""
        self.host.on_power_loss(kill)


@dataclass(frozen=True, slots=True)
class Boundary:
    """Runs adapter code on a host and hands on what it returns."""

    recorder: Recorder
    _prompt: dict[int, tuple[Host, int, str]] = field(default_factory=dict)
    """Calls under way that the contract wants to return promptly: host, incarnation, name."""
    _tickets: Iterator[int] = field(default_factory=count)

    def run(
        self,
        host: Host,
        where: str,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None],
        *,
        returns: type[object] = object,
        prompt: bool = True,
    ) -> None:
        """Start ``call`` as a task on ``host``; its result goes to ``then``, still on that host.

        ``where`` names the call for people ("agent.call_tool(c1)"); ``returns`` is what must come back;
        a ``prompt`` call may not hang, one that waits for people may.
        """
        ticket, incarnation = next(self._tickets), host.incarnation
        if prompt:
            self._prompt[ticket] = (host, incarnation, where)

        async def guarded() -> None:
            try:
                result = await call()
            except Exception as error:  # noqa: BLE001 - the one boundary to foreign code
                if _lives(host, incarnation):
                    self._failed(host, where, _told(error))
                return
            finally:
                self._prompt.pop(ticket, None)
            if not _lives(host, incarnation):
                return
            if isinstance(result, returns):
                then(result)
            else:
                due, got = returns.__name__, type(result).__name__
                self._failed(host, where, f"returned {got} where {due} is due (an await forgotten?)")

        host.spawn(guarded(), name=where)

    @property
    def busy(self) -> bool:
        """Whether a call that should return promptly is under way."""
        return bool(self._prompt)

    def report_hung_calls(self) -> None:
        """Record every call that should have returned long ago, on hosts that are still up."""
        for host, incarnation, where in self._prompt.values():
            if _lives(host, incarnation):
                self._failed(host, where, "did not return")

    def _failed(self, host: Host, where: str, error: str) -> None:
        self.recorder.add(AdapterFailed(self.recorder.now_ns(), HostName(host.name), where, error))


def _lives(host: Host, incarnation: int) -> bool:
    """Return whether that life of ``host`` goes on; what returns into a life that is over was never seen."""
    return host.alive and host.incarnation == incarnation


def _told(error: Exception) -> str:
    """Return an error as one line: type, text, and the innermost place that is not ours to name."""
    if isinstance(error, AdapterFault):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"

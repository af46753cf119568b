"""The host of an implementation's own server in real time: loopback ports behind the fault proxy.

Owns the ports and their proxies. Each host of the run has a door of its own, through which its connections
come, so that faults of its links befall them and no others. Does not know what is served.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.adapter import Machine, ServicePort
from harness.plan import SERVICE_HOST
from harness.proxy import Proxy
from harness.sim.incarnation import HERE
from harness.wall.stage import WallStage

_LOOPBACK: Final = "127.0.0.1"


@dataclass(slots=True)
class _Door:
    """What stands in front of one listening port."""

    server: asyncio.Server
    port: int
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class WallServicePort:
    """A port that listens as soon as ``opening`` is done."""

    opening: "asyncio.Task[_Door]"

    async def address(self) -> tuple[str, int]:
        """Return the door of the current host; raises OSError where the port could not be opened."""
        door = await asyncio.shield(self.opening)
        here = HERE.get()
        return _LOOPBACK, door.port if here is None else await door.proxy.open(here.host_name)


@dataclass(slots=True)
class WallServiceHost:
    """The service's host; ``hosts`` are those whose links plans can break."""

    stage: WallStage
    machine: Machine
    hosts: Sequence[str]
    _openings: list["asyncio.Task[_Door]"] = field(default_factory=list)

    def listen(self, protocol: Callable[[], asyncio.Protocol]) -> ServicePort:
        """Start listening on a free port."""
        opening: Any = self.stage.host(SERVICE_HOST).spawn(self._open(protocol), name="listen")
        self._openings.append(opening)
        return WallServicePort(opening)

    def blackhole(self, host: str) -> None:
        """Let nothing pass between ``host`` and the service until :meth:`heal`."""
        for proxy in self._proxies():
            proxy.blackhole(host)

    def reset(self, host: str) -> None:
        """Break the connections between ``host`` and the service."""
        for proxy in self._proxies():
            proxy.reset(host)

    def heal(self, host: str) -> None:
        """Undo every fault between ``host`` and the service."""
        for proxy in self._proxies():
            proxy.heal(host)

    @property
    def bytes_received(self) -> int:
        """How many bytes passed so far."""
        return sum(proxy.bytes_received for proxy in self._proxies())

    def connections(self, host: str) -> int:
        """Return how many connections of ``host`` stand."""
        return sum(proxy.connections(host) for proxy in self._proxies())

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        for opening in self._openings:
            opening.cancel()
        for proxy in self._proxies():
            await proxy.close()
        for opening in self._openings:
            if _is_open(opening):
                opening.result().server.close()

    async def _open(self, protocol: Callable[[], asyncio.Protocol]) -> _Door:
        server = await asyncio.get_running_loop().create_server(protocol, _LOOPBACK, 0)
        port: int = server.sockets[0].getsockname()[1]
        proxy = Proxy(_LOOPBACK, port)
        for host in self.hosts:
            await proxy.open(host)
        return _Door(server, port, proxy)

    def _proxies(self) -> list[Proxy]:
        return [opening.result().proxy for opening in self._openings if _is_open(opening)]


def _is_open(opening: "asyncio.Task[_Door]") -> bool:
    return opening.done() and not opening.cancelled() and opening.exception() is None

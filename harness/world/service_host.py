"""The simulated host on which an implementation's own server runs.

Owns its ports. It is the same host as the channel service's, so that every fault of a link to the service
befalls it too; no plan cuts its power. Does not know what is served.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from harness.adapter import Machine, ServicePort
from harness.plan import SERVICE_HOST
from harness.sim import Simulation

FIRST_PORT: Final = 8_080
"""Ports count up from here; the Ably service has 80."""


@dataclass(frozen=True, slots=True)
class SimServicePort:
    """A port that listens from the instant of its making on."""

    host: str
    port: int

    async def address(self) -> tuple[str, int]:
        """Return the host and port."""
        return self.host, self.port


@dataclass(slots=True)
class SimServiceHost:
    """The service's host in virtual time; ``machine`` is what code on it is handed."""

    sim: Simulation
    machine: Machine
    _ports: int = field(default=FIRST_PORT)

    @property
    def listens(self) -> bool:
        """Whether the implementation has a server here."""
        return self._ports > FIRST_PORT

    def listen(self, protocol: Callable[[], asyncio.Protocol]) -> ServicePort:
        """Start listening on the next port."""
        port, self._ports = self._ports, self._ports + 1

        async def serve() -> None:
            await asyncio.get_running_loop().create_server(protocol, "0.0.0.0", port)  # noqa: S104 - a simulated host's address

        self.sim.host(SERVICE_HOST).spawn(serve(), name="listen")
        return SimServicePort(self.sim.network.names.address_of(SERVICE_HOST), port)

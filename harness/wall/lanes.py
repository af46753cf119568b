"""The two real lanes: an embedded Ably service behind the fault proxy, and an Ably account.

Owns what differs between them: where clients connect, which key signs their tokens, and which faults can be
made. Everything else is one code path, so that a run on loopback in CI is the proof of a live one.

Invariant: a key is never part of a text that this module makes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from harness.ably.apps import ServerOptions
from harness.ably.listener import Listener
from harness.ably.machine import fresh_text, wall_ns
from harness.adapter import AblyEndpoint, AblyToken, KeepAlive
from harness.identity import SIM_KEY, AblyKey, IdentityProvider
from harness.plan import Plan
from harness.proxy import Proxy
from harness.sim.incarnation import HERE
from harness.world.embedded_ably import embedded_server, preload

KEY_VARIABLE: Final = "ABLY_API_KEY"
ENDPOINT_VARIABLE: Final = "ABLY_ENDPOINT"
"""HOST:PORT of another service than the vendor's, spoken to without TLS: for instance ``hitl serve``."""
_LOOPBACK: Final = "127.0.0.1"
_NS_PER_S: Final = 1_000_000_000


class LaneError(Exception):
    """A lane cannot be used; the text says what is missing and never holds a secret."""


@dataclass(frozen=True, slots=True)
class LaneAccess:
    """The Ably service of one run; ``doors`` are the proxy's ports by host, empty where there is no proxy."""

    identity: IdentityProvider
    key: AblyKey
    direct: AblyEndpoint
    doors: Mapping[str, int]

    @property
    def endpoint(self) -> AblyEndpoint:
        """Where the current host connects to."""
        here = HERE.get()
        port = None if here is None else self.doors.get(here.host_name)
        return self.direct if port is None else AblyEndpoint(_LOOPBACK, port, KeepAlive.CLIENT)

    def token(self, token: str) -> AblyToken:
        """Exchange a token of the identity provider for a JWT; raises InvalidTokenError (PyJWT)."""
        return self.identity.ably_token(token, wall_ns() // _NS_PER_S, self.key)


@dataclass(frozen=True, slots=True)
class Site:
    """One run's service, in use; ``proxy`` None means that faults cannot be made."""

    access: LaneAccess
    proxy: Proxy | None


class Lane(Protocol):
    """How a run reaches an Ably service."""

    @property
    def name(self) -> str:
        """What users call it."""

    @property
    def own_service(self) -> bool:
        """Whether the service is the run's own, so that faults and a backlog can be made."""

    def open(
        self, plan: Plan, identity: IdentityProvider, hosts: Sequence[str]
    ) -> AbstractAsyncContextManager[Site]:
        """Return a context in which the service of one run is there."""


@dataclass(frozen=True, slots=True)
class LoopbackLane:
    """A service of its own for every run, in this process, each host behind its own door of the proxy."""

    name: str = "wall"
    own_service: bool = True

    def open(
        self, plan: Plan, identity: IdentityProvider, hosts: Sequence[str]
    ) -> AbstractAsyncContextManager[Site]:
        """Return a context in which the service of one run is there."""
        return _loopback(plan, identity, hosts)


@asynccontextmanager
async def _loopback(plan: Plan, identity: IdentityProvider, hosts: Sequence[str]) -> AsyncIterator[Site]:
    server = embedded_server(fresh_text(), ServerOptions())
    preload(server, plan, wall_ns())
    listener = Listener(server, wall_ns)
    port = await listener.listen(_LOOPBACK, 0)
    proxy = Proxy(_LOOPBACK, port)
    try:
        doors = {host: await proxy.open(host) for host in hosts}
        direct = AblyEndpoint(_LOOPBACK, port, KeepAlive.CLIENT)
        yield Site(LaneAccess(identity, SIM_KEY, direct, doors), proxy)
    finally:
        await proxy.close()
        listener.close()


@dataclass(frozen=True, slots=True)
class LiveLane:
    """An Ably account, reached directly; its key signs the tokens of simulated people."""

    key: AblyKey
    endpoint: AblyEndpoint
    name: str = "live"
    own_service: bool = False

    def __repr__(self) -> str:
        return f"LiveLane({self.key.name})"

    def open(
        self, plan: Plan, identity: IdentityProvider, hosts: Sequence[str]
    ) -> AbstractAsyncContextManager[Site]:
        """Return a context in which the account is used; there is nothing to start and nothing to leave."""
        del plan, hosts
        return _live(LaneAccess(identity, self.key, self.endpoint, {}))


@asynccontextmanager
async def _live(access: LaneAccess) -> AsyncIterator[Site]:
    yield Site(access, None)


def live_lane(variables: Mapping[str, str]) -> LiveLane:
    """Return the lane that environment variables describe; raises LaneError naming the one that is wrong."""
    text = variables.get(KEY_VARIABLE, "")
    if not text:
        raise LaneError(f"{KEY_VARIABLE} is not set: put an Ably API key into it, or use --wall.")
    name, colon, secret = text.partition(":")
    if not colon or not secret or name.count(".") != 1:
        raise LaneError(f"{KEY_VARIABLE} holds no Ably API key: one reads APP.ID:SECRET.")
    where = variables.get(ENDPOINT_VARIABLE, "")
    if not where:
        return LiveLane(AblyKey(name, secret), AblyEndpoint("", 0, KeepAlive.CLIENT))
    host, colon, port = where.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise LaneError(f"{ENDPOINT_VARIABLE} reads HOST:PORT, for instance 127.0.0.1:9010.")
    return LiveLane(AblyKey(name, secret), AblyEndpoint(host, int(port), KeepAlive.CLIENT))

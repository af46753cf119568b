"""The embedded Ably service of a simulated world, for SDKs that speak to it over simulated sockets.

Owns the life of one instance on the service's host, started by the first adapter that asks where it is, so
that runs over simulated messages pay nothing for it and need none of its libraries; and what network
libraries are told of this machine meanwhile. It outlives every crash of the plan, as a hosted
service promises to.

Idle connections cost nothing: the service sends no heartbeats and tells clients to expect none, because the
world itself breaks links that were silent for too long. Does not make the server (``embedded_ably`` does).
"""

import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, cached_property, lru_cache
from typing import Final

from harness.adapter import AblyEndpoint, AblyToken, KeepAlive
from harness.identity import SIM_KEY, IdentityProvider
from harness.messaging import EPOCH_NS
from harness.plan import SERVICE_HOST, Plan
from harness.sim import Simulation

PORT: Final = 80
SURROUNDINGS: Final[Mapping[str, str | None]] = {
    "SSL_CERT_DIR": os.devnull,
    "SSL_CERT_FILE": None,
    "NO_PROXY": "*",
    "no_proxy": "*",
}
"""Environment variables during a run. No TLS is spoken, so HTTP clients shall not load certificates (40 to 80
ms each time); and no proxy of this machine stands between simulated hosts."""
_NS_PER_S: Final = 1_000_000_000


class AblyServiceHost:
    """The Ably service of one run."""

    def __init__(self, sim: Simulation, identity: IdentityProvider, plan: Plan) -> None:
        self._sim = sim
        self._identity = identity
        self._plan = plan

    @cached_property
    def endpoint(self) -> AblyEndpoint:
        """Where clients connect to; the service starts listening in the instant of the first reading."""
        self._sim.resources.enter_context(surroundings(SURROUNDINGS))
        self._sim.resources.enter_context(answered_for_the_machine())
        self._sim.host(SERVICE_HOST).spawn(self._serve(), name="listen")
        return AblyEndpoint(self._sim.network.names.address_of(SERVICE_HOST), PORT, KeepAlive.WORLD)

    def token(self, token: str) -> AblyToken:
        """Exchange a token of the identity provider for a JWT; raises InvalidTokenError (PyJWT)."""
        return self._identity.ably_token(token, self._now_ns() // _NS_PER_S, SIM_KEY)

    async def _serve(self) -> None:
        from harness.world.embedded_ably import serve_simulated  # noqa: PLC0415 - message runs need no protocol

        await serve_simulated(self._plan, self._now_ns, PORT)

    def _now_ns(self) -> int:
        return EPOCH_NS + self._sim.now_ns


@contextmanager
def surroundings(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables (None: unset) and give the old ones back."""
    before = {name: os.environ.get(name) for name in wanted}
    _set_variables(wanted)
    try:
        yield
    finally:
        _set_variables(before)


def _no_proxies() -> dict[str, str]:
    """Stand in for ``getproxies``, which reads the whole environment each time: a dozen times a run."""
    return {"no": "*"}


def _without_a_proxy(_host: str) -> bool:
    """Stand in for ``proxy_bypass``, which reads the environment in the same way."""
    return True


@cache
def _shared_context(*_arguments: object, **_options: object) -> ssl.SSLContext:
    """Stand in for ``create_default_context``: no TLS is spoken here, so one serves all."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


STAND_INS: Final = (
    ("urllib.request", "getproxies", _no_proxies),
    ("urllib.request", "proxy_bypass", _without_a_proxy),
    ("httpx._utils", "getproxies", _no_proxies),
    ("ssl", "create_default_context", _shared_context),
)
"""What every client of a network library asks of the machine: where it asks, and who answers in a run."""
REMEMBERED: Final = (("httpx._urls", "urlparse"), ("httpx._urlparse", "urlparse"))
"""Pure functions of texts that are asked the same a dozen times a run, which took a twentieth of it."""
_ANSWERS_MAX: Final = 256


@cache
def _remembering(function: Callable[..., object]) -> Callable[..., object]:
    return lru_cache(maxsize=_ANSWERS_MAX)(function)


@contextmanager
def answered_for_the_machine() -> Iterator[None]:
    """Put the stand-ins in their places where the libraries are loaded, and give the places back."""
    with ExitStack() as stack:
        for module, name, stand_in in STAND_INS:
            _replace(stack, module, name, stand_in)
        for module, name in REMEMBERED:
            real = getattr(sys.modules.get(module), name, None)
            if real is not None:
                _replace(stack, module, name, _remembering(real))
        yield


def _replace(stack: ExitStack, module: str, name: str, stand_in: Callable[..., object]) -> None:
    place = sys.modules.get(module)
    if place is not None and hasattr(place, name):
        stack.callback(setattr, place, name, getattr(place, name))
        setattr(place, name, stand_in)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

"""What an implementation is handed in real time: the environment of a run, and the machine of a host.

Owns the clock that adapters read and the boundary steps that real time can see: what an adapter reports. Does
not start anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from harness.ably.machine import wall_ns
from harness.adapter import AblyAccess, Directory, Identity, Observer, ServiceHost, Standing
from harness.identity import IdentityProvider
from harness.messaging import ChannelClient
from harness.model import Arguments, CallId, Choice, PersonId, RequestId, Role
from harness.sim import Disk, Host
from harness.wall.stage import RealTimeError
from harness.world.recorder import HostObserver

OBSERVED = "observed"
"""The kind of the boundary step right after something that an adapter reported."""
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WallDirectory:
    """The identity provider as implementations see it, by the machine's clock."""

    provider: IdentityProvider

    def verify(self, token: str) -> Identity:
        """Return whom ``token`` speaks for; raises jwt.InvalidTokenError with the reason otherwise."""
        return self.provider.verify(token, wall_ns() / _NS_PER_S)

    def standing(self, person: PersonId) -> Standing | None:
        """Return the directory's current record of a person."""
        return self.provider.standing(person)


@dataclass(frozen=True, slots=True)
class WallEnvironment:
    """What an implementation is handed at the start of a run."""

    directory: Directory
    agent_token: str
    shared_disk: Disk
    ably: AblyAccess
    service: ServiceHost


@dataclass(frozen=True, slots=True)
class WallMachine:
    """One host as an adapter's code on it sees it."""

    host: Host
    observe: Observer
    clock: Callable[[], int]

    def now_ns(self) -> int:
        """Return nanoseconds since the start of the run."""
        return self.clock()

    def connect(self, token: str, *, client_id: str | None = None) -> ChannelClient:
        """Refuse: simulated messages have no place in real time."""
        del token, client_id
        return _no_messages()

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Call ``kill`` when this life of the host loses power."""
        self.host.on_power_loss(kill)


def _no_messages() -> NoReturn:
    raise RealTimeError("this adapter runs over simulated messages; in real time only those over sockets do")


@dataclass(slots=True)
class WallObserver(HostObserver):
    """Reports, and lets the plan have the host lose power right after a report."""

    def request_published(self, request: RequestId, call: CallId, arguments: Arguments) -> None:
        """Record that a request was made known."""
        HostObserver.request_published(self, request, call, arguments)
        self.host.boundary(OBSERVED)

    def decision_taken(
        self,
        request: RequestId,
        choice: Choice,
        *,
        person: PersonId | None = None,
        role: Role | None = None,
        arguments: Arguments | None = None,
        call: CallId | None = None,
    ) -> None:
        """Record that a decision took effect."""
        HostObserver.decision_taken(
            self, request, choice, person=person, role=role, arguments=arguments, call=call
        )
        self.host.boundary(OBSERVED)

    def request_expired(self, request: RequestId, *, call: CallId | None = None) -> None:
        """Record that a request ended because its deadline passed."""
        HostObserver.request_expired(self, request, call=call)
        self.host.boundary(OBSERVED)

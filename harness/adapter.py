"""The adapter contract: what wraps one implementation under test, and what it is handed.

Owns the protocols between the harness and an adapter. An adapter is ordinary asyncio code; everything
it touches (hosts, disks, tokens, the clock) comes from the :class:`Environment` it is handed, or from
asyncio itself, which runs in virtual time.

Invariant: guarantees are declared, never assumed. What a manifest does not offer is reported as
``not offered``; what it offers and breaks is a violation.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from harness.messaging import ChannelClient
from harness.model import (
    Arguments,
    CallId,
    Card,
    Choice,
    Decision,
    Forgery,
    Guarantee,
    OnUnauthorised,
    Outcome,
    Person,
    PersonId,
    Receipt,
    RequestId,
    Role,
    Settled,
    Style,
    ToolCall,
)
from harness.sim import Disk, Host

LaneName: TypeAlias = Literal["virtual", "wall", "live"]
"""Where a run is played: simulated, in real time on this machine, or against somebody else's service."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The sentence with which an implementation promises a guarantee, and where it stands."""

    sentence: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class PythonRequires:
    """Python packages that an adapter needs beside the harness.

    ``package`` is the wrapped one by its name on the package index, ``module`` what is imported of it.
    ``lock`` is a requirements file with exact versions, at best with hashes, in the adapter's folder.
    Adapters that name one ``environment`` and one lock share an installation, ``.hitl/envs/<environment>``.
    """

    environment: str
    package: str
    module: str
    lock: Path


@dataclass(frozen=True, slots=True)
class NpmRequires:
    """npm packages that an adapter's scripts need; with them comes Node.

    ``package`` is the wrapped one by its npm name. ``lock`` is the ``package-lock.json`` that stands beside
    its ``package.json`` in the adapter's folder. ``environment`` is as for Python.
    """

    environment: str
    package: str
    lock: Path


Requires: TypeAlias = PythonRequires | NpmRequires


EXAMPLES_APART: Final = 5
"""How many plans a scenario an adapter should ask for whose hosts are processes of their own."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an adapter wraps, and what that implementation promises.

    ``name`` is what users type. ``offers`` maps each guarantee to the claim it rests on. ``requires`` is what
    ``hitl adapter install`` installs; the adapter's own module imports without it. ``takes`` names the
    options that a user may set, each with what it means; an adapter that takes any is :class:`Configurable`.
    """

    name: str
    version: str
    summary: str
    homepage: str
    offers: Mapping[Guarantee, Claim]
    style: Style = Style.INLINE
    on_unauthorised: OnUnauthorised = OnUnauthorised.IGNORE
    options: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[Requires, ...] = ()
    lanes: tuple[LaneName, ...] = ("virtual",)
    """Where it can be played; the first one is the default."""
    examples: int = 100
    """How many plans a scenario are tried in virtual time unless the user says otherwise: fewer where a run
    takes a good part of a second, as runs of other processes do."""


class AdapterFault(Exception):  # noqa: N818 - the name says whose fault it is
    """A call of an adapter cannot be carried out; the text is whole, and no place in our code adds to it."""


class OptionError(ValueError):
    """An option of an adapter has a value that cannot be used; the text says which and what is due."""


class Observer(Protocol):
    """Where an adapter reports what it sees the implementation do; a dead host's reports are refused.

    Report at the instant it takes effect: a request when it is acknowledged as made known, a decision
    when the arbiter or agent commits to it.
    """

    def request_published(self, request: RequestId, call: CallId, arguments: Arguments) -> None:
        """Report that the request for ``call`` was made known under the id ``request``."""

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
        """Report that a decision took effect; ``arguments`` are those it binds, edits included."""

    def request_expired(self, request: RequestId, *, call: CallId | None = None) -> None:
        """Report that a request ended because its deadline passed."""

    def screen_changed(self) -> None:
        """Say that this device's screen changed. Once said, the world relies on being told."""

    def adapter_failed(self, where: str, error: str) -> None:
        """Report that the adapter itself is at fault outside of any call: say, a process that died."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the identity provider's directory says of a person at this moment."""

    person: PersonId
    tenant: str
    role: Role | None
    active: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified token speaks for."""

    person: PersonId
    tenant: str
    role: Role | None
    sessions: tuple[str, ...]
    expires_s: int


class Directory(Protocol):
    """The identity provider as an agent sees it."""

    def verify(self, token: str) -> Identity:
        """Return whom a token speaks for; raises InvalidTokenError (PyJWT) with the reason otherwise."""

    def standing(self, person: PersonId) -> Standing | None:
        """Return the directory's current record of a person, None where there is none."""


class Machine(Protocol):
    """One host as an adapter's code on it sees it."""

    @property
    def host(self) -> Host:
        """The simulated host: ``spawn`` tasks here, keep state on ``host.disk``."""

    @property
    def observe(self) -> Observer:
        """Where to report what the implementation does on this host."""

    def now_ns(self) -> int:
        """Return this host's wall clock in nanoseconds since the start of the run, skew included."""

    def connect(self, token: str, *, client_id: str | None = None) -> ChannelClient:
        """Return a client of the in-memory channel service, connecting from this host."""

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Call ``kill`` at the instant at which this life of the host loses power.

        For a host whose life is a process: kill it there (SIGKILL, its children too), so that it gets no
        chance to tidy up. In real time only hosts that registered one can crash. Register while booting or
        joining; what was registered is forgotten with the life.
        """


class Agent(Protocol):
    """The agent side of an implementation on one host."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run one gated tool call to its end. Called again with the same id after a crash."""

    async def cancel(self, call: CallId) -> bool:
        """Cancel a call; returns whether the cancellation took effect (False: decided before)."""


class Device(Protocol):
    """The screen and the buttons of one person's device."""

    async def pending(self) -> Sequence[Card]:
        """Return what this screen shows as waiting for an answer."""

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Press the button; returns what the device was told. Must return, if only UNKNOWN."""

    async def settled(self, request: RequestId) -> Settled | None:
        """Return how this screen shows a request that is no longer pending, None if it does not know it."""


@runtime_checkable
class Forger(Protocol):
    """A device whose owner is hostile. Optional: without it provenance cannot be judged."""

    async def forge(self, forgery: Forgery) -> None:
        """Send a forged message past the screens, by whatever means a client of this implementation has.

        It is this person's own connection and token that are used; the claims are in the message alone.
        """


class Implementation(Protocol):
    """One isolated instance of the implementation under test; lives for one run."""

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start the agent side on a host; called again after a crash, and must recover what it kept."""

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a person's device; called again after the device's host restarts."""

    async def close(self) -> None:
        """Release what the instance holds outside its hosts."""


class KeepAlive(StrEnum):
    """Who notices that a connection is silent because its link is dead."""

    CLIENT = "client"
    """The client, by pings and heartbeats, as on a real network."""
    WORLD = "world"
    """The world, which breaks a link that was silent for too long. Clients need send nothing while idle."""


@dataclass(frozen=True, slots=True)
class AblyEndpoint:
    """Where the Ably service of a run is reached; ``host`` empty means the vendor's own, over TLS."""

    host: str
    port: int
    keep_alive: KeepAlive

    @property
    def host_and_port(self) -> str:
        """The two in one text."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AblyToken:
    """A JWT that an Ably service accepts, and the client id that it speaks for."""

    text: str
    client_id: str


class AblyAccess(Protocol):
    """An Ably service for the run: where it is, and what its clients authenticate with."""

    @property
    def endpoint(self) -> AblyEndpoint:
        """Where clients connect to; in virtual time the service starts with the first reading."""

    def token(self, token: str) -> AblyToken:
        """Exchange a token of the identity provider, as an application's own auth endpoint does.

        The claims are those of ``token``, flaws included; the JWT lives 24 hours at most. Raises
        InvalidTokenError (PyJWT) where the holder is revoked.
        """


class ServicePort(Protocol):
    """A service that listens."""

    async def address(self) -> tuple[str, int]:
        """Return the host and port at which the current host reaches it; waits until it listens."""


class ServiceHost(Protocol):
    """A host for what an implementation's vendor runs: a server that clients reach and no plan's crash hits.

    Faults of links between a host and the service befall connections to it, in every lane but the live one.
    """

    @property
    def machine(self) -> Machine:
        """The host itself: spawn tasks on it, report from it, read its clock."""

    def listen(self, protocol: Callable[[], asyncio.Protocol]) -> ServicePort:
        """Start listening; ``protocol`` makes one asyncio protocol a connection."""


class Environment(Protocol):
    """What an implementation is handed at the start of a run."""

    @property
    def directory(self) -> Directory:
        """The identity provider."""

    @property
    def agent_token(self) -> str:
        """A token with which agents connect."""

    @property
    def shared_disk(self) -> Disk:
        """A durable disk that every agent process of the run may use, as they would a database."""

    @property
    def ably(self) -> AblyAccess:
        """An Ably service, for implementations that speak to one over sockets."""

    @property
    def service(self) -> ServiceHost:
        """Where an implementation's own server runs, for those that bring one along."""


class Adapter(Protocol):
    """A plug-in: one implementation, or one variant of it, and how to start it."""

    @property
    def manifest(self) -> Manifest:
        """What is wrapped and what it promises."""

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run."""


@runtime_checkable
class Configurable(Protocol):
    """An adapter with options. What its manifest does not take is never handed to it."""

    def with_options(self, options: Mapping[str, str]) -> Adapter:
        """Return this adapter with ``options`` set; raises OptionError."""

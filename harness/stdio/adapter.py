"""An adapter whose implementation lives in processes of its own: one for each host of a run.

Owns the mapping from the in-process contract of :mod:`harness.adapter` to commands, and the life of the
processes of a run: started with their host, killed with it, and all gone when the run is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jwt import InvalidTokenError

from harness.adapter import (
    AblyEndpoint,
    AdapterFault,
    Agent,
    Device,
    Environment,
    Machine,
    Manifest,
)
from harness.model import (
    CallId,
    Card,
    Decision,
    Forgery,
    HostName,
    Outcome,
    Person,
    Receipt,
    RequestId,
    Settled,
    ToolCall,
)
from harness.stdio.desk import MachineDesk
from harness.stdio.folders import RunFolders
from harness.stdio.launch import Launch
from harness.stdio.manifest import check_greeting
from harness.stdio.messages import CallRecord, LineError, PersonRecord, Services
from harness.stdio.pool import Pool
from harness.stdio.process import Listeners, StartError
from harness.stdio.session import Session
from harness.stdio.virtual import begin_in_lockstep, is_virtual, stock_of

_TLS_PORT: Final = 443
LAST_READS_S: Final = 5
"""How long, in virtual time, screens that are being read may still answer before their processes end."""

ServicesOf = Callable[[Environment, Machine, str], Awaitable[Services]]
"""Returns the named endpoints that a host is told of; the text is the identity token that it starts with."""


async def ably_service(environment: Environment, machine: Machine, token: str) -> Services:
    """Return the run's Ably service as ``ably``; ``token`` null there: the holder is refused one."""
    del machine
    endpoint = environment.ably.endpoint
    try:
        ably = environment.ably.token(token)
    except InvalidTokenError:
        return {"ably": {**_place(endpoint), "token": None, "client_id": None}}
    return {"ably": {**_place(endpoint), "token": ably.text, "client_id": ably.client_id}}


def _place(endpoint: AblyEndpoint) -> dict[str, str | int | bool]:
    """Return where an Ably service is; an empty host is the vendor's own, over TLS."""
    own = bool(endpoint.host)
    return {"host": endpoint.host, "port": endpoint.port if own else _TLS_PORT, "tls": not own}


async def no_services(environment: Environment, machine: Machine, token: str) -> Services:
    """Return none, for implementations that reach each other through their folders only."""
    del environment, machine, token
    return {}


class StdioAdapter:
    """Wraps the implementation that ``launch`` starts."""

    def __init__(
        self,
        launch: Launch,
        manifest: Manifest,
        *,
        forges: bool = False,
        services: ServicesOf = ably_service,
    ) -> None:
        self.launch = launch
        self.manifest = manifest
        self.forges = forges
        self.services = services
        self.pool = Pool(launch)
        self.stock = stock_of(launch)

    def open(self, environment: Environment) -> "StdioImplementation":
        """Return a fresh instance for one run."""
        return StdioImplementation(self, environment)


@dataclass(slots=True)
class StdioImplementation:
    """The processes of one run; agents' and devices' alike."""

    adapter: StdioAdapter
    environment: Environment
    calls: dict[CallId, ToolCall] = field(default_factory=dict)
    folders: RunFolders = field(default_factory=RunFolders)
    _sessions: dict[HostName, Session] = field(default_factory=dict)

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start the agent process of a host; raises AdapterFault."""
        token = self.environment.agent_token
        session, host = await self._session(machine, lambda: token), HostName(machine.host.name)
        await session.command(
            "boot",
            host=host,
            incarnation=machine.host.incarnation,
            directory=self.folders.of(host),
            shared=self.folders.shared,
            now_ns=machine.now_ns(),
            agent_token=token,
            services=await self.adapter.services(self.environment, machine, token),
        )
        return StdioAgent(session, self.calls)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Start the process of a person's device; raises AdapterFault."""
        session, host = await self._session(machine, person.fresh_token), HostName(machine.host.name)
        token = person.fresh_token()
        await session.command(
            "join",
            host=host,
            incarnation=machine.host.incarnation,
            directory=self.folders.of(host),
            now_ns=machine.now_ns(),
            person=PersonRecord.of(person),
            token=token,
            services=await self.adapter.services(self.environment, machine, token),
        )
        return ForgingDevice(session) if self.adapter.forges else StdioDevice(session)

    async def close(self) -> None:
        """End every process in good order, all at once, and remove the folders; raises AdapterFault."""
        if is_virtual():
            await asyncio.sleep(LAST_READS_S)
        ends = [session.close() for session in self._sessions.values()]
        results = await asyncio.gather(*ends, return_exceptions=True)
        self.folders.remove()
        for it in results:
            if isinstance(it, BaseException) and not isinstance(it, AdapterFault):
                raise it
        ended = zip(self._sessions, results, strict=True)
        faults = [f"{host}: {it}" for host, it in ended if isinstance(it, AdapterFault)]
        if faults:
            raise AdapterFault("; ".join(faults))
        if is_virtual():
            self.adapter.stock.fill(len(self._sessions))
        else:
            self.adapter.pool.stock(len(self._sessions))

    async def _session(self, machine: Machine, fresh_token: Callable[[], str]) -> Session:
        """Return the conversation with a fresh process that has said hello; raises AdapterFault."""
        desk = MachineDesk(self.environment, machine, self.calls, fresh_token)
        if is_virtual():
            session = await begin_in_lockstep(self.adapter.launch, self.adapter.stock, desk, machine.host)
            self._sessions[HostName(machine.host.name)] = session
            return session
        try:
            started = self.adapter.pool.take()
        except StartError as error:
            raise AdapterFault(str(error)) from error
        session, process = Session(desk, started.peer), started.process
        session.connect(process)
        machine.on_power_loss(lambda: session.kill("lost power"))
        machine.host.spawn(_outlive_nothing(session), "process")
        greeted = session.expect(started.hello)
        process.attach(asyncio.get_running_loop(), Listeners(session.received, session.exited))
        self._sessions[HostName(machine.host.name)] = session
        try:
            check_greeting(await session.result(started.hello, "hello", greeted))
        except LineError as error:
            raise AdapterFault(str(error)) from error
        return session


async def _outlive_nothing(session: Session) -> None:
    """Kill a process that still runs when its run is over, however the run ended."""
    try:
        await session.ended.wait()
    finally:
        session.kill("was killed at the end of the run")


@dataclass(frozen=True, slots=True)
class StdioAgent:
    """The agent process of a host."""

    session: Session
    calls: dict[CallId, ToolCall]

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run one gated tool call to its end; raises AdapterFault."""
        self.calls[call.id] = call
        outcome: Outcome = await self.session.command("call", call=CallRecord.of(call))
        return outcome

    async def cancel(self, call: CallId) -> bool:
        """Cancel a call; raises AdapterFault."""
        cancelled: bool = await self.session.command("cancel", call=call)
        return cancelled


@dataclass(frozen=True, slots=True)
class StdioDevice:
    """The process of a person's device."""

    session: Session

    async def pending(self) -> Sequence[Card]:
        """Return what this screen shows as waiting for an answer; raises AdapterFault."""
        cards: Sequence[Card] = await self.session.command("pending")
        return cards

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Press the button; raises AdapterFault."""
        receipt: Receipt = await self.session.command("respond", request=request, decision=decision)
        return receipt

    async def settled(self, request: RequestId) -> Settled | None:
        """Return how this screen shows a request that is no longer pending; raises AdapterFault."""
        settled: Settled | None = await self.session.command("settled", request=request)
        return settled


class ForgingDevice(StdioDevice):
    """A device whose owner is hostile."""

    __slots__ = ()

    async def forge(self, forgery: Forgery) -> None:
        """Send a forged message past the screens; raises AdapterFault."""
        await self.session.command("forge", forgery=forgery)

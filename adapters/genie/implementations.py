"""The protocol put together: which approvers an agent process has, and what its people hold in their hands.

Owns the wiring of every variant, one function each. The chain is always the same: rules that decide nothing
by themselves, then whoever asks a human.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from harness.adapter import Agent, Device, Environment, Implementation, Machine, Manifest
from harness.model import Person

from .channel import ChannelApprover, ChannelDevice
from .clicker import ClickerDevice
from .command_line import CliApprover, Room, Typist
from .endpoint import Endpoint
from .hardened import Desk, HardenedRunner
from .hardened_device import HardenedDevice
from .permissions import PERMISSIONS, PermissionsApprover
from .plugging import ManagerOf, PublishedWebhook, manager_of, published_part
from .protocol import Approver, Manager, PluginsOf
from .runner import CommandRunner, ManualCaller
from .webhook import WebhookApprover

Boot: TypeAlias = Callable[[Machine], Awaitable[Agent]]
Join: TypeAlias = Callable[[Machine, Person], Awaitable[Device]]


def _nothing() -> None:
    """Release nothing."""


@dataclass(frozen=True, slots=True)
class GenieImplementation:
    """One isolated instance; ``release`` gives back what it holds outside its hosts."""

    boot: Boot
    join: Join
    release: Callable[[], None] = _nothing

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start an agent process."""
        return await self.boot(machine)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a device."""
        return await self.join(machine, person)

    async def close(self) -> None:
        """Release what the instance holds."""
        self.release()


@dataclass(frozen=True, slots=True)
class GenieAdapter:
    """A variant under a manifest."""

    Opener = Callable[[Environment, ManagerOf], Implementation]

    manifest: Manifest
    opener: Opener
    manager: str | None = None
    """Names the manager to use; None: the environment variable does."""

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run; raises ManagerNotFoundError."""
        return self.opener(environment, manager_of(self.manager))

    def with_options(self, options: Mapping[str, str]) -> "GenieAdapter":
        """Return this variant with another manager; raises ManagerNotFoundError."""
        manager_of(options["manager"])
        return replace(self, manager=options["manager"])


async def _managed(make: ManagerOf, human: Approver) -> Manager:
    """Return a manager whose chain ends at ``human``."""
    plugins = PluginsOf({PERMISSIONS: PermissionsApprover(), human.plugin_id: human})
    return await make(plugins, (PERMISSIONS, human.plugin_id))


def open_channel(
    environment: Environment, make: ManagerOf, runner: type[CommandRunner] = CommandRunner
) -> Implementation:
    """Ask over the in-memory channel."""

    async def boot(machine: Machine) -> Agent:
        return runner(machine, await _managed(make, ChannelApprover(machine, environment.agent_token)))

    async def join(machine: Machine, person: Person) -> Device:
        device = ChannelDevice(machine, person)
        await device.join()
        return device

    return GenieImplementation(boot, join)


def open_manual(environment: Environment, make: ManagerOf) -> Implementation:
    """Ask over the in-memory channel, by the application's own code."""
    return open_channel(environment, make, ManualCaller)


def open_hardened(environment: Environment, make: ManagerOf) -> Implementation:
    """Ask over the in-memory channel, with durable tickets."""

    async def boot(machine: Machine) -> Agent:
        desk = Desk(machine, environment)
        manager = await _managed(make, desk)
        desk.recover()
        return HardenedRunner(desk, manager)

    async def join(machine: Machine, person: Person) -> Device:
        device = HardenedDevice(machine, person)
        await device.join()
        return device

    return GenieImplementation(boot, join)


def open_webhook(environment: Environment, make: ManagerOf) -> Implementation:
    """Ask by HTTP; the endpoint behind it runs on the service's host."""
    endpoint = Endpoint(environment.service.machine, environment.directory)
    port = environment.service.listen(endpoint.connection)
    published = published_part("hitl.impl.webhook_approval", "WebhookApprovalPlugin")

    async def boot(machine: Machine) -> Agent:
        human: Approver = (
            WebhookApprover(machine, port) if published is None else PublishedWebhook(published(), port)
        )
        return CommandRunner(machine, await _managed(make, human))

    async def join(machine: Machine, person: Person) -> Device:
        device = ClickerDevice(machine, person, port)
        device.join()
        return device

    return GenieImplementation(boot, join)


def open_terminal(environment: Environment, make: ManagerOf) -> Implementation:
    """Ask on a pseudo-terminal, one for each agent process."""
    del environment
    room = Room()

    async def boot(machine: Machine) -> Agent:
        return CommandRunner(machine, await _managed(make, CliApprover(machine, room)))

    async def join(machine: Machine, person: Person) -> Device:
        del person
        return Typist(machine, room)

    return GenieImplementation(boot, join, room.close)

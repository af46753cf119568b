"""A server that an adapter brings along, on the service's host: whose fault it is when one fails there."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness.adapter import Claim, Device, Environment, Implementation, Machine, Manifest, ServicePort
from harness.casting import call, person
from harness.catalog import load_catalog
from harness.channel.service import ChannelService
from harness.model import CallId, Card, Guarantee, Outcome, OutcomeStatus, Person, Receipt, Settled, ToolCall
from harness.plan import Plan
from harness.run import HarnessBug, Run, execute

PLAN = Plan("s", (person("alice"),), (call(),))


class _Screenless:
    """A device that shows nothing."""

    async def pending(self) -> Sequence[Card]:
        return ()

    async def respond(self, *_: object) -> Receipt:
        raise AssertionError("nobody answers what is not shown")

    async def settled(self, _: object) -> Settled | None:
        return None


@dataclass(frozen=True)
class _Knocks:
    """An agent that says one word to the server and carries on."""

    port: ServicePort

    async def call_tool(self, call: ToolCall) -> Outcome:
        _, writer = await asyncio.open_connection(*await self.port.address())
        writer.write(b"knock")
        await asyncio.sleep(2)
        writer.close()
        await call.effect(call.arguments)
        return Outcome(OutcomeStatus.EXECUTED)

    async def cancel(self, call: CallId) -> bool:
        del call
        return False


@dataclass(frozen=True)
class _Instance:
    port: ServicePort

    async def boot_agent(self, machine: Machine) -> _Knocks:
        del machine
        return _Knocks(self.port)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        del machine, person
        return _Screenless()

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class _Server(asyncio.Protocol):
    fails: Callable[[], object]

    def data_received(self, data: bytes) -> None:
        del data
        self.fails()


@dataclass(frozen=True)
class WithServer:
    """An adapter whose own server fails in some way when it is spoken to."""

    fails: Callable[[], object]

    @property
    def manifest(self) -> Manifest:
        return Manifest("with-server", "0", "", "", {Guarantee.PROGRESS: Claim("always")})

    def open(self, environment: Environment) -> Implementation:
        return _Instance(environment.service.listen(lambda: _Server(self.fails)))


def raises() -> None:
    raise LookupError("no such row")


async def dies() -> None:
    raises()


def in_a_timer() -> object:
    return asyncio.get_running_loop().call_later(1, raises)


def in_a_task() -> object:
    return asyncio.get_running_loop().create_task(dies())


def of_a_library() -> object:
    return asyncio.get_running_loop().call_soon(bytes.fromhex, "no hex")


def forgets() -> None:
    forgotten: Coroutine[Any, Any, None] = dies()
    del forgotten


def told(run: Run) -> list[str]:
    return [f"{it.host}: {it.error}" for it in run.failures]


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        (raises, "no such row"),
        (in_a_timer, "no such row"),
        (in_a_task, "no such row"),
        (of_a_library, "non-hexadecimal"),
        (forgets, "never awaited"),
    ],
)
def test_a_failure_of_an_adapters_own_server_is_the_adapters(fails: Callable[[], object], error: str) -> None:
    (line,) = told(execute(WithServer(fails), PLAN))
    assert line.startswith("channel: ")
    assert error in line


def test_a_server_that_does_not_fail_is_not_reported() -> None:
    assert told(execute(WithServer(lambda: None), PLAN)) == []


def test_a_failure_of_the_channel_service_is_the_harnesss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChannelService, "receive", lambda *_: raises())
    with pytest.raises(HarnessBug, match="the service failed"):
        execute(load_catalog().adapter("reference").value, PLAN)

"""The listener on the simulated loop: the real SDK runs in virtual time, the same way every time."""

import asyncio
import time
from typing import Any

import pytest

from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.listener import Listener
from harness.ably.server import Server
from harness.sim.simulation import Simulation
from tests.ably.wire import KEY

ably = pytest.importorskip("ably", reason="the SDK is not installed")


async def converse(log: list[tuple[Any, ...]]) -> None:
    """Publish, lose the socket, publish, let an hour pass, publish."""
    server = Server("simulated", ServerOptions(heartbeat_ms=0), [AppConfig("app", (KEY,))])
    listener = Listener(server, time.time_ns)
    port = await listener.listen("127.0.0.1", 8080)
    client = ably.AblyRealtime(key=KEY.text, endpoint=f"127.0.0.1:{port}", tls=False, client_id="alice")
    await client.connection.once_async("connected")
    channel = client.channels.get("room")

    def note(message: Any) -> None:
        log.append((message.id, message.serial, message.data, time.time_ns()))

    await channel.subscribe(note)
    await channel.publish("a", "first")
    await asyncio.sleep(1)
    for session in server.sessions():
        server.cut(session.id)
    listener.act(server.flush(time.time_ns()))
    await channel.publish("a", "after the loss")
    await asyncio.sleep(3600)
    await channel.publish("a", "an hour later")
    await asyncio.sleep(1)
    await client.close()
    listener.close()


def conversation(seed: int) -> tuple[list[tuple[Any, ...]], str]:
    log: list[tuple[Any, ...]] = []
    with Simulation(seed=seed) as simulation:
        simulation.run(lambda: converse(log))
        return log, simulation.schedule_digest()


def test_the_real_sdk_runs_in_virtual_time_and_repeats_itself() -> None:
    log, digest = conversation(seed=1)
    assert [entry[2] for entry in log] == ["first", "after the loss", "an hour later"]
    assert log[2][3] - log[1][3] >= 3600 * 10**9
    assert conversation(seed=1) == (log, digest)

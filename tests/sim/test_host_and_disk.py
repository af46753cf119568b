"""A crash is a power cut: no `finally`, no memory, and only what was synced."""

import asyncio
import gc
from typing import Any

import pytest

from harness.sim import Host, Peers, Simulation, Stop, Unsynced, acting_while_dead, current_host, halt_if_dead

SECOND_NS = 1_000_000_000


def run_to(sim: Simulation, seconds: float) -> None:
    assert sim.run_until(deadline_ns=round(seconds * SECOND_NS)) is Stop.DEADLINE


def test_a_crash_runs_no_finally_block_and_no_except_clause_within_the_run() -> None:
    log: list[str] = []

    async def agent() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append("finally")

    with Simulation() as sim:
        sim.host("agent").spawn(agent())
        run_to(sim, 1)
        sim.host("agent").crash()
        gc.collect()
        assert sim.run_until() is Stop.IDLE
        assert sim.now_ns == SECOND_NS
        assert log == []


def test_a_future_resolved_for_a_dead_task_wakes_nobody() -> None:
    log: list[str] = []
    with Simulation() as sim:
        answer: asyncio.Future[str] = sim.loop.create_future()

        async def agent() -> None:
            log.append(await answer)

        sim.host("agent").spawn(agent())
        run_to(sim, 1)
        sim.host("agent").crash()
        answer.set_result("approved")
        sim.run_until()
    assert log == []


def test_ready_callbacks_and_new_tasks_of_a_dead_host_never_run() -> None:
    log: list[str] = []

    async def late() -> None:
        log.append("task")

    with Simulation() as sim:
        host = sim.host("agent")
        host.call_soon(log.append, "callback")
        host.crash()
        host.spawn(late())
        host.call_soon(log.append, "late callback")
        sim.run_until()
    assert log == []
    assert sim.failures == ()


def test_the_rest_of_a_step_after_a_crash_changes_nothing_outside() -> None:
    log: list[Any] = []
    with Simulation() as sim:
        agent, phone = sim.host("agent"), sim.host("phone")

        def on_connect(pipe: Any) -> None:
            pipe.on_message = log.append

        sim.network.listen("phone", "approvals", on_connect)

        async def main() -> None:
            pipe = await sim.network.connect("agent", "phone", "approvals")
            agent.disk.write("pending", b"yes")
            await agent.disk.sync()
            agent.crash()
            assert acting_while_dead()
            agent.disk.write("pending", b"after death")
            assert agent.disk.compare_and_swap("pending", b"yes", b"swapped") is False
            pipe.send("after death")
            agent.boundary("effect")
            await halt_if_dead()
            log.append("returned into a dead task")

        agent.spawn(main())
        sim.run_until()
        assert agent.disk.read("pending") == b"yes"
        assert phone.alive
    assert log == []


def test_a_restarted_host_is_a_new_incarnation_with_the_same_disk() -> None:
    async def remember(host: Host) -> None:
        host.disk.write("key", b"value")
        await host.disk.sync()

    with Simulation() as sim:
        host = sim.host("agent")
        host.skew_ns = 7
        host.spawn(remember(host))
        sim.run_until()
        assert (host.alive, host.incarnation) == (True, 1)
        host.crash()
        assert not host.alive
        host.restart()
        assert (host.alive, host.incarnation, host.skew_ns) == (True, 2, 7)
        assert host.disk.read("key") == b"value"


def test_the_owner_can_crash_a_host_at_its_kth_boundary_step() -> None:
    kinds: list[str] = []
    log: list[str] = []

    async def agent(host: Host) -> None:
        host.disk.write("decision", b"approved")
        await host.disk.sync()
        log.append("synced")
        host.boundary("effect")
        log.append("effect")

    with Simulation() as sim:
        host = sim.host("agent")

        def on_boundary(kind: str) -> None:
            kinds.append(kind)
            if host.boundary_count == 2:
                host.crash()

        host.on_boundary = on_boundary
        host.spawn(agent(host))
        sim.run_until()
        assert not host.alive
    assert kinds == ["write", "sync"]
    assert log == []


def test_current_host_is_the_host_of_the_running_step() -> None:
    async def main() -> list[str | None]:
        seen: list[str | None] = []
        asyncio.get_running_loop().call_soon(lambda: seen.append(str(current_host())))
        await asyncio.create_task(asyncio.sleep(1))
        host = current_host()
        seen.append(host.name if host else None)
        return seen

    with Simulation() as sim:
        assert sim.run(main, host="phone") == ["<Host phone>", "phone"]
        assert current_host() is None
    assert current_host() is None


@pytest.mark.parametrize(
    ("unsynced", "expected"),
    [
        (Unsynced.LOST, {"a": b"old"}),
        (Unsynced.KEPT, {"a": b"newer", "b": b"b-value", "c": b"c-value"}),
        (Unsynced.TORN, {"a": b"newer", "b": b"b-v"}),
    ],
)
def test_unsynced_writes_are_lost_kept_or_torn(unsynced: Unsynced, expected: dict[str, bytes]) -> None:
    async def agent(host: Host) -> None:
        host.disk.write("a", b"old")
        await host.disk.sync()
        host.disk.write("a", b"newer")
        host.disk.write("b", b"b-value")
        host.disk.write("c", b"c-value")
        assert host.disk.keys() == ["a", "b", "c"]

    with Simulation() as sim:
        host = sim.host("agent")
        host.spawn(agent(host))
        sim.run_until()
        host.crash(unsynced=unsynced)
        host.restart()
        assert {key: host.disk.read(key) for key in host.disk.keys()} == expected  # noqa: SIM118 - a disk is no dict


def test_a_sync_takes_virtual_time_and_covers_only_what_was_written_before_it() -> None:
    async def writer(host: Host) -> None:
        host.disk.write("early", b"1")
        asyncio.get_running_loop().call_later(1, host.disk.write, "late", b"2")
        await host.disk.sync()

    with Simulation() as sim:
        host = sim.host("agent")
        host.disk.sync_latency_ns = 2 * SECOND_NS
        host.spawn(writer(host))
        sim.run_until()
        assert sim.now_ns == 2 * SECOND_NS
        host.crash()
        assert host.disk.keys() == ["early"]


def test_a_crash_during_a_sync_loses_the_writes_it_was_syncing() -> None:
    async def writer(host: Host) -> None:
        host.disk.write("key", b"1")
        await host.disk.sync()

    with Simulation() as sim:
        host = sim.host("agent")
        host.disk.sync_latency_ns = 2 * SECOND_NS
        host.spawn(writer(host))
        run_to(sim, 1)
        host.crash()
        sim.run_until()
        assert host.disk.keys() == []


def test_compare_and_swap_is_durable_at_once_and_has_one_winner() -> None:
    won: list[str] = []

    async def worker(sim: Simulation, name: str) -> None:
        await asyncio.sleep(0)
        if sim.shared_disk("store").compare_and_swap("decision", None, name.encode()):
            won.append(name)
            sim.host(name).crash()

    for seed in range(10):
        won.clear()
        with Simulation(seed=seed) as sim:
            for name in ("a", "b", "c"):
                sim.host(name).spawn(worker(sim, name))
            sim.run_until()
            assert sim.shared_disk("store").read("decision") == won[0].encode()
        assert len(won) == 1


def test_a_crash_loses_only_the_hosts_own_unsynced_writes_on_a_shared_disk() -> None:
    with Simulation() as sim:
        store = sim.shared_disk("store")
        for name in ("a", "b"):
            sim.host(name).call_soon(store.write, name, b"unsynced")
        sim.run_until()
        sim.host("a").crash()
        assert store.keys() == ["b"]


def test_a_later_durable_write_of_another_host_is_not_undone_by_a_sync() -> None:
    async def slow(sim: Simulation) -> None:
        sim.shared_disk("store").write("key", b"older")
        await asyncio.sleep(1)
        await sim.shared_disk("store").sync()

    async def quick(sim: Simulation) -> None:
        await asyncio.sleep(0.5)
        sim.shared_disk("store").write("key", b"newer")
        await sim.shared_disk("store").sync()

    with Simulation() as sim:
        sim.host("slow").spawn(slow(sim))
        sim.host("quick").spawn(quick(sim))
        sim.run_until()
        for name in ("slow", "quick"):
            sim.host(name).crash(peers=Peers.SILENT)
        assert sim.shared_disk("store").read("key") == b"newer"


def test_dead_coroutines_are_closed_only_after_the_run_and_unheard() -> None:
    log: list[str] = []

    async def agent() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            log.append("finally")
            current = current_host()
            assert current is not None
            current.disk.write("ghost", b"1")
            raise ValueError("unheard")

    with Simulation() as sim:
        sim.host("agent").spawn(agent())
        run_to(sim, 1)
        sim.host("agent").crash()
        digest = sim.schedule_digest()
        assert log == []
    assert log == ["finally"]
    assert sim.failures == ()
    assert sim.leaks == ()
    assert sim.schedule_digest() == digest
    assert sim.host("agent").disk.keys() == []

"""What a Node process in lockstep sees of the world, and what the world sees of it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import harness.stdio.stepped
from harness.adapter import AdapterFault
from harness.sim import Simulation
from harness.stdio.virtual import stock_of
from tests.stdio.stepping import AGENT, LAUNCH, SERVICE, Stepping, experiment, require_node

HOUR_NS: Final = 3_600_000_000_000
PORT: Final = 80


@pytest.fixture(scope="module")
def stock() -> Iterator[Any]:
    require_node()
    stock = stock_of(LAUNCH)
    yield stock
    stock.drain()


@pytest.fixture
def stepping(stock: Any) -> Iterator[Stepping]:
    with Simulation(seed=7) as sim:
        stepping = Stepping(sim, stock)
        yield stepping
    stepping.folders.remove()


def play(stepping: Stepping, tool: str, **arguments: Any) -> Any:
    found = stepping.sim.run(lambda: stepping.tried(tool, **arguments), host=AGENT)
    assert stepping.desks[AGENT].faults == []
    return found


def serve(stepping: Stepping, handle: Any) -> None:
    async def listen() -> None:
        await asyncio.start_server(handle, "0.0.0.0", PORT)

    stepping.sim.host(SERVICE).spawn(listen(), name="listen")


async def answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        size = 0
        while (header := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        body = await reader.readexactly(size)
        text = b" ".join([*line.split()[:2], body])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    writer.close()


# -- time


def test_every_clock_reads_virtual_time_and_an_hour_takes_none(stepping: Stepping) -> None:
    assert play(stepping, "clocks") == {
        "before": ["2026-01-01T00:00:00.000Z", 1767225600000, 0, 0, 0],
        "after": ["2026-01-01T01:00:00.000Z", 1767229200000, 3600000, HOUR_NS, 3600],
        "text": "Thu Jan 01 2026 01:00:00",
        "own": "1970-01-01T00:00:00.000Z",
        "is": True,
    }
    assert stepping.sim.now_ns == HOUR_NS


def test_the_wall_clock_is_skewed_with_its_host_and_durations_are_not(stepping: Stepping) -> None:
    stepping.sim.host(AGENT).skew_ns = HOUR_NS
    found = play(stepping, "clocks")
    assert found["before"][:3] == ["2026-01-01T01:00:00.000Z", 1767229200000, 0]


def test_timers_fire_by_deadline_and_immediates_in_the_instant(stepping: Stepping) -> None:
    assert play(stepping, "order") == [
        "microtask",
        "tick",
        "immediate",
        "interval at 8",
        "timer 10",
        "timer 10, set later",
        "interval at 16",
        "timer 20",
        "interval at 24",
    ]


def test_promised_timers_and_signals_keep_virtual_time(stepping: Stepping) -> None:
    assert play(stepping, "promises") == [
        ["tick", 1000],
        ["tick", 2000],
        ["tick", 3000],
        ["AbortError", 3500],
        ["TimeoutError", "promisified"],
    ]


# -- what may differ between two executions


def drawn(stock: Any, seed: int, name: str = AGENT) -> Any:
    with Simulation(seed=seed) as sim:
        stepping = Stepping(sim, stock)
        found = sim.run(lambda: stepping.tried("randomness", name), host="main")
    stepping.folders.remove()
    return found


def test_randomness_comes_from_the_seed_of_the_run_and_the_host(stock: Any) -> None:
    once = drawn(stock, 1)
    assert drawn(stock, 1) == once
    for other in (drawn(stock, 2), drawn(stock, 1, "another-agent")):
        assert all(one != two for one, two in zip(once, other, strict=True))


def test_work_on_other_threads_ends_in_one_order_and_before_time_goes_on(stepping: Stepping) -> None:
    ended, at_ms = play(stepping, "threads")
    assert ended[:3] == ["compiled", "long", "short"]
    assert ended[-1] == "immediate"
    assert sorted(ended[3:-1]) == ["digest", "packed", "written"]
    assert at_ms == 0
    assert play(stepping, "threads")[0] == ended


# -- sockets


def test_a_socket_of_the_process_is_a_stream_of_its_simulated_host(stepping: Stepping) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    serve(stepping, echo)
    found = play(stepping, "echo", port=PORT)
    assert found.pop("at") * 1_000_000 == stepping.sim.now_ns > 0
    assert found == {"text": "HELLO", "hadError": False, "read": 5, "written": 5}


def test_a_port_where_nobody_listens_refuses(stepping: Stepping) -> None:
    stepping.sim.host(SERVICE)
    code, call, message = play(stepping, "refused", port=81)
    assert (code, call) == ("ECONNREFUSED", "connect")
    assert message == "connect ECONNREFUSED service:81"


def test_a_connection_that_is_cut_off_is_reset(stepping: Stepping) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    serve(stepping, hang_up)
    assert play(stepping, "broken", port=PORT) == ["ECONNRESET", "read"]


def test_an_idle_socket_times_out_in_virtual_time(stepping: Stepping) -> None:
    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    serve(stepping, listen_only)
    assert play(stepping, "idle", port=PORT) >= 30_000


def test_http_and_fetch_work_unchanged(stepping: Stepping) -> None:
    serve(stepping, answer_http)
    assert play(stepping, "http", port=PORT) == ["GET /x ", "GET /x "]
    assert play(stepping, "fetch", port=PORT) == [200, "POST /y z"]


# -- what is refused and what goes wrong


def test_what_has_no_place_in_virtual_time_says_so(stepping: Stepping) -> None:
    calls = ["tls.connect", "net.Server.listen", "child_process.spawn", "worker_threads.Worker"]
    calls += ["crypto.generateKeyPairSync", "process.kill", "net.connect to a Unix socket"]
    texts = play(stepping, "forbidden")
    for call, text in zip(calls, texts, strict=True):
        assert text.startswith(f"ERR_HITL_VIRTUAL_TIME: {call} has no place in virtual time: ")


def failing(stepping: Stepping, tool: str) -> str:
    with pytest.raises(AdapterFault) as caught:
        stepping.sim.run(lambda: stepping.tried(tool), host=AGENT)
    return " ".join([str(caught.value), *stepping.desks[AGENT].faults])


def test_a_process_that_never_comes_to_rest_is_killed_and_reported(
    stepping: Stepping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.stdio.stepped, "SILENCE_MS", 2_000)
    assert "of real time; it was killed" in failing(stepping, "spin")


def test_immediates_without_end_are_named(stepping: Stepping) -> None:
    assert "immediates and timers ran within one instant (0 ns)" in failing(stepping, "immediates")


def test_a_process_that_exits_is_reported_with_its_last_words(stepping: Stepping) -> None:
    text = failing(stepping, "exit")
    assert "exited with code 3" in text
    assert "these are my last words" in text


def test_a_crash_of_the_host_kills_the_process_and_its_folder_stays(stepping: Stepping) -> None:
    host = stepping.sim.host(AGENT)

    async def begin() -> None:
        session = await stepping.booted()
        await session.command("call", call=experiment("crash"))

    host.spawn(begin())
    stepping.sim.run_until(deadline_ns=HOUR_NS // 2)
    host.crash()
    host.restart()
    stepping.sim.run_until(deadline_ns=3 * HOUR_NS)
    folder = Path(stepping.folders.shared).parent / "hosts" / AGENT
    assert [it.name for it in folder.iterdir()] == ["kept"]
    assert stepping.desks[AGENT].faults == []


def processes_of(folder: Path = Path("/proc")) -> set[str]:
    """Return the command lines of living processes that play our experiments."""
    found = set()
    for it in folder.glob("[0-9]*"):
        try:
            words = (it / "cmdline").read_bytes().decode(errors="replace")
            parent = (it / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if "platform.mjs" in words and parent == str(os.getpid()):
            found.add(it.name)
    return found


def test_no_process_outlives_its_run(stock: Any) -> None:
    with Simulation(seed=1) as sim:
        stepping = Stepping(sim, stock)
        sim.run(stepping.booted, host=AGENT)
        assert processes_of()
    stepping.folders.remove()
    assert processes_of() == set()

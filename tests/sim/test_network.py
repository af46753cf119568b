"""Messages between hosts: order, faults as the owner drives them, and what each end notices."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.sim import Fate, Fifo, NetworkEvent, Peers, Pipe, Simulation, Stop, Transmission, current_host

MS = 1_000_000


class Wire:
    """Two hosts, `phone` connected to `server`, and a log of what arrives where and when."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.log: list[tuple[str, int, Any]] = []
        self.events: list[NetworkEvent] = []
        self.server_end: Pipe | None = None
        self.phone_end: Pipe | None = None
        sim.network.recorder = self.events.append
        sim.host("server")
        sim.host("phone")
        sim.network.listen("server", "approvals", self._accepted)
        sim.network.dial(
            "phone", "server", "approvals", self._opened, lambda reason: self._note("phone", reason)
        )
        sim.run_until(deadline_ns=5 * MS)

    def _note(self, host: str, what: Any) -> None:
        here = current_host()
        assert here is not None
        assert here.name == host
        self.log.append((host, self.sim.now_ns // MS, what))

    def _listen_on(self, pipe: Pipe, host: str) -> None:
        pipe.on_message = lambda payload: self._note(host, payload)
        pipe.on_close = lambda reason: self._note(host, reason)

    def _accepted(self, pipe: Pipe) -> None:
        self.server_end = pipe
        self._listen_on(pipe, "server")

    def _opened(self, pipe: Pipe) -> None:
        self.phone_end = pipe
        self._listen_on(pipe, "phone")

    def phone_sends(self, *payloads: Any) -> None:
        assert self.phone_end is not None
        for payload in payloads:
            self.phone_end.send(payload, label=str(payload))

    def server_sends(self, *payloads: Any) -> None:
        assert self.server_end is not None
        for payload in payloads:
            self.server_end.send(payload, label=str(payload))

    def until(self, ms: int) -> None:
        self.sim.run_until(deadline_ns=ms * MS)

    def received(self) -> list[Any]:
        return [what for _, _, what in self.log]

    def kinds(self, kind: str) -> list[str]:
        return [event.label for event in self.events if event.kind == kind]


@pytest.mark.parametrize("seed", range(10))
def test_messages_of_one_direction_never_overtake_each_other(seed: int) -> None:
    with Simulation(seed=seed) as sim:
        wire = Wire(sim)
        wire.phone_sends(*range(20))
        wire.until(10)
        assert wire.received() == list(range(20))


def test_simultaneous_deliveries_to_different_hosts_are_real_choices() -> None:
    firsts = set()
    for seed in range(20):
        with Simulation(seed=seed) as sim:
            wire = Wire(sim)
            wire.phone_sends("up")
            wire.server_sends("down")
            wire.until(10)
            firsts.add(wire.log[0][0])
    assert firsts == {"phone", "server"}


def test_a_message_takes_the_latency_of_its_link() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.link("phone", "server").latency_ns = 40 * MS
        wire.phone_sends("slow")
        wire.server_sends("quick")
        wire.until(100)
        assert wire.log == [("phone", 6, "quick"), ("server", 45, "slow")]


def fate_of(number: int, fate: Fate) -> Callable[[Transmission], Fate]:
    def decide(transmission: Transmission) -> Fate:
        hit = (
            transmission.kind == "message"
            and transmission.source == "phone"
            and transmission.number == number
        )
        return fate if hit else Fate()

    return decide


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (Fate(delay_ns=40 * MS), [("server", 6, "a"), ("server", 46, "b"), ("server", 46, "c")]),
        (Fate(copies=0), [("server", 6, "a"), ("server", 6, "c")]),
        (Fate(copies=2), [("server", 6, "a"), ("server", 6, "b"), ("server", 6, "b"), ("server", 6, "c")]),
    ],
    ids=["delayed", "lost", "duplicated"],
)
def test_the_kth_message_of_a_link_meets_its_fate(fate: Fate, expected: list[tuple[str, int, str]]) -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.fate = fate_of(1, fate)
        wire.phone_sends("a", "b", "c")
        wire.until(100)
        assert wire.log == expected
        assert wire.kinds("sent") == ["a", "b", "c"]
        assert wire.kinds("lost") == (["b"] if fate.copies == 0 else [])


def test_a_reset_tells_both_ends_and_loses_what_is_in_flight() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.fate = fate_of(1, Fate(reset=True))
        wire.phone_sends("a", "b", "c")
        wire.until(100)
        assert sorted(wire.log) == [("phone", 5, "reset"), ("server", 5, "reset")]
        assert wire.kinds("lost") == ["b", "a"]


def test_the_owner_can_reset_the_connections_between_two_hosts() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.reset("server", "phone")
        wire.until(10)
        assert sorted(wire.log) == [("phone", 5, "reset"), ("server", 5, "reset")]


def test_a_cut_holds_messages_in_flight_and_new_ones_until_healed_in_order() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        wire.phone_sends("in flight")
        sim.network.cut("phone", "server")
        wire.until(20)
        wire.phone_sends("new")
        wire.until(50)
        assert wire.log == []
        sim.network.heal("server", "phone")
        wire.phone_sends("after")
        wire.until(100)
        assert wire.log == [("server", 51, "in flight"), ("server", 51, "new"), ("server", 51, "after")]
        assert wire.kinds("held") == ["in flight", "new"]


def test_a_second_cut_before_the_release_holds_on() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.cut("phone", "server")
        wire.phone_sends("a")
        wire.until(20)
        sim.network.heal("phone", "server")
        sim.network.cut("phone", "server")
        wire.until(40)
        assert wire.log == []
        sim.network.heal_all()
        wire.until(60)
        assert wire.log == [("server", 41, "a")]


def test_a_connection_dies_when_nothing_is_acknowledged_for_long() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.cut("phone", "server")
        wire.phone_sends("a")
        assert sim.run_until() is Stop.IDLE
        assert wire.received() == ["timed out"]
        sim.network.heal_all()
        sim.run_until()
        assert wire.received() == ["timed out"]


def test_a_one_way_cut_holds_one_direction_only() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.cut_one_way("phone", "server")
        wire.phone_sends("up")
        wire.server_sends("down")
        wire.until(50)
        assert wire.received() == ["down"]


def test_a_partition_separates_groups_and_spares_the_rest() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.network.partition(["phone", "tablet"], ["server"])
        assert sim.network.link("tablet", "server").cut
        assert not sim.network.link("phone", "tablet").cut
        wire.server_sends("x")
        wire.until(50)
        assert wire.log == []
        sim.network.heal_all()
        wire.until(60)
        assert wire.received() == ["x"]


def test_closing_is_heard_after_everything_sent_before_it() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        wire.phone_sends("last words")
        assert wire.phone_end is not None
        wire.phone_end.close()
        wire.phone_sends("never")
        wire.until(50)
        assert wire.log == [("server", 6, "last words"), ("server", 6, "closed")]


def test_peers_of_a_crashed_host_see_a_reset_if_it_was_to_be_one() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.host("server").crash(peers=Peers.RESET)
        wire.until(50)
        assert wire.log == [("phone", 6, "reset")]


def test_peers_of_a_silent_crash_hear_nothing_until_they_speak_to_its_successor() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        sim.host("server").crash(peers=Peers.SILENT)
        wire.phone_sends("hello?")
        wire.until(50)
        assert wire.log == []
        sim.host("server").restart()
        wire.until(100)
        assert wire.log == [("phone", 51, "reset")]


def test_what_a_host_sent_before_it_crashed_still_arrives() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        wire.phone_sends("sent in time")
        sim.host("phone").crash(peers=Peers.RESET)
        wire.until(50)
        assert wire.received() == ["sent in time", "reset"]


def test_a_message_for_a_host_that_crashed_meanwhile_is_never_delivered_to_its_next_life() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        wire.phone_sends("late")
        sim.host("server").crash()
        sim.host("server").restart()
        wire.until(50)
        assert wire.log == [("phone", 7, "reset")]


def test_messages_that_arrive_before_anyone_listens_wait() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        assert wire.server_end is not None
        wire.server_end.on_message = None
        wire.phone_sends("early")
        wire.until(50)
        got: list[str] = []
        wire.server_end.on_message = got.append
        assert got == ["early"]


def test_boundary_steps_are_counted_after_sending_and_after_receiving() -> None:
    with Simulation() as sim:
        wire = Wire(sim)
        kinds: list[tuple[str, int]] = []
        sim.host("phone").on_boundary = lambda kind: kinds.append((kind, len(wire.log)))
        sim.host("server").on_boundary = lambda kind: kinds.append((kind, len(wire.log)))
        wire.phone_sends("a")
        wire.until(50)
    assert kinds == [("sent", 0), ("received", 1)]


async def refused_by(sim: Simulation, target: str) -> str:
    with pytest.raises(OSError, match="could not connect") as caught:
        await sim.network.connect("phone", target, "approvals")
    return f"{type(caught.value).__name__} after {sim.now_ns // MS} ms"


def test_dialling_a_host_that_does_not_listen_is_refused_after_a_round_trip() -> None:
    with Simulation() as sim:
        sim.host("server")
        assert sim.run(lambda: refused_by(sim, "server"), host="phone") == "ConnectionRefusedError after 2 ms"


def test_dialling_a_dead_host_times_out() -> None:
    with Simulation() as sim:
        sim.host("server").crash()
        assert sim.run(lambda: refused_by(sim, "server"), host="phone") == "TimeoutError after 127000 ms"


def test_the_kth_connection_of_a_link_can_be_reset_or_lost() -> None:
    with Simulation() as sim:
        sim.network.listen("server", "approvals", lambda _pipe: None)
        asked: list[Transmission] = []

        def fate(transmission: Transmission) -> Fate:
            asked.append(transmission)
            return (Fate(reset=True), Fate(copies=0), Fate())[transmission.number]

        sim.network.fate = fate

        async def main() -> list[str]:
            refused = [await refused_by(sim, "server"), await refused_by(sim, "server")]
            pipe = await sim.network.connect("phone", "server", "approvals")
            return [*refused, pipe.remote]

        assert sim.run(main, host="phone") == [
            "ConnectionResetError after 1 ms",
            "TimeoutError after 127001 ms",
            "server",
        ]
        assert [(it.kind, it.number) for it in asked] == [
            ("connection", 0),
            ("connection", 1),
            ("connection", 2),
        ]


def test_a_connection_attempt_over_a_cut_link_is_made_once_it_is_healed() -> None:
    with Simulation() as sim:
        sim.network.listen("server", "approvals", lambda _pipe: None)
        sim.network.cut("phone", "server")
        sim.call_at(500 * MS, sim.network.heal_all)

        async def main() -> int:
            await sim.network.connect("phone", "server", "approvals")
            return sim.now_ns // MS

        assert sim.run(main, host="phone") == 502


def test_two_listeners_cannot_share_a_service_and_a_new_life_may_listen_again() -> None:
    with Simulation() as sim:
        listener = sim.network.listen("server", 80, lambda _pipe: None)
        with pytest.raises(OSError, match="already listens on 80"):
            sim.network.listen("server", 80, lambda _pipe: None)
        listener.close()
        sim.network.listen("server", 80, lambda _pipe: None)
        sim.host("server").restart()
        sim.network.listen("server", "80", lambda _pipe: None)


def test_a_pending_connection_of_a_crashed_host_returns_to_nobody() -> None:
    returned: list[Pipe] = []
    with Simulation(policy=Fifo()) as sim:
        accepted: list[Pipe] = []
        sim.network.listen("server", "approvals", accepted.append)

        async def main() -> None:
            returned.append(await sim.network.connect("phone", "server", "approvals"))

        sim.host("phone").spawn(main())
        sim.run_until(deadline_ns=3 * MS // 2)
        sim.host("phone").crash()
        sim.run_until()
        assert len(accepted) == 1
    assert returned == []
    assert sim.leaks == ()


def test_names_of_hosts_resolve_to_addresses_that_do_not_depend_on_who_asked_first() -> None:
    addresses = []
    for names in (("a", "b"), ("b", "a")):
        with Simulation() as sim:
            addresses.append({name: sim.network.names.address_of(name) for name in names})
    assert addresses[0] == addresses[1]

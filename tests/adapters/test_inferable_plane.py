"""The embedded control plane: the vendor's rules as they are, and what the hardened ones add."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model import Choice, PersonId
from tests.adapters.inferable_plane import Bench


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "plane.sqlite3", hardened=False)
    bench.register()
    yield bench
    bench.close()


@pytest.fixture
def hardened(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "plane.sqlite3", hardened=True)
    bench.register(retries=3)
    yield bench
    bench.close()


def asking(bench: Bench, **more: int) -> str:
    """Return a call whose function asks for approval."""
    call = bench.start("c1", **more)
    assert [it["approved"] for it in bench.poll("w1")] == [False]
    bench.ask("w1", call)
    return call


def test_an_approved_call_is_handed_out_again_with_the_same_input(vendor: Bench) -> None:
    call = asking(vendor)
    assert vendor.poll("w1") == []
    assert vendor.answer("ann", call) == (204, None)
    (again,) = vendor.polled("w1")
    assert (again["id"], again["approved"], again["input"]) == (call, True, {"post": "c1"})
    vendor.result("w1", call)
    assert vendor.read(call)["result"] == "done"
    assert vendor.seen.decisions == [(call, Choice.APPROVED)]


def test_a_rejected_call_is_never_handed_out_again(vendor: Bench) -> None:
    call = asking(vendor)
    vendor.answer("ann", call, approved=False)
    assert vendor.poll("w1") == []
    assert vendor.read(call)["result"] == {"message": "This call was denied by the user."}


def test_the_loser_of_a_race_gets_the_same_empty_success_and_changes_nothing(vendor: Bench) -> None:
    call = asking(vendor)
    assert vendor.answer("ann", call) == vendor.answer("bob", call, approved=False) == (204, None)
    assert vendor.seen.decisions == [(call, Choice.APPROVED)]


def test_an_answer_before_the_function_asks_changes_nothing(vendor: Bench) -> None:
    call = vendor.start("c1")
    assert vendor.answer("ann", call) == (204, None)
    assert vendor.seen.decisions == []


def test_who_does_not_manage_the_cluster_may_not_decide(vendor: Bench) -> None:
    call = asking(vendor)
    assert vendor.answer("eve", call)[0] == 401
    assert vendor.seen.decisions == []


def test_a_call_that_asks_waits_for_days_without_being_taken_for_stalled(vendor: Bench) -> None:
    call = asking(vendor)
    vendor.later(30 * 86_400)
    assert vendor.read(call)["status"] == "running"
    assert vendor.answer("ann", call) == (204, None)
    assert len(vendor.poll("w2")) == 1


def test_by_default_a_call_whose_machine_fell_silent_fails_and_is_not_tried_again(vendor: Bench) -> None:
    call = asking(vendor)
    vendor.answer("ann", call)
    assert len(vendor.poll("w1")) == 1
    vendor.later(31)
    assert vendor.read(call)["status"] == "failure"
    assert vendor.poll("w2") == []


def test_a_call_that_is_safe_to_retry_is_handed_out_again_after_its_timeout(vendor: Bench) -> None:
    vendor.register(retries=1, timeout_s=5)
    call = vendor.start("c1")
    assert len(vendor.poll("w1")) == 1
    vendor.later(6)
    assert [it["id"] for it in vendor.poll("w2")] == [call]


def test_a_result_from_a_machine_that_no_longer_has_the_call_is_disregarded(vendor: Bench) -> None:
    vendor.register(retries=1, timeout_s=5)
    call = vendor.start("c1")
    vendor.poll("w1")
    vendor.later(6)
    vendor.poll("w2")
    vendor.result("w1", call, result="late")
    assert vendor.read(call)["status"] == "running"


def test_two_machines_never_get_the_same_call(vendor: Bench) -> None:
    vendor.poll("w1")
    vendor.poll("w2")
    vendor.start("c1")
    vendor.start("c2")
    both = vendor.polled("w1") + vendor.polled("w2")
    assert sorted(it["input"]["post"] for it in both) == ["c1", "c2"]


def test_a_poll_without_calls_is_answered_with_none_in_the_end(vendor: Bench) -> None:
    vendor.poll("w1")
    vendor.later(19)
    assert "w1" not in vendor.replies
    vendor.later(2)
    assert vendor.replies["w1"].response.body == b"[]"


def test_a_cancelled_call_can_still_be_approved_and_then_runs(vendor: Bench) -> None:
    call = asking(vendor)
    assert vendor.cancel(call) == (204, None)
    vendor.answer("ann", call)
    assert [it["approved"] for it in vendor.poll("w1")] == [True]


def test_a_call_that_failed_comes_back_to_life_when_a_late_request_is_approved(vendor: Bench) -> None:
    call = vendor.start("c1")
    vendor.poll("w1")
    vendor.later(31)
    assert vendor.read(call)["status"] == "failure"
    vendor.ask("w1", call)
    vendor.answer("ann", call)
    assert len(vendor.poll("w1")) == 1


@pytest.mark.parametrize("moment", ["before the request", "asking", "approved", "taken again", "done"])
def test_a_killed_control_plane_carries_on_from_its_file(vendor: Bench, moment: str) -> None:
    call = vendor.start("c1")
    if moment == "before the request":
        vendor.killed_and_started_again()
    vendor.poll("w1")
    vendor.ask("w1", call)
    if moment == "asking":
        vendor.killed_and_started_again()
    vendor.answer("ann", call)
    if moment == "approved":
        vendor.killed_and_started_again()
    assert len(vendor.poll("w1")) == 1
    if moment == "taken again":
        vendor.killed_and_started_again()
    vendor.result("w1", call)
    if moment == "done":
        vendor.killed_and_started_again()
    assert vendor.read(call)["result"] == "done"


# -- hardened


def test_winner_and_loser_are_told_the_truth(hardened: Bench) -> None:
    call = asking(hardened)
    assert hardened.answer("ann", call)[1]["status"] == "decided"
    told = hardened.answer("bob", call, approved=False)[1]
    assert (told["status"], told["winner"], told["choice"]) == ("already-decided", "ann", "approved")


def test_a_weak_role_is_refused_and_ends_nothing(hardened: Bench) -> None:
    call = asking(hardened)
    assert hardened.answer("eve", call)[1]["status"] == "unauthorised"
    assert hardened.answer("ann", call)[1]["status"] == "decided"


def test_a_revoked_person_is_refused_with_the_token_they_hold(hardened: Bench) -> None:
    call = asking(hardened)
    hardened.provider.revoke(PersonId("ann"))
    assert hardened.answer("ann", call)[0] == 401
    assert hardened.seen.decisions == []


def test_a_cancelled_call_stays_cancelled(hardened: Bench) -> None:
    call = asking(hardened)
    assert hardened.cancel(call)[1] == {"cancelled": True}
    assert hardened.answer("ann", call)[1]["status"] == "cancelled"
    assert hardened.poll("w1") == []


def test_a_decided_call_cannot_be_cancelled(hardened: Bench) -> None:
    call = asking(hardened)
    hardened.answer("ann", call)
    assert hardened.cancel(call)[1] == {"cancelled": False}


def test_an_answer_at_the_deadline_is_too_late(hardened: Bench) -> None:
    call = asking(hardened, deadline_ns=5_000_000_000)
    hardened.now_ns = 5_000_000_000
    assert hardened.answer("ann", call)[1]["status"] == "expired"
    assert hardened.seen.expired == [call]


def test_a_call_expires_by_itself(hardened: Bench) -> None:
    call = asking(hardened, deadline_ns=5_000_000_000)
    hardened.later(6)
    assert hardened.seen.expired == [call]
    assert hardened.read(call)["status"] == "success"


def test_a_quorum_counts_a_person_once(hardened: Bench) -> None:
    call = asking(hardened, quorum=2)
    assert [hardened.answer("ann", call)[1]["status"] for _ in range(2)] == ["counted", "counted"]
    assert hardened.answer("bob", call)[1]["status"] == "decided"


def test_a_repeated_start_is_one_run(hardened: Bench) -> None:
    assert hardened.start("c1") == hardened.start("c1")


def test_a_poll_ends_with_its_connection(hardened: Bench) -> None:
    hardened.poll("w1")
    hardened.plane.lost(hardened.plane.polling()[0])
    call = hardened.start("c1")
    assert [it["id"] for it in hardened.poll("w2")] == [call]


# -- bad requests


def test_a_wrong_request_is_refused_and_changes_nothing(vendor: Bench) -> None:
    call = asking(vendor)
    place = "/clusters/acme"
    refused = [
        vendor.machine("w1", "POST", f"{place}/calls/{call}/approval", {"approved": True})[0],
        vendor.machine("w1", "POST", f"{place}/calls/nothing/result", {"resultType": "resolution"})[0],
        vendor.machine("w1", "POST", f"{place}/calls/{call}/result", {"result": 1})[0],
        vendor.machine("w1", "POST", f"{place}/calls/{call}/result", {"resultType": "interrupt"})[0],
        vendor.machine("w1", "GET", "/clusters/globex/runs")[0],
        vendor.machine("w1", "GET", "/nowhere")[0],
        vendor.machine("w1", "GET", f"{place}/calls?service=publish&limit=1000")[0],
        vendor.machine("w1", "GET", f"{place}/calls?service=unknown")[0],
    ]
    assert refused == [401, 404, 400, 400, 404, 404, 400, 410]
    assert vendor.read(call)["approved"] is None

"""The durable store: compare-and-set on one record a request."""

from dataclasses import replace

import pytest

from adapters.reference import request as requests
from adapters.reference.request import Request, Vote
from adapters.reference.store import DiskStore
from harness.model import Arguments, CallId, Choice, PersonId, Policy, RequestId, Role, digest
from harness.sim import Disk

ARGUMENTS: Arguments = {"title": "Hällo", "tags": ["a", 1, 2.5, None, {"deep": True}]}
PENDING = Request(
    RequestId("c1"),
    CallId("c1"),
    "approvals:acme:main",
    "acme",
    "publish_blog_post",
    ARGUMENTS,
    digest(ARGUMENTS),
    Policy(minimum_role=Role("admin"), quorum=2),
    PersonId("carol"),
    1_000,
)
VOTE = Vote(PersonId("alice"), Role("admin"), Choice.APPROVED, "a1", {"title": "Hi"}, "fine")


@pytest.fixture
def disk() -> Disk:
    return Disk("agent", lambda _incarnation, _kind: None)


def test_a_record_is_read_back_identical_by_another_process(disk: Disk) -> None:
    decided = requests.decided(requests.counted(PENDING, VOTE), replace(VOTE, person=PersonId("bob")))
    assert DiskStore(disk).replace(None, decided)
    assert DiskStore(disk).load(CallId("c1")) == decided


def test_a_record_is_created_once(disk: Disk) -> None:
    store = DiskStore(disk)
    assert store.replace(None, PENDING)
    assert not store.replace(None, PENDING)


def test_of_two_writers_the_first_wins_and_the_second_is_told(disk: Disk) -> None:
    one, other = DiskStore(disk), DiskStore(disk)
    one.replace(None, PENDING)
    seen = other.load(CallId("c1"))
    assert one.replace(PENDING, requests.cancelled(PENDING))
    assert seen is not None
    assert not other.replace(seen, requests.decided(seen, VOTE))
    assert other.load(CallId("c1")) == requests.cancelled(PENDING)


def test_what_is_not_there_is_none(disk: Disk) -> None:
    assert DiskStore(disk).load(CallId("c1")) is None


def test_all_records_come_in_the_order_of_their_ids(disk: Disk) -> None:
    store = DiskStore(disk)
    disk.write("something else", b"")
    for name in ("c2", "c1"):
        store.replace(None, replace(PENDING, id=RequestId(name), call=CallId(name)))
    assert [request.call for request in store.all()] == ["c1", "c2"]

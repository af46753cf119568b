"""Presence in the core: who is there, what is announced, and what is remembered (Ably spec RTP)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.errors import RefusalError
from harness.channel.history import Direction, HistoryQuery
from harness.channel.presence import (
    MEMBERS_MAX,
    SYNC_PAGE,
    PresenceAction,
    PresenceMessage,
    PresenceSet,
    check_presence,
)

RETENTION_MS = 120_000
SERIAL = "00000000000001-000@s"
CHANGES = st.builds(
    PresenceMessage,
    action=st.sampled_from([PresenceAction.ENTER, PresenceAction.LEAVE, PresenceAction.UPDATE]),
    client_id=st.sampled_from(["alice", "bob"]),
    data=st.none() | st.sampled_from(["x", "y"]),
    connection_id=st.sampled_from(["c1", "c2"]),
)


def change(
    action: PresenceAction, client_id: str, data: str | None = None, at_ms: int = 0
) -> PresenceMessage:
    return PresenceMessage(action, client_id, data, connection_id="c", timestamp_ms=at_ms)


@given(st.lists(CHANGES, max_size=12))
def test_applying_what_was_announced_gives_the_members(changes: list[PresenceMessage]) -> None:
    presence = PresenceSet(RETENTION_MS)
    replayed: dict[tuple[str | None, str | None], str | bytes | None] = {}
    for message in presence.admit(changes, SERIAL):
        key = (message.connection_id, message.client_id)
        match message.action:
            case PresenceAction.ENTER | PresenceAction.UPDATE:
                replayed[key] = message.data
            case PresenceAction.LEAVE:
                assert replayed.pop(key, "absent") != "absent"
    assert {(it.connection_id, it.client_id): it.data for it in presence.members} == replayed
    assert {it.action for it in presence.members} <= {PresenceAction.PRESENT}


def test_too_many_members_are_refused_all_or_none() -> None:
    presence = PresenceSet(RETENTION_MS)
    presence.admit([change(PresenceAction.ENTER, f"c{number}") for number in range(MEMBERS_MAX - 1)], SERIAL)
    with pytest.raises(RefusalError) as refused:
        presence.admit([change(PresenceAction.ENTER, "x"), change(PresenceAction.ENTER, "y")], SERIAL)
    assert refused.value.info.code == 91003
    assert len(presence) == MEMBERS_MAX - 1
    presence.admit([change(PresenceAction.UPDATE, "c0"), change(PresenceAction.ENTER, "x")], SERIAL)


def test_a_leave_without_data_carries_the_members_last() -> None:
    presence = PresenceSet(RETENTION_MS)
    presence.admit([change(PresenceAction.ENTER, "alice", "here")], SERIAL)
    (left,) = presence.admit([change(PresenceAction.LEAVE, "alice")], SERIAL)
    assert left.data == "here"


def test_a_sync_brings_every_member_once() -> None:
    presence = PresenceSet(RETENTION_MS)
    presence.admit([change(PresenceAction.ENTER, f"c{number}") for number in range(SYNC_PAGE + 1)], SERIAL)
    pages = presence.pages()
    assert [len(page) for page in pages] == [SYNC_PAGE, 1]
    assert [it.client_id for page in pages for it in page] == [
        f"c{number}" for number in range(SYNC_PAGE + 1)
    ]


@pytest.mark.parametrize("direction", list(Direction))
def test_pages_of_presence_history_join(direction: Direction) -> None:
    presence = PresenceSet(RETENTION_MS)
    presence.admit([change(PresenceAction.ENTER, f"c{number}", at_ms=number) for number in range(7)], SERIAL)
    query: HistoryQuery | None = HistoryQuery(direction, 3, start_ms=1, end_ms=5)
    found: list[str | None] = []
    while query is not None:
        page = presence.history(query, 10)
        found += [it.client_id for it in page.items]
        query = page.next
    expected = [f"c{number}" for number in range(1, 6)]
    assert found == (expected if direction is Direction.FORWARDS else expected[::-1])


def test_presence_history_up_to_an_attach_ends_there() -> None:
    presence = PresenceSet(RETENTION_MS)
    for number in range(3):
        presence.admit([change(PresenceAction.ENTER, f"c{number}")], f"0000000000000{number}-000@s")
    found = presence.history(HistoryQuery(until_serial="00000000000001-000@s"), 0).items
    assert [it.client_id for it in found] == ["c1", "c0"]


def test_presence_history_is_forgotten_and_the_members_are_not() -> None:
    presence = PresenceSet(RETENTION_MS)
    presence.admit([change(PresenceAction.ENTER, "alice", at_ms=0)], SERIAL)
    assert presence.history(HistoryQuery(), RETENTION_MS + 1).items == ()
    assert len(presence) == 1
    assert not presence.is_idle(RETENTION_MS + 1)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (PresenceMessage(PresenceAction.PRESENT), 40030),
        (PresenceMessage(PresenceAction.ENTER, extras={"nonsense": 1}), 40032),
        (PresenceMessage(PresenceAction.ENTER, data="x" * 101), 40009),
    ],
)
def test_presence_of_the_wrong_form_is_refused(message: PresenceMessage, code: int) -> None:
    with pytest.raises(RefusalError) as refused:
        check_presence(message, 100)
    assert refused.value.info.code == code

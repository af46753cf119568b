"""Frames on disk: what was acknowledged is there again, exactly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ably.actions import Action, Flag
from harness.ably.apps import AppConfig
from harness.ably.store import Database, SqliteStore, StoreError, pack, unpack
from harness.channel.frames import Frame
from harness.channel.frozen_json import freeze_mapping
from harness.channel.messages import Message, MessageAction, Version
from tests.ably.wire import KEY, NO_HEARTBEATS, RULES, START_NS, World

NOW_MS = START_NS // 10**6
YEAR_MS = 366 * 86_400_000
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MESSAGES = st.builds(
    Message,
    name=TEXT,
    data=TEXT | st.binary(max_size=8),
    encoding=TEXT,
    client_id=TEXT,
    id=TEXT,
    extras=st.none()
    | st.dictionaries(st.text("ab", max_size=3), st.integers(0, 9) | st.lists(st.booleans(), max_size=2)).map(
        lambda extras: freeze_mapping(extras, 40032, "extras")
    ),
    timestamp_ms=st.integers(0, 2**50),
    serial=st.text("0123", max_size=8),
    action=st.sampled_from(MessageAction),
    version=st.builds(Version, serial=st.text("0123", max_size=8), description=TEXT),
)


@given(st.lists(MESSAGES, max_size=3), TEXT)
def test_a_frame_is_read_back_as_it_was_written(messages: list[Message], key: str | None) -> None:
    frame = Frame("00000000000001-000@s", "id", "c", 1, tuple(messages), key)
    assert unpack(pack(frame)) == frame


def world_on(database: Database) -> World:
    app = AppConfig("app", (KEY,), RULES, database.fact("series", "abc"), SqliteStore(database, "app"))
    return World(NO_HEARTBEATS, app)


def test_a_restarted_server_serves_history_and_continues_channels(tmp_path: Path) -> None:
    database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
    world = world_on(database)
    client = world.connect()
    client.attach("mut:x")
    client.publish("mut:x", 0, {"name": "n", "data": "a", "extras": {"headers": {"h": 1}}})
    seen = client.frames(Action.MESSAGE)[0]
    serial = seen["messages"][0]["serial"]
    client.publish("mut:x", 1, {"action": 5, "serial": serial, "data": "b"})
    database.close()

    database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
    world = world_on(database)
    message = world.http("GET", "/channels/mut:x/messages").value[0]
    assert (message["data"], message["serial"], message["extras"]) == ("ab", serial, {"headers": {"h": 1}})
    again = world.connect()
    again.frames()
    again.send(action=Action.ATTACH, channel="mut:x", channelSerial=seen["channelSerial"])
    attached, missed = again.frames()
    assert attached["flags"] & Flag.RESUMED
    assert missed["messages"][0]["data"] in ("b", "ab")
    database.close()


def test_a_publish_with_an_id_that_is_repeated_after_a_restart_happens_once(tmp_path: Path) -> None:
    """The publisher did not hear the answer, since the server died; its SDK asks again."""
    serials = []
    for _ in range(2):
        database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
        world = world_on(database)
        reply = world.http("POST", "/channels/room/messages", {"id": "once:0", "data": "request"})
        serials += reply.value["serials"]
        assert len(world.http("GET", "/channels/room/messages").value) == 1
        database.close()
    assert serials[0] == serials[1]


def test_ephemeral_messages_are_not_written(tmp_path: Path) -> None:
    database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
    world_on(database).http("POST", "/channels/room/messages", {"extras": {"ephemeral": True}})
    assert list(SqliteStore(database, "app").load("room")) == []
    database.close()


def test_frames_older_than_any_rule_looks_back_are_dropped(tmp_path: Path) -> None:
    for now_ms, count in ((NOW_MS, 1), (NOW_MS + YEAR_MS, 1), (NOW_MS + YEAR_MS + 1, 0)):
        database = Database(tmp_path / "file", now_ms, YEAR_MS)
        if now_ms == NOW_MS:
            world_on(database).http("POST", "/channels/room/messages", {"name": "a"})
        assert len(list(SqliteStore(database, "app").load("room"))) == count
        database.close()


def test_a_message_that_can_not_be_written_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
    world = world_on(database)
    client = world.connect()
    client.attach("room")
    database.connection.execute("DROP TABLE frames")
    client.publish("room", 0, {"name": "a"})
    frames = client.frames()
    assert [frame["action"] for frame in frames] == [Action.NACK]
    assert frames[0]["error"]["code"] == 50000
    database.close()


def test_a_file_in_use_or_of_another_kind_is_refused_with_the_next_step(tmp_path: Path) -> None:
    database = Database(tmp_path / "file", NOW_MS, YEAR_MS)
    with pytest.raises(StoreError, match="another server"):
        Database(tmp_path / "file", NOW_MS, YEAR_MS)
    database.connection.execute("UPDATE facts SET value = '999' WHERE name = 'format'")
    database.close()
    with pytest.raises(StoreError, match="format 999"):
        Database(tmp_path / "file", NOW_MS, YEAR_MS)
    (tmp_path / "text").write_text("this is no database, and longer than a header would be " * 10)
    with pytest.raises(StoreError, match="can not be used"):
        Database(tmp_path / "text", NOW_MS, YEAR_MS)

"""History: order, pages, bounds, retention, rights."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.channel.frames import Frame
from harness.channel.history import Direction, HistoryQuery, MessageHistory
from harness.channel.messages import Message
from harness.channel.rules import ChannelRule
from tests.channel.driver import Service, grant, rules


def service_with(*names: str, rule: ChannelRule | None = None) -> Service:
    service = Service(rules=rules(room=rule or ChannelRule()))
    writer = service.join("writer")
    for name in names:
        service.publish(writer, name)
        service.wait(1)
    return service


def read(service: Service, query: HistoryQuery | None = None) -> list[str | None]:
    return [message.name for message in service.history(service.join("reader"), query).items]


def test_history_is_newest_first_by_default() -> None:
    assert read(service_with("a", "b", "c")) == ["c", "b", "a"]


def test_direction_decides_the_order_and_the_end_that_the_limit_counts_from() -> None:
    service = service_with("a", "b", "c")
    assert read(service, HistoryQuery(limit=2)) == ["c", "b"]
    assert read(service, HistoryQuery(Direction.FORWARDS, limit=2)) == ["a", "b"]


def test_start_and_end_are_inclusive() -> None:
    service = service_with("a", "b", "c")
    at_ms = [message.timestamp_ms for message in service.history(service.join()).items][::-1]
    assert read(service, HistoryQuery(start_ms=at_ms[1], end_ms=at_ms[1])) == ["b"]
    assert read(service, HistoryQuery(start_ms=at_ms[1])) == ["c", "b"]
    assert read(service, HistoryQuery(end_ms=at_ms[1])) == ["b", "a"]


@pytest.mark.parametrize(
    "query",
    [HistoryQuery(limit=0), HistoryQuery(limit=1001), HistoryQuery(start_ms=2, end_ms=1)],
)
def test_an_unusable_query_is_refused_with_40003(query: HistoryQuery) -> None:
    service = service_with("a")
    assert service.history_error(service.join(), query).code == 40003


def test_history_needs_its_capability() -> None:
    service = service_with("a")
    assert service.history_error(service.join(grant("x", {"*": ["subscribe"]}))).code == 40160


def test_history_of_a_bad_channel_name_is_refused() -> None:
    service = Service()
    assert service.history_error(service.join(), channel="").code == 40010


def test_history_up_to_the_attach_ends_where_live_delivery_begins() -> None:
    service = service_with("a", "b")
    reader, writer = service.join("reader"), service.join("writer")
    attach_serial = service.attach(reader).channel_serial
    service.publish(writer, "live")
    page = service.history(reader, HistoryQuery(until_serial=attach_serial))
    assert [message.name for message in page.items] == ["b", "a"]


def test_history_up_to_a_serial_includes_that_frame_whole() -> None:
    service = Service()
    writer = service.join("writer")
    serial = service.publish(writer, "a", "b").serials[0]
    service.publish(writer, "c")
    assert read(service, HistoryQuery(until_serial=serial)) == ["b", "a"]
    assert read(service, HistoryQuery(Direction.FORWARDS, until_serial=serial)) == ["a", "b"]


def test_an_attach_point_older_than_the_live_window_is_refused_with_90008_even_if_persisted() -> None:
    service = service_with("a", rule=ChannelRule(history_ms=86_400_000))
    reader = service.join("reader")
    serial = service.attach(reader).channel_serial
    service.wait(121)
    assert service.history_error(reader, HistoryQuery(until_serial=serial)).code == 90008
    assert read(service) == ["a"]


def test_an_attach_to_a_long_silent_channel_can_read_history_up_to_itself() -> None:
    service = service_with("a", rule=ChannelRule(history_ms=86_400_000))
    service.wait(3600)
    reader = service.join("reader")
    serial = service.attach(reader).channel_serial
    assert read(service, HistoryQuery(until_serial=serial)) == ["a"]


def test_an_attach_point_of_another_series_is_refused_with_40024() -> None:
    service = service_with("a")
    query = HistoryQuery(until_serial="01700000000000-000@elsewhere")
    assert service.history_error(service.join(), query).code == 40024
    assert service.history_error(service.join(), HistoryQuery(until_serial="x")).code == 40003


def test_unpersisted_messages_leave_history_after_two_minutes() -> None:
    service = service_with("a")
    service.wait(118)
    assert read(service) == ["a"]
    service.wait(3)
    assert read(service) == []


def test_persisted_messages_stay_as_long_as_their_rule_says() -> None:
    service = service_with("a", rule=ChannelRule(history_ms=3_600_000))
    service.wait(3_590)
    assert read(service) == ["a"]
    service.wait(20)
    assert read(service) == []


def test_a_mutable_channel_is_persisted() -> None:
    service = service_with("a", rule=ChannelRule(mutable=True))
    service.wait(86_400)
    assert read(service) == ["a"]


def test_persist_last_keeps_the_newest_message_for_queries_of_one() -> None:
    service = service_with("a", "b", rule=ChannelRule(persist_last=True))
    service.wait(86_400)
    assert read(service) == []
    assert read(service, HistoryQuery(limit=1)) == ["b"]
    attached = service.attach(service.join("c"), params={"rewind": "1"})
    assert attached.has_backlog


def test_a_rule_covers_exactly_its_namespace() -> None:
    service = Service(rules=rules(chat=ChannelRule(history_ms=3_600_000)))
    writer = service.join()
    for channel in ("chat", "chat:x", "chats:x"):
        service.publish(writer, "m", channel=channel)
    service.wait(600)
    kept = [bool(service.history(writer, channel=channel).items) for channel in ("chat", "chat:x", "chats:x")]
    assert kept == [True, True, False]


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(
    count=st.integers(0, 40),
    limit=st.integers(1, 12),
    direction=st.sampled_from(Direction),
    later=st.integers(0, 5),
)
def test_pages_join_into_the_whole_history_whatever_is_published_meanwhile(
    count: int, limit: int, direction: Direction, later: int
) -> None:
    service = Service()
    writer = service.join("writer")
    for i in range(count):
        service.publish(writer, f"m{i}")
    query: HistoryQuery | None = HistoryQuery(direction, limit, end_ms=service.now_ms)
    service.now_ns += 10**9
    read_names: list[str | None] = []
    while query is not None:
        page = service.history(writer, query)
        read_names += [message.name for message in page.items]
        assert len(page.items) == limit or page.next is None
        for _ in range(later):
            service.publish(writer, "later")
        query = page.next
    expected = [f"m{i}" for i in range(count)]
    assert read_names == (expected if direction is Direction.FORWARDS else expected[::-1])


class CountingText(str):
    """A serial that counts how often it is compared, to tell a search from a scan."""

    __slots__ = ()
    comparisons = 0

    def __lt__(self, other: str) -> bool:
        CountingText.comparisons += 1
        return str.__lt__(self, other)


def test_a_page_of_a_long_history_costs_a_search_and_not_a_scan() -> None:
    history = MessageHistory(ChannelRule())
    for i in range(20_000):
        history.add(Message(serial=CountingText(f"{i:014}-000@s:000"), timestamp_ms=i // 1_000))
    CountingText.comparisons = 0
    page = history.page(HistoryQuery(limit=10, cursor="00000000010000-000@s:000"), 20)
    assert page.items[0].serial == "00000000009999-000@s:000"
    assert 0 < CountingText.comparisons < 40


def test_expired_messages_are_let_go_of_while_new_ones_come() -> None:
    service = Service()
    writer = service.join("writer")
    for _ in range(3_000):
        service.publish(writer, "m")
        service.now_ns += 10**9
    log = service.core.hub._channels["room"].log
    assert len(log._history._entries) < 1_000
    assert len(log._live._frames) < 1_000


def test_a_store_brings_a_channel_back_with_its_order_versions_and_ids() -> None:
    class Disk:
        def __init__(self) -> None:
            self.frames: list[tuple[str, Frame]] = []

        def append(self, channel: str, frame: Frame) -> None:
            self.frames.append((channel, frame))

        def load(self, channel: str) -> list[Frame]:
            return [frame for name, frame in self.frames if name == channel]

    disk = Disk()
    rule = rules(mut=ChannelRule(mutable=True))
    before = Service(rules=rule, store=disk, seed_text="boot 1")
    writer = before.join()
    serial = before.publish(writer, Message(data="a", id="k"), channel="mut:x").serials[0]
    before.append(writer, serial, "b")
    before.publish(writer, Message(name="gone", extras={"ephemeral": True}), channel="mut:x")
    kept = before.history(writer, channel="mut:x")

    after = Service(rules=rule, store=disk, seed_text="boot 2", now_ns=before.now_ns)
    reader = after.join()
    assert after.history(reader, channel="mut:x") == kept
    assert after.publish(reader, Message(data="a", id="k"), channel="mut:x").serials == (serial,)
    newer = after.publish(reader, "new", channel="mut:x").serials[0]
    assert newer is not None
    assert serial is not None
    assert newer > serial


def test_a_store_that_fails_leaves_the_channel_unchanged() -> None:
    class Broken:
        def append(self, channel: str, frame: Frame) -> None:
            raise OSError(f"no room for {channel} {frame.id}")

        def load(self, channel: str) -> list[Frame]:
            del channel
            return []

    service = Service(store=Broken())
    writer = service.join()
    with pytest.raises(OSError, match="no room"):
        service.publishing(writer, "m")
    assert service.history(writer).items == ()

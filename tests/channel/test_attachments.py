"""Attaching: modes, parameters, serials, resumption and its explicit limits."""

import pytest

from harness.channel.commands import Detach
from harness.channel.events import Attached, ChannelFailed, Deliver, Detached, Send
from harness.channel.messages import Message
from harness.channel.modes import DEFAULT_MODES, Mode
from harness.channel.rules import ChannelRule, ChannelRules
from harness.channel.service import ServiceOptions
from tests.channel.driver import Service, grant, names, of, only, rules


def failure_code(service: Service, credentials: object = "alice", channel: str = "room", **f: object) -> int:
    return only(service.attaching(service.join(credentials), channel, **f), ChannelFailed).error.code


def test_attached_carries_a_serial_even_on_an_empty_channel() -> None:
    service = Service()
    attached = service.attach(service.join())
    assert attached.channel_serial
    assert not attached.resumed
    assert not attached.has_backlog
    assert attached.modes == DEFAULT_MODES


def test_attached_comes_before_the_backlog() -> None:
    service = Service()
    transport = service.join()
    service.publish(transport, "a", "b")
    effects = service.attaching(transport, params={"rewind": "2"})
    assert [type(effect.event) for effect in effects if isinstance(effect, Send)] == [Attached, Deliver]


def test_granted_modes_are_those_requested_that_the_capability_allows() -> None:
    service = Service()
    transport = service.join(grant("alice", {"room": ["subscribe"]}))
    assert service.attach(transport).modes == Mode.SUBSCRIBE | Mode.PRESENCE_SUBSCRIBE
    assert service.attach(transport, modes=Mode.SUBSCRIBE | Mode.PUBLISH).modes == Mode.SUBSCRIBE


def test_an_attach_with_no_permitted_mode_fails_the_channel_with_40160() -> None:
    assert failure_code(Service(), grant("alice", {"other": ["*"]})) == 40160
    assert failure_code(Service(), grant("alice", {"room": ["subscribe"]}), modes=Mode.PUBLISH) == 40160


def test_modes_in_the_parameters_beat_the_mode_bits() -> None:
    service = Service()
    attached = service.attach(service.join(), modes=Mode.PUBLISH, params={"modes": "subscribe,presence"})
    assert attached.modes == Mode.SUBSCRIBE | Mode.PRESENCE


def test_only_applied_parameters_are_echoed() -> None:
    service = Service()
    params = {"rewind": "1", "foo": "bar", "agent": "x", "delta": "vcdiff"}
    assert service.attach(service.join(), params=params).params == {"rewind": "1", "delta": "vcdiff"}
    assert service.attach(service.join(), params={"delta": "nonsense"}).params == {}


def test_a_client_without_the_subscribe_mode_receives_nothing() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    service.attach(alice, params={"modes": "publish"})
    assert names(service.publishing(bob, "m"), alice) == []


def test_a_bad_channel_name_fails_the_channel_with_40010() -> None:
    assert failure_code(Service(), channel=" x") == 40010


def test_an_anonymous_client_can_not_attach_a_channel_for_identified_ones() -> None:
    service = Service(rules=rules(known=ChannelRule(identified_only=True)))
    assert failure_code(service, grant(None), "known") == 40161


def test_one_connection_has_a_limited_number_of_channels() -> None:
    service = Service(options=ServiceOptions(channels_per_connection_max=2))
    transport = service.join()
    service.attach(transport, "a")
    service.attach(transport, "b")
    assert only(service.attaching(transport, "c"), ChannelFailed).error.code == 90010
    service.attach(transport, "a")


def test_detaching_is_confirmed_also_when_not_attached() -> None:
    service = Service()
    transport = service.join()
    service.attach(transport)
    assert only(service.do(transport, Detach("room")), Detached).channel == "room"
    assert only(service.do(transport, Detach("room")), Detached).channel == "room"
    assert names(service.publishing(transport, "m")) == []


def test_attaching_again_is_answered_with_a_fresh_attached() -> None:
    service = Service()
    transport = service.join()
    serial = service.attach(transport).channel_serial
    again = service.attach(transport, channel_serial=serial)
    assert again.resumed
    assert not again.has_backlog
    assert names(service.publishing(transport, "once")) == ["once"]


# resumption, spec RTL4c1


def test_a_resuming_attach_receives_what_it_missed_in_order_and_once() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    serial = service.attach(bob).channel_serial
    service.core.drop(bob, service.now_ns)
    for name in "abc":
        service.publish(alice, name)
    effects = service.attaching(service.join("bob"), channel_serial=serial)
    assert only(effects, Attached).resumed
    assert names(effects) == ["a", "b", "c"]


def test_channel_continuity_does_not_depend_on_connection_continuity() -> None:
    service = Service()
    bob, connected = service.connected("bob")
    serial = service.attach(bob).channel_serial
    service.core.forget(connected.connection_id)
    assert service.attach(service.join("bob"), channel_serial=serial).resumed


def test_a_resumed_attached_carries_the_serial_that_its_backlog_follows() -> None:
    service = Service()
    alice = service.join()
    serial = service.attach(alice).channel_serial
    service.publish(alice, "a")
    service.now_ns += 10**9
    attached = service.attach(service.join("bob"), channel_serial=serial)
    assert attached.channel_serial == serial


def test_a_serial_stays_good_on_a_silent_channel_however_old_it_is() -> None:
    service = Service()
    serial = service.attach(service.join("bob")).channel_serial
    service.wait(3600)
    service.publish(service.join("alice"), "fresh")
    effects = service.attaching(service.join("bob"), channel_serial=serial)
    assert only(effects, Attached).resumed
    assert names(effects) == ["fresh"]


def test_a_message_serial_works_as_a_point_to_continue_from() -> None:
    service = Service()
    alice = service.join()
    first = service.publish(alice, "a").serials[0]
    service.publish(alice, "b")
    effects = service.attaching(service.join("bob"), channel_serial=first)
    assert names(effects) == ["b"]


def test_a_resumed_attach_without_echo_does_not_replay_own_messages() -> None:
    service = Service()
    first, connected = service.connected("alice", echo=False)
    serial = service.attach(first).channel_serial
    service.publish(first, "own")
    service.publish(service.join("bob"), "other")
    second, _ = service.connected("alice", resume=connected.connection_key, echo=False)
    assert names(service.attaching(second, channel_serial=serial), second) == ["other"]


# the explicit limits of resumption


def test_a_serial_older_than_the_window_is_a_discontinuity_with_what_is_left() -> None:
    service = Service()
    alice = service.join("alice")
    serial = service.attach(service.join("bob")).channel_serial
    service.publish(alice, "lost")
    service.wait(121)
    service.publish(alice, "held")
    effects = service.attaching(service.join("bob"), channel_serial=serial)
    attached = only(effects, Attached)
    assert attached.error is not None
    assert (attached.error.code, attached.resumed, attached.has_backlog) == (90003, False, True)
    assert names(effects) == ["held"]


def test_a_message_exactly_two_minutes_old_is_still_replayed() -> None:
    service = Service()
    serial = service.attach(service.join("bob")).channel_serial
    service.publish(service.join("alice"), "edge")
    service.wait(120)
    effects = service.attaching(service.join("bob"), channel_serial=serial)
    assert only(effects, Attached).resumed
    assert names(effects) == ["edge"]


def test_a_persisted_channel_does_not_reach_further_back_for_resumption() -> None:
    service = Service(rules=rules(keep=ChannelRule(history_ms=86_400_000)))
    serial = service.attach(service.join("bob"), "keep:a").channel_serial
    service.publish(service.join("alice"), "old", channel="keep:a")
    service.wait(121)
    attached = service.attach(service.join("bob"), "keep:a", channel_serial=serial)
    assert attached.error is not None
    assert attached.error.code == 90003


def test_more_than_one_replay_may_hold_is_a_discontinuity_with_the_newest_messages() -> None:
    service = Service(rules=ChannelRules(default=ChannelRule(replay_messages_max=3)))
    alice = service.join("alice")
    serial = service.attach(alice).channel_serial
    for name in "abcde":
        service.publish(alice, name)
    effects = service.attaching(service.join("bob"), channel_serial=serial)
    attached = only(effects, Attached)
    assert attached.error is not None
    assert (attached.error.code, attached.resumed) == (90004, False)
    assert names(effects) == ["c", "d", "e"]


@pytest.mark.parametrize("serial", ["nonsense", "01700000000000-000@elsewhere", "99999999999999-000@{}"])
def test_a_serial_of_another_series_or_of_the_future_attaches_at_the_head(serial: str) -> None:
    service = Service()
    alice = service.join("alice")
    series = service.attach(alice).channel_serial.partition("@")[2]
    service.publish(alice, "m")
    effects = service.attaching(service.join("bob"), channel_serial=serial.format(series))
    attached = only(effects, Attached)
    assert attached.error is not None
    assert (attached.error.code, attached.resumed, attached.has_backlog) == (90005, False, False)


# rewind


def test_a_rewind_by_count_brings_the_newest_messages_oldest_first() -> None:
    service = Service()
    alice = service.join("alice")
    for name in "abc":
        service.publish(alice, name)
    effects = service.attaching(service.join("bob"), params={"rewind": "2"})
    attached = only(effects, Attached)
    assert (attached.resumed, attached.has_backlog, attached.error) == (False, True, None)
    assert names(effects) == ["b", "c"]


def test_a_rewind_by_time_brings_what_is_young_enough() -> None:
    service = Service()
    alice = service.join("alice")
    for name in "abc":
        service.publish(alice, name)
        service.wait(10)
    assert names(service.attaching(service.join("bob"), params={"rewind": "25s"})) == ["b", "c"]
    assert names(service.attaching(service.join("bob"), params={"rewind": "1m"})) == ["a", "b", "c"]


def test_a_rewind_by_time_is_cut_to_its_limit_and_says_so() -> None:
    service = Service()
    alice = service.join("alice")
    for name in "abc":
        service.publish(alice, name)
    effects = service.attaching(service.join("bob"), params={"rewind": "1m", "rewindLimit": "2"})
    assert names(effects) == ["b", "c"]
    assert only(effects, Attached).error is not None


def test_a_rewind_brings_at_most_a_hundred_messages() -> None:
    service = Service()
    alice = service.join("alice")
    service.publish(alice, *[f"m{i}" for i in range(150)])
    assert len(names(service.attaching(service.join("bob"), params={"rewind": "1000"}))) == 100


def test_a_rewind_keeps_the_frames_of_messages_published_together() -> None:
    service = Service()
    service.publish(service.join("alice"), "a", "b")
    frames = of(service.attaching(service.join("bob"), params={"rewind": "10"}), Deliver)
    assert [[message.name for message in frame.messages] for frame in frames] == [["a", "b"]]


def test_a_rewind_is_bounded_by_what_is_kept() -> None:
    service = Service()
    service.publish(service.join("alice"), "old")
    service.wait(121)
    assert names(service.attaching(service.join("bob"), params={"rewind": "10"})) == []


def test_a_rewind_is_ignored_by_an_attach_that_continues_and_by_one_that_repeats() -> None:
    service = Service()
    alice = service.join("alice")
    service.publish(alice, "m")
    serial = service.attach(alice).channel_serial
    assert names(service.attaching(alice, params={"rewind": "1"})) == []
    assert names(service.attaching(service.join(), params={"rewind": "1"}, channel_serial=serial)) == []


@pytest.mark.parametrize("params", [{"rewind": "x"}, {"rewind": "-1"}, {"rewind": "2h"}, {"modes": "fly"}])
def test_an_unusable_parameter_fails_the_attach(params: dict[str, str]) -> None:
    assert failure_code(Service(), params=params) == 40003
    assert failure_code(Service(), params={"rewind": "1m", "rewindLimit": "0"}) == 40003


def test_parameters_in_a_qualified_name_count_and_deliveries_bear_that_name() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    service.publish(alice, "old")
    effects = service.attaching(bob, "[?rewind=1]room")
    assert names(effects) == ["old"]
    live = of(service.publishing(alice, Message(name="new")), Deliver, bob)
    assert [event.channel for event in live] == ["[?rewind=1]room"]


def test_the_clock_may_step_back_without_disturbing_the_order() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    serial = service.attach(bob).channel_serial
    service.publish(alice, "a")
    service.now_ns -= 3600 * 10**9
    service.publish(alice, "b")
    effects = service.attaching(service.join("carol"), channel_serial=serial)
    assert names(effects) == ["a", "b"]
    assert [message.name for message in service.history(bob).items] == ["b", "a"]

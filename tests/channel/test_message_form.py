"""Rules of form: names, serials, messages, extras, ids and sizes."""

import copy
import json
import pickle

import pytest

from harness.channel.errors import RefusalError
from harness.channel.messages import Message, check_publish
from harness.channel.modes import DEFAULT_MODES, Mode
from harness.channel.names import parse_channel_name
from harness.channel.serials import SerialClock, message_serial, series_of
from tests.channel.driver import grant


def refused(*messages: Message) -> int:
    with pytest.raises(RefusalError) as caught:
        check_publish(messages)
    return caught.value.info.code


@pytest.mark.parametrize(
    "name", ["", ":a", ",a", " a", "\ta", "[a", "a\nb", "[meta]", "[filter=x]a", "[?]:a"]
)
def test_a_bad_channel_name_is_refused_with_40010(name: str) -> None:
    with pytest.raises(RefusalError) as caught:
        parse_channel_name(name)
    assert caught.value.info.code == 40010


@pytest.mark.parametrize(
    ("name", "namespace"), [("a", "a"), ("a:b:c", "a"), ("ünï:x y", "ünï"), ("A,b[c]", "A,b[c]")]
)
def test_the_namespace_is_the_text_before_the_first_colon(name: str, namespace: str) -> None:
    assert parse_channel_name(name).namespace == namespace


def test_a_qualified_name_carries_parameters_of_its_base_channel() -> None:
    parsed = parse_channel_name("[?rewind=1&echo=false]room:x")
    assert parsed.base == "room:x"
    assert parsed.params == {"rewind": "1", "echo": "false"}


def test_serials_sort_like_their_order_when_many_share_a_millisecond() -> None:
    clock = SerialClock("s1", 1_700_000_000_000)
    minted = [clock.next(1_700_000_000_000) for _ in range(2_500)]
    assert minted == sorted(minted)
    assert len(set(minted)) == 2_500


def test_serials_keep_rising_when_the_clock_steps_back() -> None:
    clock = SerialClock("s1", 1_700_000_000_000)
    minted = [clock.next(ms) for ms in (1_700_000_000_500, 1_600_000_000_000, 1_700_000_000_499)]
    assert minted == sorted(set(minted))


def test_serials_have_the_documented_shape() -> None:
    clock = SerialClock("emu0001", 0)
    serial = message_serial(clock.next(1_700_000_000_123), 7)
    assert serial == "01700000000123-000@emu0001:007"
    assert series_of(serial) == "emu0001"
    assert series_of("nonsense") is None


def test_a_time_that_can_not_be_written_as_a_serial_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="Unix time in ns"):
        SerialClock("s", 10**14)


def test_an_empty_publish_is_refused() -> None:
    assert refused() == 40030


def test_more_messages_than_an_index_can_number_are_refused() -> None:
    assert refused(*[Message()] * 1001) == 40034


def test_an_unknown_key_in_extras_is_refused() -> None:
    assert refused(Message(extras={"role": "admin"})) == 40032


@pytest.mark.parametrize("headers", ["", "text", 5, ["a"], {"nested": {"a": 1}}, {"list": [1]}])
def test_headers_that_are_no_flat_map_are_refused(headers: object) -> None:
    assert refused(Message(extras={"headers": headers})) == 40032  # type: ignore[dict-item] # bad on purpose


def test_a_value_in_extras_that_is_no_json_is_refused() -> None:
    assert refused(Message(extras={"push": {"x": float("nan")}})) == 40032
    assert refused(Message(extras={"push": {"x": {1, 2}}})) == 40032  # type: ignore[dict-item] # on purpose
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    assert refused(Message(extras={"push": deep})) == 40032  # type: ignore[dict-item] # on purpose


def test_extras_are_copied_so_that_neither_side_can_change_what_the_other_sees() -> None:
    headers = {"toolCallId": "t1"}
    checked = check_publish((Message(extras={"headers": headers, "ref": [{"a": 1}]}),)).messages[0]
    headers["toolCallId"] = "forged"
    assert checked.headers == {"toolCallId": "t1"}
    with pytest.raises(TypeError, match="copy it"):
        checked.headers["toolCallId"] = "x"  # type: ignore[index] # on purpose
    assert json.loads(json.dumps(checked.extras)) == {"headers": {"toolCallId": "t1"}, "ref": [{"a": 1}]}
    assert pickle.loads(pickle.dumps(checked)) == checked
    assert copy.deepcopy(checked) == checked


def test_ids_of_one_publish_must_share_a_base_and_count_up() -> None:
    assert refused(Message(id="a:0"), Message(id="b:1")) == 40031
    assert refused(Message(id="a:0"), Message()) == 40031
    assert refused(Message(id="a:1"), Message(id="a:0")) == 40031
    assert check_publish((Message(id="a:0"), Message(id="a:1"))).idempotency_key == "a"
    assert check_publish((Message(id="a:0"),)).idempotency_key == "a"
    assert check_publish((Message(),)).idempotency_key is None


def test_the_size_limit_counts_the_whole_publish() -> None:
    half = Message(name="n", data="x" * 32_000, client_id="c", extras={"headers": {"h": "v" * 1_000}})
    assert check_publish((half,))
    assert refused(half, half) == 40009
    assert refused(Message(data=b"x" * 65_537)) == 40009
    assert refused(Message(data="é" * 33_000)) == 40009


def test_ephemeral_and_ordinary_messages_may_not_mix() -> None:
    assert refused(Message(extras={"ephemeral": True}), Message()) == 40030
    assert refused(Message(extras={"ephemeral": "yes"})) == 40032


def test_the_default_mode_set_has_the_documented_bits() -> None:
    assert int(DEFAULT_MODES) == 3_080_192
    assert Mode.ANNOTATION_SUBSCRIBE not in DEFAULT_MODES


def test_a_grant_without_a_client_id_is_anonymous() -> None:
    assert grant(None).client_id is None

"""Capabilities and user claims: matching, uniting, intersecting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.channel.capability import OPERATIONS, Capability, matches, meet
from harness.channel.claims import user_claim
from harness.channel.errors import RefusalError


@pytest.mark.parametrize(
    ("pattern", "channel", "expected"),
    [
        ("foo", "foo", True),
        ("foo", "foo:bar", False),
        ("*", "foo:bar", True),
        ("foo:*", "foo:a", True),
        ("foo:*", "foo:a:b", True),
        ("foo:*", "foo", False),
        ("foo:*:baz", "foo:a:baz", True),
        ("foo:*:baz", "foo:a:b:baz", False),
        ("foo*", "foobar", False),
        ("foo*", "foo*", True),
        ("*", "[meta]log", False),
        ("[meta]*", "[meta]log", True),
        ("[meta]*", "log", False),
        ("[*]*", "[queue]x", True),
        ("[*]*", "plain:x", True),
    ],
)
def test_a_resource_pattern_covers_channels_by_segment(pattern: str, channel: str, *, expected: bool) -> None:
    assert matches(pattern, channel) is expected


def test_rights_of_all_matching_resources_are_united() -> None:
    capability = Capability.parse({"chat:*": ["subscribe"], "chat:1": ["publish"], "*": ["history"]})
    assert capability.operations("chat:1") == {"subscribe", "publish", "history"}
    assert capability.operations("other") == {"history"}


def test_a_star_operation_allows_everything() -> None:
    assert Capability.parse({"a": ["*"]}).operations("a") == OPERATIONS
    assert not Capability.parse({"a": ["*"]}).permits("b", "publish")


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        '"x"',
        {"a": []},
        {"a": ["fly"]},
        {"a": ["*", "publish"]},
        {"": ["publish"]},
        {"a": "publish"},
    ],
)
def test_a_malformed_capability_is_refused_with_40000(value: str | dict[str, list[str]]) -> None:
    with pytest.raises(RefusalError) as caught:
        Capability.parse(value)
    assert caught.value.info.code == 40000


def test_an_intersection_is_by_resource_and_then_by_operation() -> None:
    key = Capability.parse({"chat:*": ["publish", "subscribe"], "log": ["*"]})
    token = Capability.parse({"*": ["subscribe", "history"], "chat:1": ["*"]})
    both = key.intersect(token)
    assert both.canonical() == (
        '{"chat:*":["subscribe"],"chat:1":["publish","subscribe"],"log":["history","subscribe"]}'
    )
    assert not key.intersect(Capability.parse({"elsewhere": ["*"]}))


def test_the_canonical_form_is_sorted_and_has_no_spaces() -> None:
    text = '{"b":["subscribe","publish"],"a":["*"]}'
    assert Capability.parse(text).canonical() == '{"a":["*"],"b":["publish","subscribe"]}'
    assert Capability.parse(text) == Capability.parse(Capability.parse(text).canonical())


_segments = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4).map(":".join)
_names = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map(":".join)


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(_segments, _segments, _names)
def test_the_meet_of_two_patterns_covers_exactly_what_both_cover(left: str, right: str, name: str) -> None:
    met = meet(left, right)
    assert (met is not None and matches(met, name)) is (matches(left, name) and matches(right, name))


def test_the_most_specific_claim_speaks_for_a_channel() -> None:
    claims = {"chat1": "admin", "chat:*": "moderator", "*": "guest", "chat:*:x": "inner", "chat:a:*": "wing"}
    assert user_claim(claims, "chat1") == "admin"
    assert user_claim(claims, "chat:b") == "moderator"
    assert user_claim(claims, "chat:b:x") == "inner"
    assert user_claim(claims, "chat:a:x") == "wing"
    assert user_claim(claims, "elsewhere") == "guest"
    assert user_claim({"chat1": "admin"}, "chat2") is None

"""The mapping file: what it can say, and what is refused."""

from pathlib import Path

import pytest

from harness.audit.lookup import look_up, moment_of, nanoseconds, valued, with_attributes
from harness.audit.mapping import MAPPABLE, Mapping, MappingError, Unit, Value, read_mapping, shipped_mappings
from harness.trace import FIELD_NAMES, KINDS

GOOD = """
format = "hitl-mapping"
version = 1
[input]
time = "ts"
unit = "ms"
[[event]]
kind = "request-published"
fields = { request = "id" }
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_shipped_mappings_are_valid() -> None:
    assert shipped_mappings() == ["ably-history", "opentelemetry"]
    for name in shipped_mappings():
        assert isinstance(read_mapping(name), Mapping)


def test_every_mappable_kind_is_a_kind_of_event() -> None:
    extra = {"role", "tenant", "minimum_role", "hierarchy", "quorum", "requester_may_decide", "edits_allowed"}
    for kind, fields in MAPPABLE.items():
        assert fields.all <= {*FIELD_NAMES[KINDS[kind]], *extra}, kind


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (('unit = "ms"', 'unit = "ms"\ncolour = "red"'), "input.colour: Extra inputs are not permitted"),
        (('"hitl-mapping"', '"something"'), "format: Input should be 'hitl-mapping'"),
        (("version = 1", "version = 2"), "version: Input should be 1"),
        (('unit = "ms"', 'unit = "minutes"'), "input.unit: Input should be"),
        (('kind = "request-published"', 'kind = "hush"'), "event.0: no event of kind 'hush' can be mapped"),
        (('request = "id"', 'request = "id", mood = "m"'), "event.0: request-published has no field mood"),
        (('request = "id"', 'call = "id"'), "event.0: request-published needs request"),
        (('request = "id"', "request = { values = {} }"), "give either path or value"),
        (
            ('"request-published"\nfields = { request', '"effect-executed"\nfields = { call'),
            "map request-pub",
        ),
        (("[[event]]", "[[event"), "not a TOML file"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_the_place(
    tmp_path: Path, change: tuple[str, str], text: str
) -> None:
    with pytest.raises(MappingError) as refused:
        read_mapping(written(tmp_path, GOOD.replace(*change)))
    assert text in str(refused.value)
    assert "mine.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            'kind = "tool-called"\nfields = { call = "c", minimum_role = "r" }',
            "needs tool-called with hierarchy",
        ),
        (
            'kind = "tool-called"\nfields = { call = "c", minimum_role = "r", hierarchy = "h" }',
            "needs answer-sent with role",
        ),
        ('kind = "receipt-given"\nfields = { answer = "a", status = "s" }', "needs answer-sent with answer"),
    ],
)
def test_what_makes_sense_only_together_is_asked_for_together(tmp_path: Path, more: str, text: str) -> None:
    with pytest.raises(MappingError, match=text):
        read_mapping(written(tmp_path, f"{GOOD}[[event]]\n{more}\n"))


def test_an_unknown_mapping_says_which_there_are() -> None:
    with pytest.raises(MappingError, match="ably-history, opentelemetry"):
        read_mapping("aply-history")


RECORD = {
    "a": {"b.c": 1, "b": {"d": [10, {"e": "x"}]}},
    "text": '{"inner": {"deep": true}}',
    "no": "{not json",
    "list": [{"key": "k.l", "value": {"intValue": "7"}}, {"key": "m", "value": {"stringValue": "s"}}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c", 1),
        ("a.b.d.0", 10),
        ("a.b.d.1.e", "x"),
        ("a.b.d.9", None),
        ("text.inner.deep", True),
        ("no.inner", None),
        ("nothing.at.all", None),
        ("", RECORD),
    ],
)
def test_a_path_enters_dotted_keys_lists_and_json_texts(path: str, value: object) -> None:
    assert look_up(RECORD, path) == value


def test_lists_of_keys_and_values_become_objects() -> None:
    turned = with_attributes(RECORD, ("list", "missing"))
    assert look_up(turned, "list.k.l") == 7
    assert look_up(turned, "list.m") == "s"


def test_a_value_is_translated_given_or_filled_in() -> None:
    yes = Value(path="a.ok", values={"true": "approved", "no": "rejected"})
    assert valued({"a": {"ok": True}}, yes) == "approved"
    assert valued({"a": {"ok": "no"}}, yes) == "rejected"
    assert valued({"a": {"ok": "maybe"}}, yes) == "maybe"
    assert valued({}, Value(value="agent")) == "agent"
    assert valued({}, Value(path="x", default="unknown")) == "unknown"


@pytest.mark.parametrize(
    ("value", "unit", "ns"),
    [
        (1_763_802_000_123, Unit.MS, 1_763_802_000_123_000_000),
        ("1763802000123456789", Unit.NS, 1_763_802_000_123_456_789),
        (1_763_802_000.000_001, Unit.S, 1_763_802_000_000_001_000),
        ("2025-11-22T09:00:00.000250Z", Unit.ISO, 1_763_802_000_000_250_000),
        ("2025-11-22T10:00:00+01:00", Unit.ISO, 1_763_802_000_000_000_000),
        ("2025-11-22T10:00:00", Unit.ISO, None),
        ("soon", Unit.MS, None),
        ("NaN", Unit.MS, None),
        (True, Unit.MS, None),
        (None, Unit.NS, None),
        (5, Unit.ISO, None),
    ],
)
def test_times_are_exact_to_the_nanosecond(value: object, unit: Unit, ns: int | None) -> None:
    assert nanoseconds(value, unit) == ns


def test_a_time_is_told_to_the_second() -> None:
    assert moment_of(1_763_802_000_999_999_999) == "2025-11-22T09:00:00Z"

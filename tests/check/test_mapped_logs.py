"""Foreign logs through a mapping: what is found, what stays open, and that a part of a log accuses nobody."""

import json
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from harness.audit.judging import Checked, check_log, unjudgeable
from harness.audit.log import Doubt
from harness.audit.mapped import read_mapped
from harness.audit.mapping import Mapping, read_mapping
from harness.audit.source import LogError
from harness.properties import Status, Terms

FIXTURES = Path(__file__).parent / "fixtures"


def lines_of(name: str) -> list[bytes]:
    return (FIXTURES / name).read_bytes().splitlines(keepends=True)


def check(lines: Iterable[bytes], mapping: Mapping) -> Checked:
    return check_log(read_mapped(lines, "log", mapping), Terms(), without=unjudgeable(mapping))


def violated(result: Checked) -> set[str]:
    return {it.property for it in result.verdicts if it.status is Status.VIOLATED}


def holding(result: Checked) -> set[str]:
    return {it.property for it in result.verdicts if it.status is Status.HOLDS}


def mapping_of(*rules: dict[str, Any], **input_: Any) -> Mapping:
    shape = {"time": "t", "unit": "s", **input_}
    return Mapping.model_validate({"format": "hitl-mapping", "version": 1, "input": shape, "event": rules})


ASKED = {"kind": "request-published", "when": {"e": "asked"}, "fields": {"request": "r"}}
ANSWERED = {
    "kind": "answer-sent",
    "when": {"e": "answered"},
    "fields": {"request": "r", "person": "who", "choice": "said"},
}
DONE = {"kind": "effect-executed", "when": {"e": "done"}, "fields": {"call": "r"}}
PLAIN = mapping_of(ASKED, ANSWERED, DONE)


def log(*records: tuple[float, str, str] | tuple[float, str, str, str]) -> list[bytes]:
    """Return JSON Lines of (time, event, request[, choice])."""
    return [
        json.dumps(
            {"t": it[0], "e": it[1], "r": it[2], "who": "ann", "said": it[3] if len(it) > 3 else None}
        ).encode()
        + b"\n"
        for it in records
    ]


def test_the_history_of_an_ably_channel_is_judged() -> None:
    result = check(lines_of("ably-history.json"), read_mapping("ably-history"))
    assert violated(result) == set()
    assert {"P1", "P2", "P3", "P4", "P5", "P8", "P18"} <= holding(result)
    assert (result.place, result.since) == ("record", "2025-11-22T09:00:00Z")
    assert result.conclusive


def test_what_went_wrong_in_a_channels_history_is_found_with_its_records() -> None:
    result = check(lines_of("ably-history-twice.json"), read_mapping("ably-history"))
    assert {"P3", "P4", "P8"} <= violated(result)
    (twice,) = [it for it in result.verdicts if it.property == "P4"]
    assert twice.findings[0].lines == (4, 5)
    assert twice.findings[0].sentence.startswith("call call_7 was executed twice")


def test_joined_pages_of_a_history_count_a_message_once() -> None:
    page = json.loads((FIXTURES / "ably-history.json").read_text())
    joined = json.dumps(page[:4] + page[2:]).encode()
    result = check([joined], read_mapping("ably-history"))
    assert violated(result) == set()
    assert sum("counted once" in it.reason for it in result.reservations) == 2
    assert result.conclusive


def test_spans_are_judged_in_the_order_of_their_times() -> None:
    result = check(lines_of("spans.jsonl"), read_mapping("opentelemetry"))
    assert violated(result) == set()
    assert {"P2", "P3", "P4", "P11", "P15", "P24"} <= holding(result)


def test_a_weak_role_in_spans_is_found() -> None:
    result = check(lines_of("spans-weak-role.jsonl"), read_mapping("opentelemetry"))
    assert violated(result) == {"P9"}


def test_an_execution_after_a_rejection_is_found() -> None:
    result = check(log((0, "asked", "r"), (1, "answered", "r", "rejected"), (2, "done", "r")), PLAIN)
    assert "P3" in violated(result)


def test_a_request_that_began_before_the_log_is_not_judged() -> None:
    result = check(log((1, "answered", "r", "rejected"), (2, "done", "r"), (3, "asked", "r")), PLAIN)
    assert violated(result) == set()
    assert result.events == 0
    assert "began before the log does" in result.reservations[0].reason


@pytest.mark.parametrize("name", ["ably-history.json", "spans.jsonl"])
def test_no_beginning_or_end_cut_off_makes_a_violation_of_a_log_that_had_none(name: str) -> None:
    mapping = read_mapping("ably-history" if name.endswith(".json") else "opentelemetry")
    for part in _parts(name):
        assert not check(part, mapping).violated


def _parts(name: str) -> Iterable[list[bytes]]:
    if name.endswith(".json"):
        history = json.loads((FIXTURES / name).read_text())
        for first, last in combinations(range(len(history) + 1), 2):
            yield [json.dumps(history[first:last]).encode()]
    else:
        spans = lines_of(name)
        for first, last in combinations(range(len(spans) + 1), 2):
            yield spans[first:last]


def test_of_spans_a_request_that_began_before_the_first_one_written_is_not_judged() -> None:
    mapping = read_mapping("opentelemetry")
    assert check(lines_of("spans.jsonl")[1:], mapping).events == 0
    assert check(lines_of("spans.jsonl"), mapping).events == 8


def test_a_log_without_answers_leaves_open_who_granted() -> None:
    result = check(log((0, "asked", "r"), (2, "done", "r")), PLAIN)
    assert violated(result) == set()
    (grant,) = [it for it in result.verdicts if it.property == "P3"]
    assert "records no answers" in grant.unknown[0].sentence
    assert not result.conclusive


def test_a_log_that_may_lack_records_accuses_only_where_nothing_can_explain_it() -> None:
    lossy = mapping_of(ASKED, ANSWERED, DONE, lossy=True)
    records = log((0, "asked", "r"), (1, "answered", "s", "approved"), (2, "done", "r"), (3, "done", "r"))
    result = check(records, lossy)
    assert violated(result) == {"P4"}
    assert "records may be missing" in result.reservations[0].reason


def test_a_record_that_lacks_a_field_is_told_and_leaves_the_rest_open() -> None:
    records = log((0, "asked", "r"), (1, "answered", "r"), (2, "answered", "s", "approved"), (3, "done", "r"))
    result = check(records, PLAIN)
    left_out = [it for it in result.reservations if it.doubt is Doubt.ABSENCE]
    assert [(it.line, it.reason) for it in left_out] == [(2, "left out: answer-sent without choice")]
    assert violated(result) == set()


def test_a_value_that_no_event_can_have_is_told() -> None:
    result = check(log((0, "asked", "r"), (1, "answered", "r", "perhaps")), PLAIN)
    assert "answer-sent.choice: Input should be 'approved' or 'rejected'" in result.reservations[0].reason


def test_time_that_goes_back_is_told() -> None:
    result = check(log((5, "asked", "r"), (1, "answered", "r", "approved"), (6, "done", "r")), PLAIN)
    assert [(it.line, it.doubt) for it in result.reservations] == [(2, Doubt.TIME)]
    assert "goes back by 4000000000 ns" in result.reservations[0].reason


def test_records_that_say_nothing_of_approvals_are_counted_and_passed_over() -> None:
    result = check([b'{"t": 1, "e": "chat"}\n', b"\n", b"7\n", *log((0, "asked", "r"))], PLAIN)
    assert (result.events, result.lines_read) == (1, 3)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([b'{"t": 1}\n', b"nonsense\n"], "log:2: not JSON: Expecting value (column 1)."),
        ([b'{"t": 1}\n', b"\x80\x81\n"], "log:2: not UTF-8 text (byte 0 is 0x80)"),
        ([b"[" * 200_000 + b"\n"], "log:1: JSON nested deeper"),
    ],
)
def test_a_line_that_is_no_json_is_refused(lines: list[bytes], text: str) -> None:
    with pytest.raises(LogError) as refused:
        read_mapped(lines, "log", PLAIN)
    assert str(refused.value).startswith(text)


def test_a_document_that_is_no_json_is_refused_with_the_line_in_it() -> None:
    with pytest.raises(LogError, match="log:3: not JSON"):
        read_mapped([b"[\n", b"{},\n", b"oops]\n"], "log", mapping_of(ASKED, form="document"))


def test_arguments_that_a_mapping_does_not_give_are_not_judged() -> None:
    hidden = unjudgeable(PLAIN)
    assert hidden["P6"] == hidden["P20"] == "the mapping gives no arguments of effect-executed"
    (binding,) = [it for it in check(log((0, "asked", "r")), PLAIN).verdicts if it.property == "P6"]
    assert binding.note == f"not judged: {hidden['P6']}"


def test_the_same_decision_logged_twice_is_one_decision_and_two_different_ones_are_two() -> None:
    decided = {
        "kind": "decision-taken",
        "when": {"e": "decided"},
        "fields": {"request": "r", "choice": "said", "person": "who"},
    }
    mapping = mapping_of(ASKED, ANSWERED, decided)
    start = ((0, "asked", "r"), (1, "answered", "r", "approved"), (1, "answered", "r", "rejected"))
    same = check(log(*start, (2, "decided", "r", "approved"), (3, "decided", "r", "approved")), mapping)
    other = check(log(*start, (2, "decided", "r", "approved"), (3, "decided", "r", "rejected")), mapping)
    assert "P1" not in violated(same)
    assert "P1" in violated(other)

"""The contract without any process: bytes in, records out, and no input that raises."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import Choice, Decision, Outcome, OutcomeStatus, Settled
from harness.stdio.messages import LINE_BYTES_MAX, Effect, Idle, SawDecision, SawScreen
from harness.stdio.peer import Failure, Fault, Peer, Received, Result
from harness.stdio.results import stdio_schema


def line(record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


def heard(data: bytes, peer: Peer | None = None) -> list[Received]:
    return list((peer or Peer()).feed(data))


def one_fault(data: bytes, peer: Peer | None = None) -> Fault:
    (fault,) = heard(data, peer)
    assert isinstance(fault, Fault)
    return fault


def test_a_command_is_one_line_with_an_id_of_its_own() -> None:
    peer = Peer()
    decision = Decision(Choice.APPROVED, reason="fine\nby me")
    first, data = peer.command("respond", request="r1", decision=decision)
    second, _ = peer.command("pending")
    assert (first, second) == (1, 2)
    assert data.count(b"\n") == 1
    assert json.loads(data) == {
        "id": 1,
        "do": "respond",
        "request": "r1",
        "decision": {"choice": "approved", "arguments": None, "reason": "fine\nby me"},
    }


def test_an_answer_becomes_the_record_that_its_command_returns() -> None:
    peer = Peer()
    peer.command("settled", request="r1")
    answer = line({"id": 1, "ok": {"status": "executed", "choice": "approved", "decided_by": "alice"}})
    settled = Settled(OutcomeStatus.EXECUTED, Choice.APPROVED, "alice")  # type: ignore[arg-type]
    assert heard(answer, peer) == [Result(1, "settled", settled)]
    assert peer.unanswered == ()


def test_a_refusal_fails_its_command() -> None:
    peer = Peer()
    peer.command("pending")
    assert heard(line({"id": 1, "error": "no screen"}), peer) == [
        Failure(1, "pending", "refused pending: no screen")
    ]


def test_bytes_may_come_in_any_portions() -> None:
    peer = Peer()
    peer.command("cancel", call="c1")
    data = line({"observed": "screen_changed"}) + line({"id": 1, "ok": True})
    got = [it for at in range(len(data)) for it in peer.feed(data[at : at + 1])]
    assert got == [SawScreen(observed="screen_changed"), Result(1, "cancel", value=True)]


def test_blank_lines_and_carriage_returns_are_no_faults() -> None:
    assert heard(b'\n\r\n{"observed": "screen_changed"}\r\n') == [SawScreen(observed="screen_changed")]


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"hello\n", "not-json", "print to standard error"),
        (b"[1]\n", "off-contract", "a line holds list where a JSON object is due"),
        (b'{"id": 1}\n', "off-contract", "an answer has id and ok (or error)"),
        (b'{"ask": "efect", "id": "a"}\n', "off-contract", "'effect'"),
        (b'{"observed": "screen_changed", "x": 1}\n', "off-contract", "there is no such field"),
        (b'{"id": 9, "ok": NaN}\n', "not-json", "NaN"),
        (b'{"id": 9, "ok": "\\ud800"}\n', "not-json", "hex escape"),
        (b"[" * 100_000 + b"\n", "not-json", "recursion"),
        (b'{"id": 9, "ok": 1}\n', "unknown-id", "answered command 9, which it was never given"),
        (b"\xff\xfe\n", "not-utf8", "\\xff"),
    ],
)
def test_a_line_off_the_contract_is_a_fault_that_quotes_it(data: bytes, kind: str, said: str) -> None:
    fault = one_fault(data)
    assert fault.kind == kind
    assert said in fault.text
    assert len(fault.text) < 1000


def test_a_line_that_is_too_long_is_dropped_without_being_kept() -> None:
    peer = Peer()
    chunk = b"y" * (LINE_BYTES_MAX // 4)
    faults = [it for _ in range(20) for it in peer.feed(chunk)]
    assert [it.kind for it in faults if isinstance(it, Fault)] == ["too-long"]
    assert len(peer._partial) == 0
    assert heard(b'the end\n{"observed": "screen_changed"}\n', peer) == [SawScreen(observed="screen_changed")]


def test_an_answer_that_comes_after_its_deadline_is_no_fault_and_a_second_one_is() -> None:
    peer = Peer()
    peer.command("pending")
    peer.give_up(1)
    assert heard(line({"id": 1, "ok": []}), peer) == []
    assert one_fault(line({"id": 1, "ok": []}), peer).kind == "answered-twice"


def test_an_ask_is_open_until_it_is_answered() -> None:
    peer, ask = Peer(), line({"ask": "effect", "id": "a1", "call": "c1", "arguments": {}})
    assert heard(ask, peer) == [Effect(ask="effect", id="a1", call="c1", arguments={})]  # type: ignore[arg-type]
    assert one_fault(ask, peer).kind == "ask-twice"
    assert json.loads(peer.refuse("a1", "broken", tool_failed=True)) == {
        "answer": "a1",
        "error": "broken",
        "tool_failed": True,
    }
    assert len(heard(ask, peer)) == 1


def test_what_a_decision_leaves_out_is_unknown() -> None:
    (decision,) = heard(line({"observed": "decision_taken", "request": "r1", "choice": "rejected"}))
    assert decision == SawDecision(observed="decision_taken", request="r1", choice=Choice.REJECTED)  # type: ignore[arg-type]


def test_lines_of_the_virtual_clock_are_read() -> None:
    assert heard(b'{"idle": true, "next_ns": null}\n') == [Idle(idle=True, next_ns=None)]


def test_a_result_with_a_misspelt_field_names_the_fields_there_are() -> None:
    peer = Peer()
    peer.command("settled", request="r1")
    (failure,) = heard(line({"id": 1, "ok": {"status": "executed", "by": "alice"}}), peer)
    assert isinstance(failure, Failure)
    assert "a field 'by'; it may have: status, choice, decided_by" in failure.text


def test_an_outcome_needs_no_more_than_its_status() -> None:
    peer = Peer()
    call: dict[str, Any] = {"id": "c1", "tool": "t", "arguments": {}, "policy": {}, "session": "s"}
    peer.command("call", call={**call, "tenant": "a", "requester": None, "deadline_ns": None, "batch": None})
    assert heard(line({"id": 1, "ok": {"status": "unknown"}}), peer) == [
        Result(1, "call", Outcome(OutcomeStatus.UNKNOWN))
    ]


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_no_input_raises(chunks: list[bytes]) -> None:
    peer = Peer()
    peer.command("pending")
    for chunk in chunks:
        list(peer.feed(chunk))
    list(peer.end())


def test_the_schema_names_every_line_and_every_result() -> None:
    schema = stdio_schema()
    assert set(schema["results"]) == {
        *("hello", "boot", "join", "call", "cancel", "pending", "respond", "settled", "forge", "close")
    }
    for reference in [*schema["to_adapter"]["anyOf"], *schema["from_adapter"]["anyOf"]]:
        assert reference["$ref"].removeprefix("#/$defs/") in schema["$defs"]

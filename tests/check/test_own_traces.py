"""Traces of this tool read back: refused, or judged with a reservation; silence accuses nobody."""

import json
from collections.abc import Iterable
from functools import cache
from random import Random

import pytest

from harness.audit.judging import Checked, check_log
from harness.audit.log import Doubt, Log
from harness.audit.reader import read_logs
from harness.audit.source import LogError, lines_of
from harness.catalog import load_catalog
from harness.explore.choosers import SeededChooser
from harness.properties import Status, Terms
from harness.run import execute


@cache
def recorded(scenario: str = "first_response_wins", seed: int = 1) -> tuple[bytes, ...]:
    catalog = load_catalog()
    plan = catalog.scenario(scenario).value.draw(SeededChooser(Random(seed)))
    trace = execute(catalog.adapter("reference").value, plan).trace
    return tuple(f"{line}\n".encode() for line in trace.lines())


def read(lines: Iterable[bytes]) -> Log:
    (log,) = read_logs(lines, "log")
    return log


def checked(lines: Iterable[bytes]) -> Checked:
    return check_log(read(lines), Terms())


def altered(line: bytes, **changes: object) -> bytes:
    return json.dumps({**json.loads(line), **changes}).encode() + b"\n"


def place_of(kind: str, lines: tuple[bytes, ...]) -> int:
    """Return the place of the last event of ``kind`` in a file."""
    return max(place for place, line in enumerate(lines) if json.loads(line).get("kind") == kind)


def test_a_whole_trace_is_judged_without_reservation_and_names_its_lines() -> None:
    log = read(recorded())
    assert log.reservations == ()
    assert log.lines_read == len(recorded())
    first = json.loads(recorded()[log.lines[0] - 1])
    assert first["kind"] == log.trace.events[0].kind
    verdicts = {it.property: it.status for it in checked(recorded()).verdicts}
    assert Status.VIOLATED not in verdicts.values()
    assert verdicts["P25"] is Status.HOLDS


def test_movements_on_the_network_are_checked_for_their_place_and_not_kept() -> None:
    kinds = {event.kind for event in read(recorded()).trace.events}
    assert "message-moved" not in kinds
    assert any(json.loads(line).get("kind") == "message-moved" for line in recorded())


def test_a_missing_line_is_a_reservation_that_names_it() -> None:
    lines = (*recorded()[:7], *recorded()[9:])
    (reservation,) = read(lines).reservations
    assert (reservation.line, reservation.doubt) == (8, Doubt.ABSENCE)
    assert reservation.reason == "events 6 to 7 are missing"


def test_a_trace_without_its_beginning_is_a_trace_with_missing_events() -> None:
    log = read((recorded()[0], *recorded()[12:]))
    assert log.reservations[0].reason == "events 0 to 10 are missing"


@pytest.mark.parametrize("scenario", ["first_response_wins", "reinvocation", "hostile_client", "deadlines"])
def test_no_missing_line_makes_a_violation_of_a_trace_that_had_none(scenario: str) -> None:
    lines = recorded(scenario, 3)
    for place in range(1, len(lines)):
        if b'"message-moved"' not in lines[place]:
            result = checked((*lines[:place], *lines[place + 1 :]))
            assert not result.violated, lines[place]


@pytest.mark.parametrize("scenario", ["first_response_wins", "reinvocation", "durable_pending"])
def test_no_end_cut_off_makes_a_violation_of_a_trace_that_had_none(scenario: str) -> None:
    lines = recorded(scenario, 3)
    for length in range(1, len(lines), 3):
        assert not checked(lines[:length]).violated
        assert not checked((*lines[:length], lines[length][:-9])).violated


def test_what_nothing_missing_can_explain_stays_a_violation() -> None:
    lines = recorded("reinvocation", 2)
    effect = place_of("effect-executed", lines)
    again = altered(lines[effect], seq=len(lines) + 4, occurrence=2)
    verdicts = {it.property: it.status for it in checked((*lines, again)).verdicts}
    assert verdicts["P4"] is Status.VIOLATED


def test_a_last_line_cut_short_is_left_out_and_told() -> None:
    (reservation,) = read((*recorded()[:-1], recorded()[-1][:-20])).reservations
    assert reservation.line == len(recorded())
    assert "cut short" in reservation.reason


def test_an_unknown_kind_is_left_out_and_nothing_rests_on_its_absence() -> None:
    lines = list(recorded())
    place = place_of("quiet", recorded())
    lines[place] = altered(lines[place], kind="hush")
    log = read(lines)
    assert log.reservations[0].reason == "an event of the unknown kind 'hush' is left out"
    assert log.reservations[0].line == place + 1


def test_quiet_is_not_believed_in_a_trace_with_gaps() -> None:
    log = read((*recorded()[:7], *recorded()[9:]))
    assert "quiet" not in {event.kind for event in log.trace.events}
    assert len(log.lines) == len(log.trace.events)


def test_a_line_that_stands_twice_counts_once() -> None:
    effect = place_of("effect-executed", recorded("reinvocation", 2))
    lines = recorded("reinvocation", 2)
    log = read((*lines[: effect + 1], lines[effect], *lines[effect + 1 :]))
    assert [it.doubt for it in log.reservations] == [Doubt.NOTHING]
    assert not check_log(log, Terms()).violated


def test_a_clock_that_goes_back_leaves_what_rests_on_time_open() -> None:
    lines = list(recorded("deadlines", 3))
    place = place_of("outcome-reported", tuple(lines))
    lines[place] = altered(lines[place], at=0)
    result = checked(lines)
    assert any("the clock goes back" in it.reason and it.line == place + 1 for it in result.reservations)
    timed = {it.property: it for it in result.verdicts if it.property in ("P11", "P26")}
    assert not any(it.findings for it in timed.values())
    assert not result.conclusive


@pytest.mark.parametrize(
    ("place", "line", "text"),
    [
        (0, b'{"seq": 0}\n', "log:1: this is no hitl-trace file"),
        (0, b"\x1f\x8b\x08\x00\xff\xfe\n", "log:1: not UTF-8 text"),
        (0, b'{"format": "hitl-trace", "version": 99}\n', "log:1: trace version 99 is not 1"),
        (5, b'{"format": "hitl-trace", "version": 2}\n', "log:6: trace version 2 is not 1"),
        (5, b"\x00\xff\xfe garbage\n", "log:6: not UTF-8 text"),
        (5, b"not json\n", "log:6: not a line of JSON"),
        (5, b"[1, 2]\n", "log:6: a JSON object is due here, not list"),
        (5, b'{"kind": "quiet"}\n', "log:6: no sequence number"),
        (5, b'{"seq": true, "kind": "quiet"}\n', "log:6: no sequence number"),
        (
            5,
            b'{"seq": 1, "at": 3, "host": "x", "kind": "quiet"}\n',
            "log:6: sequence number 1 where 4 is due",
        ),
        (5, b'{"seq": 4, "at": "x", "host": "x", "kind": "quiet"}\n', "log:6: quiet.at: "),
        (5, b'{"seq": 4, "at": 1, "host": "x", "kind": "quiet", "z": 1}\n', "log:6: quiet has no field 'z'"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_line(place: int, line: bytes, text: str) -> None:
    lines = (*recorded()[:place], line, *recorded()[place + 1 :])
    with pytest.raises(LogError) as refused:
        list(read_logs(lines, "log"))
    assert str(refused.value).startswith(text)


def test_an_empty_source_says_what_a_trace_begins_with() -> None:
    with pytest.raises(LogError, match="log: it is empty"):
        list(read_logs([b"\n", b"  \n"], "log"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: object) -> None:
    del tmp_path
    stream = _Endless()
    with pytest.raises(LogError, match="log:1: a line of more than 16 MiB"):
        list(lines_of(stream, "log"))  # type: ignore[arg-type]


class _Endless:
    """A stream without line ends."""

    def readline(self, size: int) -> bytes:
        return b"x" * size


def test_traces_one_after_the_other_are_judged_apart() -> None:
    logs = list(read_logs((*recorded(), *recorded("reinvocation", 2)), "log"))
    assert [log.trace.scenario for log in logs] == ["first_response_wins", "reinvocation"]
    assert logs[1].name == f"log from line {len(recorded()) + 1}"
    assert logs[1].lines[0] > len(recorded())


def test_a_thousand_gaps_are_told_in_twenty_lines_and_a_number() -> None:
    quiet = b'{"seq": %d, "at": 1, "host": "x", "kind": "quiet"}\n'
    log = read((recorded()[0], *(quiet % (2 * number + 1) for number in range(1000))))
    assert len(log.reservations) == 21
    assert log.reservations[-1].reason == "980 more of this kind: missing events"

"""Rules about what the page of a run shows."""

from typing import Any

from harness.watch.board import Board, Phase

BEGAN = {"kind": "began", "adapters": ["toy"], "apart": [], "scenarios": 2, "examples": 10}
STARTED = {"kind": "scenario-started", "adapter": "toy", "scenario": "race", "examples": 10}


def ran(runs: int, **fired: int) -> dict[str, Any]:
    return {
        "kind": "ran",
        "adapter": "toy",
        "scenario": "race",
        "runs": runs,
        "violations": 0,
        "fired": fired,
    }


def found(sentence: str, known: str = "", picture: str = "<svg/>") -> dict[str, Any]:
    where = {"kind": "found", "adapter": "toy", "property": "P4", "steps": []}
    return {**where, "sentence": sentence, "known": known, "picture": picture}


def board(*records: dict[str, Any]) -> Board:
    made = Board()
    for second, record in enumerate((BEGAN, STARTED, *records)):
        made.apply(record, float(second))
    return made


def test_runs_and_faults_add_up_over_scenarios() -> None:
    other = {**STARTED, "scenario": "crash"}
    done = {**ran(5), "kind": "scenario-done", "scenario": "crash"}
    view = board(ran(3, drop=2), other, {**ran(4, drop=1, cut=1), "scenario": "crash"}, done).view(9.0)
    assert view["runs"] == 8
    assert view["faults"] == [("cut", 1), ("drop", 3)]
    assert [row["now"] for row in view["rows"]] == ["running", "done"]


def test_the_rate_is_that_of_the_last_seconds() -> None:
    made = board(ran(100))
    made.view(2.0)
    made.apply(ran(150), 4.0)
    assert made.view(4.0)["rate"] == 25.0
    assert made.view(60.0)["rate"] == 0.0


def test_a_violation_that_is_told_again_keeps_its_place_and_its_picture() -> None:
    made = board(found("first told", picture="<svg>1</svg>"), found("told again", "a known one", picture=""))
    (shown,) = made.view(9.0)["violations"]
    assert (shown["sentence"], shown["known"], shown["id"]) == ("told again", "a known one", "v1")
    assert made.pictures == {"v1": "<svg>1</svg>"}


def test_a_run_that_ends_without_a_word_is_gone_and_one_that_ended_is_not() -> None:
    gone = {"kind": "gone"}
    assert board(gone).phase is Phase.GONE
    ended = {"kind": "ended", "interrupted": False, "words": "fine", "tone": "good", "folder": "runs/1"}
    assert board(ended, gone).phase is Phase.DONE
    assert board({**ended, "interrupted": True}, gone).phase is Phase.INTERRUPTED


def test_time_stands_still_after_the_end() -> None:
    ended = {"kind": "ended", "interrupted": False, "words": "fine", "tone": "good", "folder": "runs/1"}
    view = board(ended).view(1000.0)
    assert (view["elapsed_s"], view["rate"]) == (2, None)

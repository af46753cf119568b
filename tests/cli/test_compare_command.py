"""Rules about ``hitl compare``: what counts as worse, what is shown, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.compare import Turn, compare
from harness.properties import Status
from harness.report import FinishedRun, result_json
from harness.results import Result
from tests.cli.calling import Hitl
from tests.reports.sample import HOSTILE, sample_run


def result() -> Result:
    return sample_run().result


def with_status(result: Result, property_id: str, status: Status) -> Result:
    first = result.adapters[0]
    verdicts = tuple(
        replace(it, status=status, counterexample=None) if it.property == property_id else it
        for it in first.verdicts
    )
    return replace(result, adapters=(replace(first, verdicts=verdicts), *result.adapters[1:]))


def status_of(result: Result, property_id: str) -> Status:
    return next(it.status for it in result.adapters[0].verdicts if it.property == property_id)


def write(folder: str, result: Result) -> str:
    Path(folder).mkdir(parents=True)
    Path(folder, "result.json").write_text(result_json(result), encoding="utf-8")
    return folder


def test_a_run_compared_with_itself_shows_no_change() -> None:
    same = compare(result(), result())
    assert (same.changes, same.circumstances) == ((), ())
    assert same.same == sum(len(it.verdicts) for it in result().adapters)


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        (Status.HOLDS, Status.VIOLATED, Turn.WORSE),
        (Status.HOLDS, Status.INCONCLUSIVE, Turn.WORSE),
        (Status.HOLDS, Status.NOT_OFFERED, Turn.WORSE),
        (Status.INCONCLUSIVE, Status.VIOLATED, Turn.WORSE),
        (Status.VIOLATED, Status.HOLDS, Turn.BETTER),
        (Status.VIOLATED, Status.NOT_OFFERED, Turn.BETTER),
        (Status.INCONCLUSIVE, Status.HOLDS, Turn.BETTER),
        (Status.INCONCLUSIVE, Status.NOT_OFFERED, Turn.OTHER),
    ],
)
def test_a_promise_kept_is_better_than_one_unjudged_and_that_is_better_than_one_broken(
    before: Status, after: Status, turn: Turn
) -> None:
    one, other = (with_status(result(), "P1", status) for status in (before, after))
    (change,) = compare(one, other).changes
    assert (change.property, change.before, change.after, change.turn) == ("P1", before, after, turn)


def test_an_adapter_that_is_new_is_worse_only_where_it_breaks_a_promise() -> None:
    whole = result()
    without = replace(whole, adapters=whole.adapters[1:])
    turns = {it.property: it.turn for it in compare(without, whole).changes}
    broken = {it.property for it in whole.adapters[0].verdicts if it.status is Status.VIOLATED}
    assert {name for name, turn in turns.items() if turn is Turn.WORSE} == broken
    assert set(turns) == {it.property for it in whole.adapters[0].verdicts}


def test_the_same_verdict_by_another_counterexample_is_told_and_is_no_turn() -> None:
    whole = result()
    verdict = next(
        it for it in whole.adapters[0].verdicts if it.counterexample and it.status is Status.VIOLATED
    )
    assert verdict.counterexample is not None
    finding = replace(verdict.counterexample.finding, sentence="another way")
    changed = replace(verdict, counterexample=replace(verdict.counterexample, finding=finding))
    first = whole.adapters[0]
    verdicts = tuple(changed if it is verdict else it for it in first.verdicts)
    other = replace(whole, adapters=(replace(first, verdicts=verdicts), *whole.adapters[1:]))
    (change,) = compare(whole, other).changes
    assert (change.turn, change.note) == (Turn.OTHER, "another way")


def test_the_command_exits_1_where_anything_became_worse_and_0_the_other_way(hitl: Hitl) -> None:
    one = write("one", with_status(result(), "P1", Status.HOLDS))
    other = write("other", with_status(result(), "P1", Status.VIOLATED))
    worse, better = hitl("compare", one, other), hitl("compare", other, one)
    assert (worse.code, better.code) == (1, 0)
    assert "✗ worse" in worse.out
    assert "P1" in worse.out
    assert "holds -> violated" in worse.out
    assert "✓ better" in better.out


def test_what_else_differs_is_told(hitl: Hitl) -> None:
    one = write("one", result())
    other = write("other", replace(result(), seed=99, examples=7))
    done = hitl("compare", one, other)
    assert done.code == 0
    assert "seed: " in done.out
    assert "-> 99" in done.out
    assert "-> 7" in done.out


def test_json_is_stable_and_says_its_version(hitl: Hitl) -> None:
    folders = write("one", result()), write("other", with_status(result(), "P1", Status.INCONCLUSIVE))
    first, second = (hitl("compare", *folders, "--format", "json") for _ in range(2))
    assert first.out == second.out
    record = json.loads(first.out)
    assert (record["format"], record["version"]) == ("hitl-comparison", 1)
    assert [it["property"] for it in record["changes"]] == ["P1"]


def test_markdown_holds_no_markup_of_a_runs_text(hitl: Hitl) -> None:
    first = result().adapters[0]
    hostile = replace(result(), adapters=(replace(first, adapter=HOSTILE), *result().adapters[1:]))
    done = hitl("compare", write("one", result()), write("other", hostile), "--format", "markdown")
    assert "<script" not in done.out
    assert "\\|" not in done.out or "| ✗" in done.out
    assert "\x00" not in done.out


def test_a_run_that_cannot_be_read_is_refused_with_its_name(hitl: Hitl) -> None:
    done = hitl("compare", write("one", result()), "gone")
    assert done.code == 2
    assert "gone/result.json" in done.err


def test_versions_that_differ_are_circumstances() -> None:
    made = compare(result(), result(), {"harness": "1", "python": "3.11"}, {"harness": "2", "python": "3.11"})
    assert [(it.what, it.before, it.after) for it in made.circumstances] == [("harness", "1", "2")]


def test_the_sample_holds_a_broken_and_a_kept_promise() -> None:
    run: FinishedRun = sample_run()
    assert {it.status for it in run.result.adapters[0].verdicts} >= {Status.HOLDS, Status.VIOLATED}
    assert status_of(run.result, "P1") in Status

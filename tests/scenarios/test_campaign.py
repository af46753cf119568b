"""The seeded campaign: reproducible run by run, stopped when told, small in the end."""

from collections import Counter

import pytest

from harness.adapter import Adapter
from harness.explore.campaign import campaign, drawn_plan, finish_all
from harness.explore.search import Tally
from harness.run import execute, judge_run
from tests.scenarios.drawing import CATALOG, scenario

RACE, WAIT = scenario("first_response_wins"), scenario("durable_pending")
REFERENCE: Adapter = CATALOG.adapter("reference").value
OLDER: Adapter = CATALOG.adapter("ably-guide-older").value


def test_a_run_is_the_same_however_many_come_before_it() -> None:
    fired: list[Counter[str]] = []

    def remember(tally: Tally) -> bool:
        fired.append(tally.fired.copy())
        return False

    assert campaign(REFERENCE, (RACE,), ("P1",), 7, 5, remember).runs == 5
    fifth = execute(REFERENCE, drawn_plan((RACE,), 7, 4))
    assert {fifth.plan.deviations[index].kind for index in fifth.fired} == set(fired[4] - fired[3])


def test_scenarios_take_turns_and_are_judged_by_what_they_name() -> None:
    plans = [drawn_plan((RACE, WAIT), 0, index) for index in range(4)]
    assert [it.scenario for it in plans] == [RACE.name, WAIT.name, RACE.name, WAIT.name]
    assert campaign(REFERENCE, (RACE, WAIT), ("P26",), 0, 12).exercised.keys() == {"P26"}


def test_equal_seeds_give_equal_tallies_and_other_seeds_other_plans() -> None:
    assert campaign(OLDER, (RACE,), ("P1", "P4"), 3, 20) == campaign(OLDER, (RACE,), ("P1", "P4"), 3, 20)
    assert drawn_plan((RACE,), 3, 0) != drawn_plan((RACE,), 4, 0)


def test_it_stops_at_the_first_violation_when_told_so_and_shrinks_it() -> None:
    tally = campaign(OLDER, (RACE,), ("P4",), 0, 500, lambda it: bool(it.violations))
    assert tally.smallest["P4"].found_after == tally.runs < 500
    finish_all(OLDER, tally)
    plan = tally.smallest["P4"].plan
    assert len(plan.deviations) <= 1
    assert judge_run(OLDER.manifest, execute(OLDER, plan), ("P4",))["P4"].findings


def test_without_a_scenario_there_is_nothing_to_run() -> None:
    with pytest.raises(ValueError, match="at least one scenario"):
        campaign(REFERENCE, (), ("P1",), 0, 1)

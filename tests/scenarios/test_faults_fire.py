"""Every scenario does what it says: its faults fire, its properties are put to the test."""

import pytest

from harness.explore.campaign import drawn_plan
from harness.properties import PROPERTIES
from tests.scenarios.drawing import NAMES, RUNS, SEED, scenario, tally_of


@pytest.mark.parametrize("name", NAMES)
def test_every_declared_fault_takes_effect_in_some_run(name: str) -> None:
    declared = {fault.__dataclass_fields__["kind"].default for fault in scenario(name).faults}
    assert declared - tally_of(name).fired.keys() == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_fault_is_drawn_that_is_not_declared(name: str) -> None:
    plans = [drawn_plan((scenario(name),), SEED, index) for index in range(RUNS)]
    drawn = {type(deviation) for plan in plans for deviation in plan.deviations}
    assert drawn - set(scenario(name).faults) == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_named_property_is_put_to_the_test(name: str) -> None:
    exercised = tally_of(name).exercised
    assert [it for it in scenario(name).properties if not exercised[it]] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_keeps_every_promise(name: str) -> None:
    tally = tally_of(name)
    assert {it: smallest.finding.sentence for it, smallest in tally.smallest.items()} == {}
    assert tally.failures == {}


def test_all_properties_together_are_put_to_the_test_often() -> None:
    total = {it: sum(tally_of(name).exercised[it] for name in NAMES) for it in PROPERTIES}
    assert {it: count for it, count in total.items() if count < RUNS // 8} == {}

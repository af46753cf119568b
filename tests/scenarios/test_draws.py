"""What scenarios draw: sound plans, the calm world first, and properties that exist."""

import pytest

from harness.explore.campaign import drawn_plan
from harness.plan import check_plan, plan_json, read_plan
from harness.properties import PROPERTIES
from harness.run import execute, judge_run
from tests.scenarios.drawing import CATALOG, NAMES, CalmChooser, scenario

_DRAWS = 40


@pytest.mark.parametrize("name", NAMES)
def test_every_drawn_plan_names_only_what_it_has_and_survives_its_file(name: str) -> None:
    for index in range(_DRAWS):
        plan = drawn_plan((scenario(name),), 0, index)
        check_plan(plan)
        assert read_plan(plan_json(plan)) == plan
        assert plan.scenario == name


@pytest.mark.parametrize("name", NAMES)
def test_drawing_shrinks_to_the_calm_world_in_which_nothing_goes_wrong(name: str) -> None:
    reference = CATALOG.adapter("reference").value
    plan = scenario(name).draw(CalmChooser())
    assert plan.deviations == ()
    run = execute(reference, plan)
    judgements = judge_run(reference.manifest, run, scenario(name).properties)
    assert not run.failures
    assert [it for it, judgement in judgements.items() if judgement.findings] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_named_as_its_file_and_names_known_properties_in_order(name: str) -> None:
    plugin = CATALOG.scenario(name)
    named = list(plugin.value.properties)
    assert plugin.path.stem == name
    assert named == [it for it in PROPERTIES if it in named]
    assert len(set(plugin.value.faults)) == len(plugin.value.faults) > 0

"""Plans: JSON in, JSON out, and what is refused."""

import json

import pytest

from harness.deviations import DEVIATION_CLASSES, CrashAtBoundary, DelayMessage, DoubleTap
from harness.model import CallId, DeviceId, HostName, PersonId, Policy, Role
from harness.plan import (
    SECOND,
    CallSpec,
    DeviceSpec,
    PersonSpec,
    Plan,
    PlanError,
    plan_json,
    plan_record,
    plan_schema,
    read_plan,
)


def a_plan() -> Plan:
    alice = PersonSpec(PersonId("alice"), Role("admin"), (DeviceSpec(DeviceId("alice-phone")),))
    call = CallSpec(CallId("c1"), arguments={"post": "p", "tags": ["a", None, 1.5]}, timeout_ns=SECOND)
    return Plan(
        scenario="first_response_wins",
        people=(alice,),
        calls=(call,),
        deviations=(
            CrashAtBoundary(HostName("agent"), 3, 10 * SECOND),
            DelayMessage(HostName("alice-phone"), HostName("channel"), 1, 40_000_000),
            DoubleTap(PersonId("alice"), CallId("c1"), 5_000_000),
        ),
    )


def test_a_plan_read_back_from_its_json_is_the_same_plan() -> None:
    assert read_plan(plan_json(a_plan())) == a_plan()


def test_equal_plans_have_equal_bytes() -> None:
    assert plan_json(a_plan()) == plan_json(read_plan(plan_json(a_plan())))


def test_every_deviation_has_a_kind_of_its_own() -> None:
    kinds = [cls.__dataclass_fields__["kind"].default for cls in DEVIATION_CLASSES]
    assert len(set(kinds)) == len(kinds)


def test_the_schema_describes_every_deviation() -> None:
    text = json.dumps(plan_schema())
    for cls in DEVIATION_CLASSES:
        assert cls.__name__ in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, '"format": "hitl-plan" is missing'),
        ({"version": 99}, "version 99 is not 1"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"people": [{"id": "alice"}]}, "people.0"),
        ({"deviations": [{"kind": "earthquake"}]}, "deviations.0"),
        (
            {"deviations": [{"kind": "double-tap", "person": "zoe", "call": "c1", "gap_ns": 1}]},
            "deviations.0: double-tap names the person 'zoe'",
        ),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_place(change: dict[str, object], told: str) -> None:
    record = plan_record(a_plan()) | change
    with pytest.raises(PlanError) as refused:
        read_plan(json.dumps(record), name="p.json")
    assert told in str(refused.value)
    assert str(refused.value).startswith("p.json")


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(PlanError, match="not JSON"):
        read_plan('{"format": "hitl-pl')


@pytest.mark.parametrize("role", [None, "owner", "Admin", ""])
def test_a_role_that_the_hierarchy_does_not_list_never_qualifies(role: str | None) -> None:
    policy = Policy(minimum_role=Role("editor"))
    assert not policy.admits(None if role is None else Role(role))


def test_a_required_role_that_the_hierarchy_does_not_list_admits_nobody() -> None:
    policy = Policy(minimum_role=Role("owner"))
    assert not any(policy.admits(Role(role)) for role in ("editor", "publisher", "admin", "owner"))

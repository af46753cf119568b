"""Rules about ``hitl list``, ``explain``, ``schema``, ``--version`` and ``--help``."""

import json
import subprocess
import sys

import pytest

from harness.properties import PROPERTIES
from tests.cli.calling import Hitl


def test_list_shows_every_kind_with_names_and_summaries(hitl: Hitl) -> None:
    done = hitl("list")
    assert done.code == 0
    for heading in ("adapters", "scenarios", "properties", "reports"):
        assert f"\n{heading}\n" in f"\n{done.out}"
    assert "P1 single-winner" in done.out
    assert "first_response_wins" in done.out


def test_list_as_json_gives_records_by_kind(hitl: Hitl) -> None:
    record = json.loads(hitl("list", "adapters", "--json").out)
    assert list(record) == ["adapters"]
    reference = next(it for it in record["adapters"] if it["name"] == "reference")
    assert reference["version"]
    assert reference["offers"]["single-winner"]["sentence"]
    everything = json.loads(hitl("list", "--json").out)
    assert sorted(everything) == ["adapters", "properties", "reports", "scenarios"]
    assert [it["id"] for it in everything["properties"]] == list(PROPERTIES)


@pytest.mark.parametrize("property_id", list(PROPERTIES))
def test_every_property_is_explained_with_both_its_traces(hitl: Hitl, property_id: str) -> None:
    done = hitl("explain", property_id)
    assert done.code == 0
    assert done.out.startswith(f"{property_id} {PROPERTIES[property_id].guarantee.value}")
    assert "a trace that keeps it" in done.out
    assert "a trace that breaks it" in done.out
    broken = done.out.partition("a trace that breaks it")[2]
    assert "✗" in broken.partition("marks what shows it")[2]


@pytest.mark.parametrize("name", ["P1", "p1", "single-winner", "SINGLE_WINNER"])
def test_a_property_is_found_by_id_or_name(hitl: Hitl, name: str) -> None:
    assert hitl("explain", name).out.startswith("P1 single-winner")


@pytest.mark.parametrize("kind", ["plan", "trace", "result"])
def test_schemas_are_json_and_say_which_version_they_describe(hitl: Hitl, kind: str) -> None:
    schema = json.loads(hitl("schema", kind).out)
    assert schema["title"].startswith(f"hitl-{kind} 1")


def test_the_version_is_the_distributions(hitl: Hitl) -> None:
    done = hitl("--version")
    assert done.code == 0
    assert done.out.startswith("hitl-harness 0.")


def test_help_answers_without_loading_what_commands_need() -> None:
    probe = (
        "import sys, harness.cli\n"
        "harness.cli.main(['--help'])\n"
        "heavy = {'hypothesis', 'pydantic', 'simpy', 'jwt', 'asyncio'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert "Commands" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"{sys.executable} -m harness.cli list --json | head -c 1"
    done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True)
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr

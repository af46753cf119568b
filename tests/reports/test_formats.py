"""Rules about single formats: what counts as a failure, what fits, and what hostile names may not do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import fromstring

import pytest
import xmlschema

from harness.model import Level
from harness.properties import Status
from harness.report import FinishedRun
from harness.report.profiles import Standing, standings
from harness.results import AdapterResult, Expected, Verdict
from tests.reports.sample import HOSTILE, rendered, sample_run, sample_trace

SCHEMA: Final = Path(__file__).parent / "junit.xsd"
EMPTY: Final = replace(sample_run(), result=replace(sample_run().result, adapters=()), traces={})
FORMATS: Final = ("badges", "html", "junit", "markdown", "mermaid", "perfetto", "svg")


@pytest.mark.parametrize("report", FORMATS)
def test_every_format_survives_an_empty_run(report: str) -> None:
    rendered(report, EMPTY)


@pytest.mark.parametrize("report", FORMATS)
def test_every_format_survives_hostile_names_and_can_be_encoded(report: str) -> None:
    for name, text in rendered(report, sample_run(HOSTILE)).items():
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"), name
        assert ".." not in name
        text.encode()


@pytest.mark.parametrize("run", [sample_run(), sample_run(HOSTILE), EMPTY], ids=["plain", "hostile", "empty"])
def test_junit_is_valid(run: FinishedRun) -> None:
    xmlschema.XMLSchema(str(SCHEMA)).validate(rendered("junit", run)["junit.xml"])


def test_junit_fails_what_counts_and_skips_what_is_known() -> None:
    root = fromstring(rendered("junit", sample_run())["junit.xml"])
    states = {case.get("name", "").split()[0]: [it.tag for it in case] for case in root[0]}
    assert states == {
        "P4": ["failure"],
        "P7": ["skipped"],
        "P13": ["skipped"],
        "P1": [],
        "P5": ["skipped"],
        "P25": ["error"],
        "P19": ["failure"],
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "2", "1")


def test_junit_skips_a_seldom_violation_that_was_not_drawn() -> None:
    known = Expected("two crashes at once", seldom=True)
    holds = Verdict("P2", "first-valid-wins", Level.MUST, Status.HOLDS, 3, expected=known)
    run = sample_run()
    result = replace(run.result, adapters=(AdapterResult("mine", "1", 3, (holds,), {}),))
    root = fromstring(rendered("junit", replace(run, result=result))["junit.xml"])
    assert [it.get("message") for it in root.iter("skipped")] == [
        "known violation, not drawn by this run: two crashes at once"
    ]
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_an_adapter_that_failed_and_an_interrupt_are_errors() -> None:
    run = sample_run()
    broken = AdapterResult("broken", "1", 0, (), {}, ("it raised",))
    root = fromstring(
        rendered("junit", replace(run, result=replace(run.result, adapters=(broken,), interrupted=True)))[
            "junit.xml"
        ]
    )
    assert root.get("errors") == "2"


@pytest.mark.parametrize("report", ["svg", "badges"])
def test_drawings_are_well_formed_whatever_the_names(report: str) -> None:
    files = {name: it for name, it in rendered(report, sample_run(HOSTILE)).items() if name.endswith(".svg")}
    assert files
    for text in files.values():
        tags = {it.tag.rpartition("}")[2] for it in fromstring(text).iter()}
        assert tags <= {
            "svg",
            "title",
            "style",
            "rect",
            "text",
            "tspan",
            "g",
            "path",
            "polygon",
            "circle",
            "clipPath",
        }


def test_markdown_makes_no_markup_of_names() -> None:
    text = rendered("markdown", sample_run(HOSTILE + " @everyone #1 https://evil.example [x](y) |"))[
        "summary.md"
    ]
    outside = "".join(text.split("```")[0::2])
    for forbidden in ("<script", "<img", "@everyone", " #1", "https://evil", "[x]", "{{7*7}}\u202e"):
        assert forbidden not in outside


def test_markdown_fits_into_a_comment_whatever_the_run() -> None:
    run = sample_run()
    many = tuple(replace(run.result.adapters[0], adapter=f"acme-{number}") for number in range(150))
    traces = {(it.adapter, "P4"): sample_trace() for it in many}
    text = rendered("markdown", replace(run, result=replace(run.result, adapters=many), traces=traces))
    assert len(text["summary.md"]) < 65_536
    assert "would not fit" in text["summary.md"]


def test_mermaid_lines_hold_no_character_that_the_language_reads() -> None:
    for line in rendered("mermaid", sample_run(HOSTILE + "; end"))["sequences/" + stem()].splitlines()[1:]:
        text = line.partition(": ")[2]
        assert not set(text) & set("<>{}`&")
        assert " end" not in text


def stem() -> str:
    (first, *_) = rendered("mermaid", sample_run(HOSTILE + "; end"))
    return first.partition("/")[2]


def test_the_timeline_pairs_every_arrival_with_its_departure() -> None:
    document = json.loads(rendered("perfetto", sample_run())["traces/acme-P4.json"])
    entries = document["traceEvents"]
    left = {it["id"] for it in entries if it["ph"] == "s"}
    arrived = {it["id"] for it in entries if it["ph"] == "f"}
    assert arrived < left, "one message was lost"
    assert [it["name"] for it in entries if it.get("cat") == "power"] == ["no power"]
    assert sum(it["ph"] == "b" for it in entries) == sum(it["ph"] == "e" for it in entries) == 1


def test_a_badge_says_what_the_worst_verdict_says() -> None:
    badge = json.loads(rendered("badges", sample_run())["badges/acme-core.json"])
    assert badge == {
        "schemaVersion": 1,
        "label": "hitl core",
        "message": "violated, 1 of 3 hold",
        "color": "red",
    }
    calm = json.loads(rendered("badges", sample_run())["badges/calm-core.json"])
    assert (calm["message"], calm["color"]) == ("conformant", "brightgreen")


def test_a_known_violation_that_was_not_drawn_makes_no_profile_conformant() -> None:
    whole = sample_run().result.adapters[0]
    undrawn = Expected("proven by a test", seldom=True)
    verdicts = tuple(
        replace(it, status=Status.HOLDS, counterexample=None, expected=undrawn) for it in whole.verdicts
    )
    told = {it.standing for it in standings(replace(whole, verdicts=verdicts)) if it.offered}
    assert told == {Standing.KNOWN}

"""JUnit XML, which every CI service reads: a suite for each adapter, a case for each property.

Owns how verdicts become the four states that JUnit knows. What counts against the run fails; what could
not be judged is an error, never a pass; known violations and what is not offered are skipped, and say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.narrate import boundary_places, listing, plain, plan_sentence
from harness.properties import Status
from harness.report import FinishedRun, Violation
from harness.report.markup import printable
from harness.results import AdapterResult, Verdict

_LISTING_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class JunitReport:
    """Verdicts as test cases."""

    name: str = "junit"
    summary: str = "JUnit XML for CI services: a suite for each adapter, a case for each property"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``junit.xml``."""
        root = Element("testsuites", name="hitl")
        shown = {(it.adapter, it.verdict.property): it for it in run.violations()}
        for adapter in run.result.adapters:
            _suite(root, adapter, shown)
        if run.result.interrupted:
            suite = SubElement(root, "testsuite", name="hitl")
            _add(_case(suite, "hitl", "run"), "error", "interrupted", "The run was interrupted.")
            _count(suite)
        _count(root)
        indent(root, " ")
        return {"junit.xml": tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"}


def _suite(root: Element, adapter: AdapterResult, shown: Mapping[tuple[str, str], Violation]) -> None:
    suite = SubElement(root, "testsuite", name=printable(adapter.adapter))
    for text in adapter.failures:
        _add(_case(suite, adapter.adapter, "the adapter itself"), "error", "adapter-failed", text)
    if adapter.skipped:
        _add(_case(suite, adapter.adapter, "the whole adapter"), "skipped", "", adapter.skipped)
    for verdict in adapter.verdicts:
        case = _case(suite, adapter.adapter, f"{verdict.property} {verdict.guarantee}")
        _judge(case, verdict, shown.get((adapter.adapter, verdict.property)))
    _count(suite)


def _case(suite: Element, adapter: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=printable(adapter), name=printable(name))


def _judge(case: Element, verdict: Verdict, violation: Violation | None) -> None:
    reason = verdict.expected.reason if verdict.expected is not None else ""
    finding = violation.counterexample.finding.sentence if violation else verdict.note
    match verdict.status:
        case Status.HOLDS if verdict.surprising:
            _add(case, "failure", "stale-expectation", f"listed as violated, but it holds: {reason}")
        case Status.HOLDS if verdict.expected is not None:
            _add(case, "skipped", "", f"known violation, not drawn by this run: {reason}")
        case Status.HOLDS:
            return
        case Status.VIOLATED if verdict.surprising:
            _add(case, "failure", "violated", finding, _story(violation) if violation else "")
        case Status.VIOLATED:
            known = f"known violation: {reason}" if verdict.expected else f"violated ({verdict.level.value})"
            _add(case, "skipped", "", f"{known}: {finding}")
        case Status.INCONCLUSIVE:
            _add(case, "error", "inconclusive", verdict.note or "could not be judged")
        case Status.NOT_OFFERED:
            _add(case, "skipped", "", "not offered")


def _story(violation: Violation) -> str:
    shown, trace = violation.counterexample, violation.trace
    marked = boundary_places(trace, shown.finding.events)
    parts = [
        violation.statement,
        plan_sentence(shown.plan, trace),
        plain(listing(trace, marked, _LISTING_WIDTH)),
    ]
    return "\n\n".join(filter(None, [*parts, violation.replay]))


def _add(case: Element, state: str, kind: str, message: str, text: str = "") -> None:
    attributes = {"message": printable(message)} | ({"type": kind} if kind else {})
    SubElement(case, state, attributes).text = printable(text) or None


def _count(element: Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, state in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        if element.tag == "testsuite" or state != "skipped":
            element.set(attribute, str(sum(case.find(state) is not None for case in cases)))


REPORTS: Final = (JunitReport(),)

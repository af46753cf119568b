"""Rules about the page: it fetches nothing, believes nothing of what a run says, and stays small."""

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

from harness.report import FinishedRun
from tests.reports.sample import HOSTILE, rendered, sample_run


def page(run: FinishedRun) -> str:
    return rendered("html", run)["index.html"]


class Elements(HTMLParser):
    """All start tags of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_hostile_run_makes_no_element_that_a_plain_one_does_not_make() -> None:
    plain, hostile = Elements(page(sample_run())), Elements(page(sample_run(HOSTILE)))
    assert {tag for tag, _ in hostile.found} == {tag for tag, _ in plain.found}
    names = {name for _, attributes in hostile.found for name in attributes}
    assert not [name for name in names if name.startswith("on") or name == "style"]
    scripts = [attributes for tag, attributes in hostile.found if tag == "script"]
    assert len(scripts) == sum(tag == "script" for tag, _ in plain.found)


def test_no_address_of_a_run_becomes_a_link_unless_it_is_a_web_page() -> None:
    run = sample_run()
    (first, *rest) = run.result.adapters
    verdicts = tuple(
        replace(it, expected=replace(it.expected, link="javascript:alert(1)")) if it.expected else it
        for it in first.verdicts
    )
    result = replace(run.result, adapters=(replace(first, verdicts=verdicts), *rest))
    links = [
        attributes.get("href") or "" for tag, attributes in Elements(page(replace(run, result=result))).found
    ]
    assert not [link for link in links if link.startswith("javascript")]
    assert "https://example.com/known" in page(run)


def test_the_policy_names_the_one_style_and_the_one_script_by_their_hashes() -> None:
    text = page(sample_run(HOSTILE))
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in Elements(text).found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_the_page_fetches_nothing_from_anywhere() -> None:
    for tag, attributes in Elements(page(sample_run())).found:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base")
        assert "src" not in attributes
    assert "@import" not in page(sample_run())
    assert "url(" not in page(sample_run())


def test_what_counts_against_the_run_comes_first_and_the_matrix_leads_to_it() -> None:
    text = page(sample_run())
    assert (
        text.index('id="v1"')
        < text.index("at-most-one-execution", text.index('id="v1"'))
        < text.index('id="v2"')
    )
    assert 'href="#v1"' in text


def test_a_violation_without_a_trace_says_so() -> None:
    assert "The trace of this run is missing" in page(replace(sample_run(), traces={}))


def test_an_empty_run_and_an_interrupted_one_are_told_apart_from_success() -> None:
    result = sample_run().result
    assert "Nothing was judged" in page(FinishedRun(replace(result, adapters=()), {}))
    assert "interrupted" in page(FinishedRun(replace(result, interrupted=True), {}))


def test_two_hundred_violations_stay_under_five_megabytes() -> None:
    run = sample_run()
    many = tuple(replace(run.result.adapters[0], adapter=f"acme-{number}") for number in range(67))
    trace = run.traces["acme", "P4"]
    long = replace(trace, events=trace.events * 10)
    near = run.nearest["acme", "P4"]
    traces = {(it.adapter, name): long for it in many for name in ("P4", "P7", "P13")}
    nearest = {where: replace(near, events=near.events * 10) for where in traces}
    text = page(replace(run, result=replace(run.result, adapters=many), traces=traces, nearest=nearest))
    assert text.count('<details class="violation"') == 201
    assert len(text.encode()) < 5_000_000

"""Rules about the page in a real browser: stepped through by keyboard, in the dark, on a phone, under attack.

Needs a Chromium of the system; without one these tests are skipped, and fail where ``CI=true``.
"""

import json
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.reports.sample import HOSTILE, rendered, sample_run

pytestmark = pytest.mark.once

DESKTOP: Final = (1280, 900)
PHONE: Final = (390, 844)
PATIENCE_MS: Final = 60_000

expect.set_options(timeout=PATIENCE_MS)


class Opened:
    """A page that was opened, with every complaint of the browser and every request that it made."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())


def opened(
    browser: Browser, folder: Path, *, hostile: str = "", size: tuple[int, int] = DESKTOP, dark: bool = False
) -> Opened:
    file = folder / "index.html"
    file.write_text(rendered("html", sample_run(hostile))["index.html"], encoding="utf-8")
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(PATIENCE_MS)
    return Opened(context, file)


def test_a_violation_is_stepped_through_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path).page
    position, now = page.locator("#v1 output"), page.locator("#v1 .now")
    expect(now).to_contain_text("agent EXECUTES c1")
    page.locator("#v1 .rows").focus()
    page.keyboard.press("Home")
    expect(position).to_have_text("1 / 21")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(now).to_contain_text("bob-phone asks about c1")
    card = page.locator("#v1 .face.device .card")
    expect(card).to_contain_text("publish (c1)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(card).to_have_count(0)
    expect(page.locator("#v1 .face.device")).to_contain_text("sent, no receipt yet")
    page.keyboard.press("End")
    expect(position).to_have_text("21 / 21")
    page.keyboard.press("ArrowDown")
    expect(position).to_have_text("21 / 21")
    expect(page.locator("#v1 li[aria-selected=true]")).to_have_count(1)


def test_buttons_step_too_and_lead_to_what_shows_the_violation(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path).page
    now = page.locator("#v1 .now")
    page.locator("#v1 .jump").click()
    expect(now).to_contain_text("EXECUTES c1, 2nd time")
    expect(page.locator("#v1 .face.agent")).to_contain_text("executed 2 times")
    page.locator("#v1 .back").click()
    expect(now).to_contain_text("39 s later")
    page.locator("#v1 .rows li").nth(10).click()
    expect(now).to_contain_text("LOSES POWER")
    expect(page.locator("#v1 .face.agent")).to_contain_text("no power")


def test_the_first_difference_to_the_nearest_passing_run_is_marked(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path).page
    rows = page.locator("#v1 .pairs tbody tr")
    expect(page.locator("#v1 .pairs .first")).to_have_text("First difference")
    texts = rows.all_text_contents()
    place = next(place for place, text in enumerate(texts) if "First difference" in text)
    assert "EXECUTES c1" in texts[place - 1]
    assert "LOSES POWER" in texts[place + 1]
    expect(rows.nth(place + 1).locator("td").nth(1)).to_contain_text("reports c1 executed")
    expect(page.locator("#v3 .pairs")).to_have_count(0)


def test_the_matrix_leads_to_the_violation_and_opens_it(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path).page
    page.locator("#all").click()
    page.locator("#all").click()
    page.evaluate("for (const it of document.querySelectorAll('details')) it.open = false")
    page.locator(".matrix a[href='#v2']").click()
    expect(page.locator("#v2")).to_have_attribute("open", "")
    expect(page.locator("#v2 > summary")).to_be_focused()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits_its_window_in_both_themes(
    browser: Browser, tmp_path: Path, size: tuple[int, int], *, dark: bool
) -> None:
    it = opened(browser, tmp_path, size=size, dark=dark)
    assert it.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    light = it.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0] > 128")
    assert light is not dark
    for element in it.page.locator("button:visible").all():
        box = element.bounding_box()
        assert box is not None
        assert box["height"] >= 24, "fingers and WCAG 2.2 want 24 pixels"
    assert not it.complaints


def test_the_theme_can_be_chosen(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path).page
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_hostile_run_executes_nothing_and_fetches_nothing(browser: Browser, tmp_path: Path) -> None:
    it = opened(browser, tmp_path, hostile=HOSTILE)
    it.page.locator("#v1 .rows").focus()
    it.page.keyboard.press("Home")
    for _ in range(25):
        it.page.keyboard.press("ArrowDown")
    it.page.locator("#all").click()
    assert it.page.evaluate("window.hacked") is None
    assert it.page.locator("img").count() == 0
    assert [url for url in it.requests if not url.startswith("file:")] == []
    assert not it.complaints, "the policy had nothing to stop"
    expect(it.page.locator("#v1 .finding")).to_contain_text("<img src=x onerror=window.hacked=1>")


def test_without_scripts_the_page_still_tells_everything(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(rendered("html", sample_run())["index.html"], encoding="utf-8")
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(file.as_uri())
    expect(page.locator("#v1 .rows li").first).to_be_visible()
    expect(page.locator("#v1 .stage")).to_be_hidden()
    expect(page.locator("button:visible")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_barrier(
    browser: Browser, tmp_path: Path, axe: str, size: tuple[int, int], *, dark: bool
) -> None:
    page = opened(browser, tmp_path, size=size, dark=dark).page
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    barriers = [(it["id"], it["nodes"][0]["html"][:120], len(it["nodes"])) for it in found["violations"]]
    assert not barriers, json.dumps(barriers, indent=1)

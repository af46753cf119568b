"""Rules about live pages in a real browser: a race in two tabs, figures that rise, nobody else let in."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.once

DESKTOP: Final = (1280, 900)
PHONE: Final = (390, 844)
PATIENCE_MS: Final = 60_000
BOTH_THEMES: Final = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
BOTH_SIZES: Final = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


class Watching:
    """A ``hitl watch`` in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)


@contextmanager
def watching(folder: Path, *words: str) -> Iterator[Watching]:
    command = [sys.executable, "-m", "harness.cli", "watch", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (
        (folder / "err").open("w") as errors,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield Watching(process, _address(process, folder / "err"))
        finally:
            process.kill()


def _address(process: "subprocess.Popen[str]", errors: Path) -> str:
    """Return the address that the command prints, as soon as it does."""
    while True:
        found = re.search(r"http\S+/(?=\s)", errors.read_text(encoding="utf-8"))
        if found is not None:
            return found[0]
        try:
            code = process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"hitl watch ended with {code}: {errors.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    pytest.importorskip("ably")
    with watching(tmp_path_factory.mktemp("play"), "--play") as served:
        yield served
        assert served.end() == 0


@pytest.fixture
def pages(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


class Players:
    """The three pages of a race, and what the browser complained of."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.complaints: list[str] = []
        context.on("console", lambda message: self.complaints.append(message.text))
        self.table = context.new_page()
        self.table.goto(url)
        self.devices: list[Page] = []
        for number, name in enumerate(("Alice", "Bob")):
            with context.expect_page() as opened:
                self.table.get_by_role("link", name=f"Open {name}'s phone").click()
            self.devices.append(opened.value)
            expect(self.table.locator("#devices li").nth(number)).to_contain_text("A page is open.")

    def ask(self, implementation: str, network: str = "tie") -> None:
        self.table.locator(f"input[value={implementation}]").check()
        self.table.locator(f"input[value={network}]").check()
        expect(self.table.locator("#start")).to_have_attribute("aria-disabled", "false")
        self.table.locator("#start").click()
        for device in self.devices:
            expect(device.get_by_role("button", name="Approve")).to_be_visible()


def test_of_two_who_press_at_once_one_wins_and_the_other_is_told_so(
    pages: BrowserContext, table: Watching
) -> None:
    it = Players(pages, table.url)
    it.ask("ably-hardened")
    alice, bob = it.devices
    alice.get_by_role("button", name="Approve").click()
    bob.get_by_role("button", name="Reject").click()
    expect(it.table.locator("#result")).to_be_visible()
    expect(it.table.locator("#headline")).to_have_text(
        re.compile(r"^(Alice won: approved|Bob won: rejected)\.$")
    )
    alice_won = (it.table.locator("#headline").text_content() or "").startswith("Alice")
    winner, loser = (alice, bob) if alice_won else (bob, alice)
    expect(winner.locator("#told")).to_contain_text("Your answer decided.")
    expect(loser.locator("#told")).to_contain_text("Too late")
    expect(it.table.locator("#broken > *")).to_have_count(0)
    image = it.table.locator("#picture img")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", value=True)
    assert image.evaluate("it => it.naturalWidth") > 100
    it.table.get_by_text("The same in words").click()
    expect(it.table.locator(".steps")).to_contain_text("alice approves c1")
    assert not it.complaints


def test_the_older_form_executes_twice_under_two_hands_and_is_played_by_keyboard(
    pages: BrowserContext, table: Watching
) -> None:
    it = Players(pages, table.url)
    it.ask("ably-older")
    for device in it.devices:
        device.get_by_role("button", name="Approve").focus()
    for device in it.devices:
        device.keyboard.press("Enter")
    expect(it.table.locator("#headline")).to_contain_text("2 answers decided")
    expect(it.table.locator("#facts")).to_contain_text("executed 2 times")
    expect(it.table.locator("#broken")).to_contain_text("at-most-one-execution")
    for device in it.devices:
        expect(device.locator("#told")).to_contain_text("Whether it counted, nobody says")


def test_a_round_that_nobody_finishes_is_ended_by_hand_and_played_again(
    pages: BrowserContext, table: Watching
) -> None:
    it = Players(pages, table.url)
    it.ask("ably", "fast")
    it.table.get_by_role("button", name="End the round").click()
    expect(it.table.locator("#headline")).to_have_text("Nobody decided.")
    it.ask("ably", "fast")
    for device in it.devices:
        device.get_by_role("button", name="Approve").click()
    expect(it.table.locator("#headline")).to_contain_text("won: approved.")


def test_without_the_token_nothing_is_shown(pages: BrowserContext, table: Watching) -> None:
    page = pages.new_page()
    token = table.url.rstrip("/").rpartition("/")[2]
    wrong = table.url.replace(token, token[::-1])
    answer = page.goto(wrong)
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text("token")
    refused = page.evaluate(
        """url => new Promise((done) => {
            const socket = new WebSocket(url.replace("http", "ws") + "feed/table");
            socket.onopen = () => done(false);
            socket.onerror = () => done(true);
        })""",
        wrong,
    )
    assert refused


def test_figures_rise_while_a_run_goes_on_and_violations_come_with_their_pictures(
    pages: BrowserContext, tmp_path: Path
) -> None:
    with watching(tmp_path, "ably-guide-older", "--examples", "20000") as served:
        page = pages.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(served.url)
        expect(page.locator("#title")).to_have_text("The run goes on")
        runs = page.locator("#runs")
        expect(runs).not_to_have_text("0")
        first = runs.text_content() or ""
        expect(runs).not_to_have_text(first)
        assert _number(runs.text_content()) > _number(first)
        expect(page.locator("#fired")).not_to_have_text("0")
        served.process.send_signal(signal.SIGINT)
        expect(page.locator("#link")).to_contain_text("ended")
        expect(page.locator("#title")).to_have_text("The run was interrupted")
        assert served.process.wait(120) == 130
        assert [it for it in complaints if "WebSocket" not in it] == []


def _number(text: str | None) -> int:
    return int((text or "").replace(",", ""))


@pytest.fixture(scope="module")
def done_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """Yield a run with violations that is over, its page still up."""
    words = ("ably-guide-older", "--scenario", "first_response_wins", "--examples", "30")
    with watching(tmp_path_factory.mktemp("run"), *words) as served:
        yield served


def test_a_violation_leads_to_its_picture_and_a_page_that_comes_back_shows_the_same(
    pages: BrowserContext, done_run: Watching
) -> None:
    page = pages.new_page()
    page.goto(done_run.url)
    expect(page.locator("#title")).to_contain_text("exit 0")
    expect(page.locator("#violations")).to_contain_text("at-most-one-execution")
    article = page.locator("article", has_text="at-most-one-execution")
    article.get_by_text("Space-time picture").click()
    expect(article.locator("img")).to_have_js_property("complete", value=True)
    assert article.locator("img").evaluate("it => it.naturalWidth") > 100
    shown = page.locator("#violations h3").all_text_contents()
    page.reload()
    expect(page.locator("#title")).to_contain_text("exit 0")
    assert page.locator("#violations h3").all_text_contents() == shown


@BOTH_THEMES
@BOTH_SIZES
def test_live_pages_fit_their_window_and_axe_finds_no_barrier(
    browser: Browser, table: Watching, done_run: Watching, axe: str, size: tuple[int, int], *, dark: bool
) -> None:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        bypass_csp=True,  # for axe, which a test brings in
    )
    context.set_default_timeout(PATIENCE_MS)
    for url, ready in (
        (done_run.url, "#violations article"),
        (table.url, "#choices label"),
        (f"{table.url}alice-phone", "#state"),
    ):
        page = context.new_page()
        page.goto(url)
        expect(page.locator("#link")).to_have_text("connected")
        expect(page.locator(ready).first).to_be_visible()
        for hidden in page.get_by_text("Space-time picture").all():
            hidden.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0] > 128")
        assert light is not dark
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        barriers = [(it["id"], it["nodes"][0]["html"][:120]) for it in found["violations"]]
        assert not barriers, json.dumps(barriers, indent=1)
    context.close()

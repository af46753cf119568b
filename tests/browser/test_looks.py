"""Rules about how the page looks: small pictures of it are compared loosely with those kept beside this test.

Two kinds: the top of the page as it is, which may differ as much as other fonts make it, and the diagram
without its text, whose rows have fixed heights, which may hardly differ. ``HITL_UPDATE_GOLDEN=1 pytest
tests/browser`` rewrites the pictures; their difference is then looked at.
"""

import io
import os
from pathlib import Path
from typing import Final

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Page

from tests.reports.sample import rendered, sample_run

pytestmark = pytest.mark.once

GOLDENS: Final = Path(__file__).parent / "goldens"
SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}
SCALE: Final = 8
"""A pixel of a golden is the mean of so many by so many: what a letter looks like is no matter."""
TOP_MAX: Final = 25.0
"""Mean difference of a pixel, of 255: another font family made up to 13; the other theme makes 200."""
DIAGRAM_MAX: Final = 0.6
"""The same of a diagram: another font makes 0.3, lost arrows 0.9."""
NO_TEXT: Final = "*{color:transparent!important}.graph text{visibility:hidden}"


def page_of(browser: Browser, folder: Path, size: str, theme: str) -> Page:
    file = folder / "index.html"
    file.write_text(rendered("html", sample_run())["index.html"], encoding="utf-8")
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(file.as_uri())
    return page


def diagram_of(page: Page, style: str = "") -> Image.Image:
    page.add_style_tag(content=NO_TEXT + style)
    return small(page.locator("#v1 .timeline").screenshot())


def small(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return by how much two pictures differ, 0 to 255; other sizes are other pictures."""
    if one.size != other.size:
        return 255.0
    return ImageStat.Stat(ImageChops.difference(one, other).convert("L")).mean[0]


def golden(name: str, seen: Image.Image) -> Image.Image:
    file = GOLDENS / f"{name}.png"
    if os.environ.get("HITL_UPDATE_GOLDEN"):
        GOLDENS.mkdir(exist_ok=True)
        seen.save(file, optimize=True)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_the_page_looks_as_it_did(browser: Browser, tmp_path: Path, size: str, theme: str) -> None:
    page = page_of(browser, tmp_path, size, theme)
    top = small(page.screenshot())
    assert difference(top, golden(f"top-{size}-{theme}", top)) < TOP_MAX
    diagram = diagram_of(page)
    assert difference(diagram, golden(f"diagram-{size}-{theme}", diagram)) < DIAGRAM_MAX


@pytest.mark.parametrize("size", list(SIZES))
def test_another_font_leaves_the_diagram_where_it_is(browser: Browser, tmp_path: Path, size: str) -> None:
    plain = diagram_of(page_of(browser, tmp_path, size, "light"))
    other = diagram_of(page_of(browser, tmp_path, size, "light"), "*{font-family:serif!important}")
    assert difference(plain, other) < DIAGRAM_MAX


@pytest.mark.parametrize("lost", [".graph{display:none}", ".rows .marked{background:none!important}"])
def test_a_diagram_that_lost_something_looks_different(browser: Browser, tmp_path: Path, lost: str) -> None:
    whole = diagram_of(page_of(browser, tmp_path, "desktop", "light"))
    assert difference(whole, diagram_of(page_of(browser, tmp_path, "desktop", "light"), lost)) > DIAGRAM_MAX


def test_light_and_dark_are_told_apart(browser: Browser, tmp_path: Path) -> None:
    pages = [small(page_of(browser, tmp_path, "desktop", theme).screenshot()) for theme in ("light", "dark")]
    assert difference(*pages) > 4 * TOP_MAX

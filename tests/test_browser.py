"""What an editor sees, in a real browser on the running demo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browsing import Windows
from tests.site import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.redis]

PATIENCE = 60_000
"""Milliseconds for a picture to be made."""
STAY = "window.reloaded = false"


@pytest.fixture
def page(windows: Windows, demo: Demo) -> Page:
    """A window in which the editor has logged in."""
    page = windows.open(demo.base_url)
    page.goto("/admin/")
    page.fill("#id_username", "editor")
    page.fill("#id_password", "editor")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return page


def picture(page: Page, within: str) -> str:
    """Wait until a picture is really shown; the name of its file without the width."""
    found = page.wait_for_function(
        """selector => {
            const image = document.querySelector(selector);
            return image && image.complete && image.naturalWidth && image.currentSrc;
        }""",
        arg=f"{within} img[src*='/media/']",
        timeout=PATIENCE,
    )
    return re.split(r"[-.]", Path(str(found.json_value())).name)[0]


def stayed(page: Page) -> bool:
    """Whether the page is still the one on which STAY was evaluated."""
    return bool(page.evaluate("window.reloaded === false"))


def test_from_a_prompt_to_the_public_page(page: Page) -> None:
    page.goto("/admin/ideogram_django/generatedimage/add/")
    page.fill("textarea[name=prompt]", "A paper boat on a table of maps")
    page.locator("[name=count][value='1']").check()
    button = page.get_by_role("button", name="Make")
    assert "$0.03" in button.inner_text()
    button.click()
    page.wait_for_url("**/generatedimage/*/change/")
    page.evaluate(STAY)

    made = picture(page, "main")
    assert stayed(page)

    page.goto("/admin/articles/article/")
    page.get_by_role("link", name="The last typewriter clinic").click()
    page.get_by_role("button", name="Choose from the gallery").click()
    page.locator("dialog").get_by_role("button", name="A paper boat on a table of maps").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/articles/article/")

    page.goto("/the-last-typewriter-clinic/")
    assert picture(page, "figure.hero") == made


def test_a_picture_is_made_in_the_article_itself(page: Page) -> None:
    page.goto("/admin/articles/article/")
    page.get_by_role("link", name="Seeds for a roof in the city").click()
    page.get_by_text("Make a new picture · $0.03").click()
    prompt = page.locator("textarea[name=hero-prompt]")
    assert prompt.input_value() == "Seeds for a roof in the city, editorial illustration"
    prompt.fill("Barley on a roof, woodcut")
    page.get_by_label("Make on save · $0.03").check()
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_load_state()
    page.evaluate(STAY)

    made = picture(page, ".ideogram-field-current")  # of the drafts, the one in use
    assert stayed(page)

    page.goto("/seeds-for-a-roof-in-the-city/")
    assert picture(page, "figure.hero") == made


def test_pictures_for_several_articles(page: Page) -> None:
    page.goto("/admin/articles/article/")
    for title in ("The museum of unfinished chairs", "What the orchestra hears before you do"):
        page.get_by_role("row", name=title).get_by_role("checkbox").check()
    page.select_option("select[name=action]", "generate_images")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    assert "$0.06" in page.inner_text("main")
    page.locator("main button[name=which]").first.click()
    # Nothing gets onto a page before somebody said yes.
    page.get_by_role("link", name="Look at 2 proposals").click(timeout=PATIENCE)
    page.get_by_role("button", name="Approve all 2").click()

    for slug in ("the-museum-of-unfinished-chairs", "what-the-orchestra-hears-before-you-do"):
        page.goto(f"/{slug}/")
        assert picture(page, "figure.hero")

"""What an editor sees, in a real browser on the running demo."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.site import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.redis]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000
"""Milliseconds for a picture to be made."""
STAY = "window.reloaded = false"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """$CHROMIUM, else the system's Chromium, else Playwright's own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    system = Path("/usr/bin/chromium")
    path = os.environ.get("CHROMIUM") or (str(system) if system.exists() else None)
    try:
        with sync_api.sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            except sync_api.Error as error:
                pytest.skip(f"no browser: {error.message.splitlines()[0]}")
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """A window in which the editor has logged in; an error of a script fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=demo.base_url)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/admin/")
    page.fill("#id_username", "editor")
    page.fill("#id_password", "editor")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    yield page
    context.close()
    assert errors == []


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
    page.select_option("select[name=count]", "1")
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

    made = picture(page, ".field-hero")
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

    for slug in ("the-museum-of-unfinished-chairs", "what-the-orchestra-hears-before-you-do"):
        page.goto(f"/{slug}/")
        assert picture(page, "figure.hero")

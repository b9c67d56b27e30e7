"""The same pages in Unfold, the theme that most sites choose: it brings templates of its own."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.accessibility import OUTSIDE, STILL, violations
from tests.browsing import Windows
from tests.site import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.skipif(importlib.util.find_spec("unfold") is None, reason="Unfold is not here"),
]

PICTURES = "/admin/ideogram_django/generatedimage/"
PROMPT = "A kite above a harbour"
PATIENCE = 60_000
"""Milliseconds for pictures to be made."""


@pytest.fixture(scope="module")
def themed_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("unfold"), {"MAGAZINE_ADMIN": "unfold"})
    demo.start()
    yield demo
    demo.process.end(patience=40)


@pytest.fixture
def page(windows: Windows, themed_demo: Demo) -> Page:
    """A window in which the editor has logged in."""
    page = windows.open(themed_demo.base_url)
    page.goto("/admin/")
    page.fill("[name=username]", "editor")
    page.fill("[name=password]", "editor")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return page


def faults(page: Page, axe: Any) -> list[str]:
    """What is wrong with our part of the page, in light and in dark, wide and on a phone."""
    found = []
    for scheme in ("light", "dark"):
        # As its own switch does it: it looks at what the system prefers only once per page.
        page.evaluate(
            "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
        )
        page.evaluate(STILL)
        found += [f"{scheme}: {it}" for it in violations(page, axe, within="#content")]
    page.evaluate("document.documentElement.classList.remove('dark')")
    page.set_viewport_size({"width": 390, "height": 800})
    found += [f"on a phone: {it}" for it in page.evaluate(OUTSIDE)]
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def test_from_four_drafts_to_an_article(page: Page, axe: Any) -> None:
    from playwright.sync_api import expect

    page.goto(f"{PICTURES}add/")
    wrong = [f"make: {it}" for it in faults(page, axe)]
    page.fill("[name=prompt]", PROMPT)
    page.get_by_role("button", name=re.compile(r"^Make\b")).click()

    page.wait_for_url("**batch=*")
    expect(page.locator("[data-ideogram-thumb] img")).to_have_count(4, timeout=PATIENCE)
    wrong += [f"drafts: {it}" for it in faults(page, axe)]
    page.reload()
    page.get_by_role("button", name="Pick").first.click()
    expect(page.get_by_role("button", name="Picked")).to_have_count(1)

    page.goto(PICTURES)
    wrong += [f"gallery: {it}" for it in faults(page, axe)]
    page.locator("input.action-select").first.check()
    expect(page.get_by_role("button", name="List")).to_be_visible()
    page.get_by_role("button", name="List").click()
    wrong += [f"list: {it}" for it in faults(page, axe)]
    page.get_by_role("link", name=PROMPT).first.click()
    expect(page.get_by_role("button", name="Finish on Quality · $0.10")).to_be_visible()
    wrong += [f"picture: {it}" for it in faults(page, axe)]

    page.goto("/admin/articles/article/")
    page.get_by_role("link", name="Seeds for a roof in the city").click()
    wrong += [f"article: {it}" for it in faults(page, axe)]
    page.get_by_role("button", name="Choose from the gallery").click()
    page.locator("dialog").get_by_role("button", name=PROMPT).first.click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/articles/article/")
    page.goto("/seeds-for-a-roof-in-the-city/")
    expect(page.locator("figure.hero img[src*='/media/']")).to_have_count(1)
    assert not wrong, "\n".join(["", *wrong])


def test_pictures_for_several_articles(page: Page, axe: Any) -> None:
    page.goto("/admin/articles/article/")
    for title in ("The museum of unfinished chairs", "What the orchestra hears before you do"):
        page.get_by_role("row", name=title).get_by_role("checkbox").check()
    page.select_option("select[name=action]", "generate_images")
    page.get_by_role("button", name="Run").click()
    button = page.get_by_role("button", name="Make 2 pictures · $0.06")
    button.wait_for()
    wrong = faults(page, axe)
    button.click()
    page.wait_for_url(re.compile(r"/article/$"))
    assert not wrong, "\n".join(["", *wrong])

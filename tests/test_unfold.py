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


def test_from_four_drafts_to_a_final(page: Page, axe: Any) -> None:
    from playwright.sync_api import expect

    page.goto(f"{PICTURES}add/")
    expect(page.get_by_role("heading", name="Make pictures")).to_be_visible()
    wrong = [f"make: {it}" for it in faults(page, axe)]
    page.fill("[name=prompt]", PROMPT)
    page.get_by_role("button", name="Make 4 drafts · $0.12").click()

    page.wait_for_url("**/sheet/**")
    expect(page.get_by_role("heading", name="Contact sheet")).to_be_visible()
    expect(page.get_by_text("4 pictures are being made.")).to_be_visible()
    cards = page.locator("#ideogram-sheet-cards")
    expect(cards.get_by_role("radio")).to_have_count(4, timeout=PATIENCE)
    wrong += [f"sheet: {it}" for it in faults(page, axe)]
    page.get_by_role("radio", name="Picture 2").check()
    page.get_by_role("button", name="Pick this one").click()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    expect(page.locator("[data-ideogram-messages]")).to_have_text("Picture 2 is picked.")
    page.get_by_role("button", name="Finish on Quality · $0.10").click()
    final = page.locator("#ideogram-sheet-finals")
    expect(final.locator("img")).to_have_count(1, timeout=PATIENCE)
    final.get_by_role("button", name="Pick").click()
    expect(final.get_by_role("button", name="Picked")).to_be_visible()
    wrong += [f"finals: {it}" for it in faults(page, axe)]

    final.get_by_role("link").click()
    expect(page.get_by_role("button", name="More like this · $0.40")).to_be_visible()
    wrong += [f"picture: {it}" for it in faults(page, axe)]
    page.fill("[name=alt_text]", "A kite over boats")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url(PICTURES)
    assert not wrong, "\n".join(["", *wrong])


def test_the_gallery(page: Page, axe: Any) -> None:
    from playwright.sync_api import expect

    page.goto(PICTURES)
    wrong = [f"grid: {it}" for it in faults(page, axe)]
    page.locator("input.action-select").first.check()
    page.get_by_text("Filters").first.click()
    folded = page.locator(".ideogram-filter", has_text="By when")
    folded.locator("summary").click()
    wrong += [f"filters: {it}" for it in violations(page, axe, within="#changelist-filter")]
    folded.get_by_role("link", name="Today").click()
    expect(page.locator("input.action-select").first).to_be_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="List").click()
    wrong += [f"list: {it}" for it in faults(page, axe)]
    assert not wrong, "\n".join(["", *wrong])


def test_an_article_gets_its_picture(page: Page, axe: Any) -> None:
    from playwright.sync_api import expect

    page.goto("/admin/articles/article/")
    page.get_by_role("link", name="Seeds for a roof in the city").click()
    field = page.locator("[data-ideogram-field]")
    field.locator("summary").click()
    field.get_by_role("button", name="Make 4 drafts · $0.12").click()
    drafts = field.locator("[data-ideogram-drafts]")
    expect(drafts.locator("img")).to_have_count(4, timeout=PATIENCE)
    drafts.get_by_role("radio", name="Draft 3").check()
    wrong = [f"drafts: {it}" for it in faults(page, axe)]
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/articles/article/")
    page.goto("/seeds-for-a-roof-in-the-city/")
    hero = page.locator("figure.hero img[src*='/media/']")
    expect(hero).to_have_count(1)
    before = hero.get_attribute("src")

    page.goto("/admin/articles/article/")
    page.get_by_role("link", name="Seeds for a roof in the city").click()
    page.get_by_role("button", name="Choose from the gallery").click()
    dialog = page.get_by_role("dialog")
    choice = dialog.get_by_role("button", name="A baker counts in loaves").first
    choice.wait_for()
    top = page.evaluate("document.querySelector('dialog[open]').getBoundingClientRect().top")
    assert top > 0
    wrong += [f"dialog: {it}" for it in violations(page, axe, within="dialog[open]")]
    choice.click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/articles/article/")
    page.goto("/seeds-for-a-roof-in-the-city/")
    expect(hero).not_to_have_attribute("src", str(before))
    assert not wrong, "\n".join(["", *wrong])


def test_a_fixed_place(page: Page, axe: Any) -> None:
    page.goto("/admin/ideogram_django/place/add/")
    wrong = [f"form: {it}" for it in faults(page, axe)]
    page.fill("[name=name]", "Front page, top")
    page.fill("[name=key]", "front-top")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/ideogram_django/place/")
    page.locator("#result_list").get_by_role("link", name="Front page, top").wait_for()
    wrong += [f"list: {it}" for it in faults(page, axe)]
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
    page.wait_for_url(re.compile(r"/ideogram_django/run/\d+/"))
    wrong += [f"run: {it}" for it in faults(page, axe)]
    assert not wrong, "\n".join(["", *wrong])

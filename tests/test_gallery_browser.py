"""The gallery as a person uses it, in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.core.cache import cache

from ideogram_django.models import EditorPreference, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from tests.accessibility import violations
from tests.test_admin_browser import finish, making

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")


GALLERY = "/admin/ideogram_django/generatedimage/"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def expect(locator: Any) -> Any:
    return playwright.expect(locator)


def card_of(page: Any, image: GeneratedImage) -> Any:
    return page.locator(f'tr[data-ideogram-image="{image.uuid}"]')


def done(**facts: Any) -> GeneratedImage:
    image = making()
    finish(image)
    GeneratedImage.objects.filter(pk=image.pk).update(**facts)
    image.refresh_from_db()
    return image


def choose(page: Any, look: str) -> None:
    with page.expect_navigation():
        page.click(f"button[name=look][value={look}]")


def status_requests(page: Any) -> list[list[str]]:
    """The pictures that each status request asks about, as they are sent."""
    asked: list[list[str]] = []

    def note(request: Any) -> None:
        if "/status/" in request.url:
            asked.append(parse_qs(urlsplit(request.url).query)["ids"][0].split(","))

    page.on("request", note)
    return asked


def stays(page: Any) -> None:
    """Put a mark on the document that a reload would wipe away."""
    page.evaluate("window.same = true")


def stayed(page: Any) -> bool:
    return bool(page.evaluate("window.same === true"))


def test_grid_and_list_by_keyboard_alone(visit):
    done()
    page = visit(GALLERY)
    expect(page.locator(".ideogram-cards")).to_be_visible()
    page.focus("button[name=look][value=grid]")
    page.keyboard.press("Tab")
    focused = page.locator("button[name=look][value=list]")
    expect(focused).to_be_focused()
    assert focused.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.locator("#result_list:not(.ideogram-cards)")).to_be_visible()
    expect(page.get_by_role("button", name="List", pressed=True)).to_be_visible()
    assert EditorPreference.objects.get().gallery_look == "list"


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_pick_changes_one_card_and_nothing_else(visit, look):
    first, second = done(), done()
    page = visit(GALLERY)
    choose(page, look)
    page.check(f'input[name=_selected_action][value="{first.pk}"]')
    stays(page)
    row = page.locator("#result_list tbody tr", has=page.locator(f"#ideogram-picker-{first.pk}"))
    page.locator(f"#ideogram-picker-{first.pk}").press("Enter")
    button = row.get_by_role("button", name=re.compile("Picked "))
    expect(button).to_be_focused()
    expect(page.locator("[data-ideogram-live]")).to_have_text("Picked.")
    expect(row.locator("input[name=_selected_action]")).to_be_checked()
    assert page.locator("button[aria-pressed=true][name=step]").count() == 1
    assert set(GeneratedImage.objects.filter(picked=True)) == {first}
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name=re.compile("Pick "))).to_be_focused()
    assert not GeneratedImage.objects.filter(picked=True).exists()
    assert stayed(page)
    assert second.picked is False


def test_a_picture_that_no_longer_fits_the_filter_goes(visit):
    done()
    page = visit(f"{GALLERY}?picked=no")
    page.get_by_role("button", name=re.compile("Pick ")).click()
    expect(page.get_by_text("No pictures match.")).to_be_visible()


def test_a_card_fills_while_one_looks(visit):
    SpendingLimit.objects.create(amount=20)
    image = making(status=Status.PROCESSING, progress=20)
    other = making(status=Status.PROCESSING, progress=20)
    page = visit(GALLERY)
    stays(page)
    card = card_of(page, image)
    expect(card.locator("[data-ideogram-sentence]")).to_have_text(re.compile("is making"))
    expect(card.locator("svg.ideogram-shape")).to_be_visible()
    before = card.bounding_box()
    GeneratedImage.objects.filter(pk=image.pk).update(progress=70)
    expect(card.locator("progress")).to_have_js_property("value", 70, timeout=9000)
    finish(image)
    GeneratedImage.objects.filter(pk=other.pk).update(status=Status.FAILED, error_code="refused")
    expect(card.get_by_role("button", name=re.compile("Pick "))).to_be_visible(timeout=9000)
    expect(card.locator("img")).to_be_visible()
    expect(card.locator("svg.ideogram-shape")).to_have_count(0)
    expect(card.get_by_role("link", name=re.compile("No alternative text"))).to_be_visible()
    after = card.bounding_box()
    assert (before["x"], before["y"], before["width"]) == (after["x"], after["y"], after["width"])
    failed = card_of(page, other)
    expect(failed.locator(".ideogram-error")).to_contain_text("The provider's rules do not allow")
    expect(page.locator("[data-ideogram-live]")).to_contain_text("A red bicycle: F")
    failed.get_by_role("link", name=re.compile("What to do next")).click()
    page.wait_for_url(f"**{GALLERY}{other.pk}/change/*")


def test_a_row_of_the_list_fills_while_one_looks(visit):
    image = making(status=Status.PROCESSING, progress=20)
    page = visit(GALLERY)
    choose(page, "list")
    expect(page.locator("[data-ideogram-sentence]")).to_have_text(re.compile("is making"))
    finish(image)
    row = page.locator("#result_list tbody tr")
    expect(row.get_by_role("button", name=re.compile("Pick "))).to_be_visible(timeout=9000)
    expect(row.locator("img")).to_be_visible()
    expect(row.locator("[data-ideogram-label]")).to_have_text("Finished")
    expect(row.locator("[data-ideogram-sentence]")).to_have_count(0)


@pytest.mark.parametrize("look", ["grid", "list"])
def test_100_pictures_in_progress_are_one_request(visit, look, monkeypatch):
    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 100)
    cache.clear()
    GeneratedImage.objects.generate_many([{"prompt": "A red bicycle"}] * 100)
    page = visit(GALLERY)
    choose(page, look)
    asked = status_requests(page)
    with page.expect_response(re.compile("/status/")):
        pass
    with page.expect_response(re.compile("/status/")):
        pass
    assert [len(set(ids)) for ids in asked] == [100, 100]


def test_everything_by_reload_without_the_script(visit):
    image = making(status=Status.PROCESSING)
    page = visit(GALLERY, javascript=False)
    expect(page.get_by_text("The provider is making the picture.")).to_be_visible()
    finish(image)
    page.reload()
    choose(page, "list")
    expect(page.locator(".ideogram-cards")).to_have_count(0)
    page.get_by_role("button", name=re.compile("Pick ")).click()
    assert GeneratedImage.objects.get().picked
    expect(page.get_by_role("button", name=re.compile("Picked "))).to_be_visible()
    choose(page, "grid")
    page.get_by_role("button", name=re.compile("Picked ")).click()
    expect(page.get_by_role("button", name=re.compile("Pick "))).to_be_visible()
    page.get_by_text("By alternative text").click()
    page.get_by_role("link", name="Missing", exact=True).click()
    expect(card_of(page, image)).to_be_visible()
    page.get_by_role("link", name=re.compile("No alternative text")).click()
    assert page.url.endswith("#id_alt_text")


def test_the_first_picture_begins_in_the_empty_gallery(visit):
    page = visit(GALLERY)
    page.get_by_role("link", name="Make the first picture").click()
    expect(page.locator("#id_prompt")).to_be_visible()


def every_kind() -> None:
    """Whatever a card can say, with words of the longest sort."""
    SpendingLimit.objects.create(amount=20)
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmütze" * 3
    done(alt_text=long, prompt=long)
    done(decorative=True, picked=True)
    done(prompt="")
    making(status=Status.PROCESSING, progress=40, prompt=long)
    making(status=Status.PENDING)
    making(status=Status.CANCELLED)
    making(status=Status.FAILED, error_code="outcome_unknown", error_detail="x" * 300)


@pytest.mark.parametrize("look", ["grid", "list"])
@pytest.mark.parametrize("width", [320, 390, 640])
def test_a_narrow_screen_scrolls_one_way_only(visit, look, width):
    """320: a phone, or 1280 at 400 %; 640: 1280 at 200 %."""
    every_kind()
    page = visit(GALLERY, width=width, height=800)
    choose(page, look)
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0


@pytest.mark.parametrize("look", ["grid", "list"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_checker_finds_nothing_serious(visit, look, scheme):
    every_kind()
    page = visit(GALLERY, scheme=scheme)
    choose(page, look)
    assert violations(page, axe.Axe(), within="#content") == []


def test_a_calm_page_for_who_asked_for_calm(visit):
    making(status=Status.PROCESSING)
    for calm, name in ((True, "none"), (False, "ideogram-waiting")):
        page = visit(GALLERY, reduced_motion=calm)
        moving = page.locator(".ideogram-shape rect").evaluate(
            "one => getComputedStyle(one).animationName"
        )
        assert moving == name

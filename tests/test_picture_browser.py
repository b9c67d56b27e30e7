"""One picture's page in a real browser: by keyboard alone, in place, without the script."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ideogram_django.budget import ledger
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from tests.accessibility import violations
from tests.test_admin_browser import GALLERY, finish, making
from tests.test_failures import KINDS

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
expect = playwright.expect


pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def page_of(image: GeneratedImage) -> str:
    return f"{GALLERY}{image.pk}/change/"


def failed(code: str, **facts: Any) -> GeneratedImage:
    money, known, _sentence, _steps = KINDS[code]
    image = making(status=Status.FAILED, error_code=code, **{**known, **facts})
    money(image)
    image.refresh_from_db()
    return image


def finished(**facts: Any) -> GeneratedImage:
    image = making(**facts)
    finish(image)
    image.refresh_from_db()
    return image


def press_until(page: Any, key: str, name: str, most: int = 300) -> None:
    """Press a key until the button with this name, or the link to this address, has the focus."""
    for _press in range(most):
        page.keyboard.press(key)
        if name in page.evaluate(
            "() => document.activeElement.getAttribute('href') || "
            "document.activeElement.textContent"
        ):
            return
    raise AssertionError(f"{name} cannot be reached by {key}")


def problems(page: Any) -> list[str]:
    return violations(page, axe.Axe())


def test_from_the_gallery_to_a_second_try_by_keyboard_alone(visit):
    image = failed("provider_busy")
    page = visit(GALLERY)
    press_until(page, "Tab", page_of(image))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{page_of(image)}*")
    press_until(page, "Tab", "Try again · $0.03")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_have_text("The picture is being tried again.")
    expect(page.locator("#ideogram-picture [data-ideogram-label]")).to_have_text("Waiting")
    image.refresh_from_db()
    assert (image.status, image.attempt) == (Status.PENDING, 2)
    assert Charge.objects.count() == 2


def test_a_charged_failure_is_confirmed_by_keyboard(visit):
    image = failed("no_result")
    page = visit(page_of(image))
    press_until(page, "Tab", "Make it again… · $0.03 more")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Make this picture again?")).to_be_visible()
    assert problems(page) == []
    press_until(page, "Tab", "Make it again · $0.03")
    page.keyboard.press("Space")
    page.wait_for_url(f"**{page_of(image)}*")
    image.refresh_from_db()
    assert image.status == Status.PENDING


def test_pick_and_back_in_place_with_the_focus_kept(visit):
    image = finished()
    page = visit(page_of(image))
    page.fill("#id_alt_text", "Half a sentence")
    page.evaluate("window.sameDocument = true")
    button = page.locator("#ideogram-pick-button")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text("★ Picked")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    expect(page.locator(".ideogram-live")).to_have_text("Picked.")
    assert GeneratedImage.objects.get().picked
    page.keyboard.press("Enter")
    expect(button).to_have_text("☆ Pick")
    expect(button).to_be_focused()
    assert not GeneratedImage.objects.get().picked
    assert page.evaluate("window.sameDocument")
    assert page.input_value("#id_alt_text") == "Half a sentence"


def test_a_failure_arrives_with_its_ways_on_while_one_types(visit):
    image = making(status=Status.PROCESSING)
    page = visit(page_of(image))
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    page.fill("#id_alt_text", "Half a sentence")
    GeneratedImage.objects.update(status=Status.FAILED, error_code="refused", job_id="j")
    ledger.release(image.charge)
    side = page.locator("#ideogram-picture")
    link = side.get_by_role("link", name="Edit the prompt and run again")
    expect(link).to_be_visible(timeout=9000)
    expect(side.get_by_role("button")).to_have_count(0)
    expect(side.get_by_text("Nothing was charged.")).to_be_visible()
    assert page.input_value("#id_alt_text") == "Half a sentence"
    link.click()
    assert page.input_value("#id_prompt") == "A red bicycle"


def test_everything_is_there_without_the_script(visit):
    image = failed("too_large")
    page = visit(page_of(image), javascript=False)
    page.get_by_role("button", name="Make it again… · $0.03 more").click()
    page.get_by_role("link", name="No, take me back").click()
    page.get_by_role("button", name="Try again · free").click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    image.refresh_from_db()
    assert image.status == Status.FETCHING
    done = finished()
    page.goto(page.url.replace(page_of(image), page_of(done)))
    page.get_by_role("button", name="Pick", exact=True).click()
    expect(page.get_by_role("button", name="Picked", exact=True)).to_be_visible()
    page.fill("#id_alt_text", "A bicycle")
    page.get_by_role("button", name="Save", exact=True).click()
    done.refresh_from_db()
    assert (done.alt_text, done.picked) == ("A bicycle", True)


def test_what_is_over_the_limit_cannot_be_pressed_and_says_why(visit):
    image = finished()
    SpendingLimit.objects.create(amount="0.05", period="day")
    page = visit(page_of(image))
    button = page.get_by_role("button", name="Finish on Quality · $0.10")
    expect(button).to_be_disabled()
    expect(page.get_by_text("only $0.05 is left today")).to_be_visible()
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["finished", "refused", "not_a_picture", "processing"])
def test_nothing_serious_for_axe_at_a_desk_and_on_a_phone(visit, scheme, kind):
    if kind == "finished":
        image = finished()
        child = finished(parent=image)
        assert child.parent == image
    elif kind == "processing":
        image = making(status=Status.PROCESSING)
    else:
        image = failed(kind, error_detail="x" * 300)
    for width in (1280, 390):
        page = visit(page_of(image), scheme=scheme, width=width, height=800)
        assert problems(page) == []
        wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0


def test_on_a_phone_the_state_comes_before_what_is_asked_for(visit):
    image = failed("refused")
    page = visit(page_of(image), width=390, height=800)
    state, step, form = (
        page.locator(one).bounding_box()["y"]
        for one in (".ideogram-sentence >> nth=0", ".ideogram-steps", ".submit-row")
    )
    assert state < step < form
    assert step < 700  # seen without scrolling
    assert re.search(r"Edit the prompt", page.locator(".ideogram-steps").inner_text())


def test_two_hundred_percent_zoom_needs_no_sideways_scrolling(visit):
    page = visit(page_of(finished()), width=640, height=400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640

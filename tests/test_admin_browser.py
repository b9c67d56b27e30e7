"""The admin in a real browser: what the script does, and that nothing needs it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.statuses import Status

playwright = pytest.importorskip("playwright.sync_api")

GALLERY = "/admin/ideogram_django/generatedimage/"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def making(**facts: Any) -> GeneratedImage:
    image = GeneratedImage.objects.generate("A red bicycle")
    GeneratedImage.objects.filter(pk=image.pk).update(**facts)
    image.refresh_from_db()
    return image


def finish(image: GeneratedImage) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(buffer, "PNG")
    name = image.file.storage.save("a.png", ContentFile(buffer.getvalue()))
    GeneratedImage.objects.filter(pk=image.pk).update(
        status=Status.COMPLETED, file=name, width=64, height=48, progress=100, cost=image.price
    )


def test_the_gallery_brings_itself_up_to_date(visit):
    images = [making(status=Status.PROCESSING, progress=10) for _number in range(3)]
    page = visit(GALLERY)
    asked = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/status/" in request.url else None
    )
    card = page.locator(f'[data-ideogram-image="{images[0].uuid}"]')
    playwright.expect(card.locator("[data-ideogram-label]")).to_have_text("Rendering")
    finish(images[0])
    playwright.expect(card.locator("[data-ideogram-label]")).to_have_text("Finished", timeout=9000)
    playwright.expect(card.locator("[data-ideogram-thumb] img")).to_have_count(1)
    playwright.expect(card.locator("progress")).to_be_hidden()
    playwright.expect(page.locator("[data-ideogram-live]")).to_have_text("A red bicycle: Finished")
    assert len(asked) <= 3
    for image in images:
        assert image.uuid.hex in asked[0]
    for image in images[1:]:
        finish(image)
    playwright.expect(page.get_by_text("Finished", exact=True).nth(3)).to_be_visible(timeout=9000)
    seen = len(asked)
    page.wait_for_timeout(3000)
    assert len(asked) == seen  # nothing is under way any more


def test_the_picture_page_gets_its_buttons_and_keeps_what_was_typed(visit):
    image = making(status=Status.PROCESSING)
    page = visit(f"{GALLERY}{image.pk}/change/")
    page.fill("#id_alt_text", "A bicycle")
    finish(image)
    button = page.get_by_role("button", name="More like this · $0.12")
    playwright.expect(button).to_be_visible(timeout=9000)
    assert page.input_value("#id_alt_text") == "A bicycle"
    button.click()
    page.wait_for_url("**/generatedimage/sheet/*/")
    assert image.children.count() == 4


def test_a_hidden_tab_asks_nothing(visit):
    making(status=Status.PROCESSING)
    page = visit(GALLERY)
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {value: true, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    asked = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/status/" in request.url else None
    )
    page.wait_for_timeout(3500)
    assert asked == []
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {value: false, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(500)
    assert len(asked) == 1


def test_the_button_says_what_will_be_paid(visit):
    page = visit(f"{GALLERY}add/")
    button = page.locator("button[name=_make]")
    playwright.expect(button).to_have_text("Make 4 drafts · $0.12")
    page.check("input[value=ideogram-v4-quality]")
    playwright.expect(button).to_have_text("Make 4 pictures · $0.40")
    page.check("input[name=count][value='1']")
    playwright.expect(button).to_have_text("Make · $0.10")
    page.fill("#id_prompt", "Fox 🦊")
    playwright.expect(page.locator("[data-ideogram-counter]")).to_have_text("6 / 2000")
    playwright.expect(page.locator('input[name=style_type][value="anime"]')).to_be_disabled()
    page.dblclick("button[name=_make]")
    # The second press aborts the first one's page, which wait_for_url() would take for an error.
    playwright.expect(page).to_have_url(re.compile(r"/change/$"))
    assert Charge.objects.count() == 1


def test_everything_works_without_the_script(visit):
    image = making(status=Status.PROCESSING)
    page = visit(f"{GALLERY}add/", javascript=False)
    playwright.expect(page.locator("button[name=_make]")).to_have_text("Make")
    page.fill("#id_prompt", "A blue boat")
    page.click("button[name=_make]")
    assert "/sheet/" in page.url
    assert GeneratedImage.objects.count() == 5
    page.goto(page.url.split("sheet/")[0])
    page.check(f'input[name=_selected_action][value="{image.pk}"]')
    page.select_option("select[name=action]", "make_variations")
    page.click("button[name=index]")
    page.get_by_role("button", name="Make 4 pictures · $0.12").click()
    assert image.children.count() == 4


def test_a_phone_shows_no_sideways_scrolling(visit):
    image = making(status=Status.FAILED, error_code="refused", error_detail="x" * 300)
    for path in (GALLERY, f"{GALLERY}add/", f"{GALLERY}{image.pk}/change/"):
        page = visit(path, width=390)
        wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, path

"""The tags and the fixed places in a real browser, under a policy that allows nothing inline."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import include, path
from PIL import Image

from ideogram_django.drains import loop
from ideogram_django.models import GeneratedImage, Place
from tests import urls
from tests.accessibility import violations
from tests.drain import make_due

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACES = "/admin/ideogram_django/place/"
PAGE = """{% load ideogram %}<!doctype html><html lang="en"><title>A page</title><main>
{% generated_image_for "home-hero" sizes="200px" alt="A harbour" caption="The harbour" %}
{% generated_image waiting data_what="waiting" %}</main></html>"""


def a_page(request: HttpRequest) -> HttpResponse:
    waiting = GeneratedImage.objects.for_display().drafts().get()
    return HttpResponse(Template(PAGE).render(Context({"waiting": waiting})))


urlpatterns = [path("a-page/", a_page), path("", include(urls))]


@pytest.fixture
def hero(settings: Any, tmp_path: Any) -> GeneratedImage:
    """Own work with its copies, as the worker makes them."""
    settings.ROOT_URLCONF = __name__
    settings.MEDIA_ROOT = str(tmp_path)
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "FORMATS": ["webp", "avif"],
        "WIDTHS": [200],
    }
    content = io.BytesIO()
    Image.new("RGB", (800, 400), "#c8553d").save(content, "PNG")
    upload = ContentFile(content.getvalue(), name="a.png")
    image = GeneratedImage.objects.from_upload(upload)
    make_due()
    loop.work(sync=False, linger=0)
    image.refresh_from_db()
    return image


def test_a_page_under_a_strict_policy(visit: Any, hero: GeneratedImage) -> None:
    Place.objects.create(key="home-hero", name="Top of the home page", image=hero)
    GeneratedImage.objects.create(prompt="A lake", aspect_ratio="2:1", parent=hero)

    page = visit("/a-page/")

    picture = page.get_by_role("img", name="A harbour")
    playwright.expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("one => one.naturalWidth") == 200
    assert picture.evaluate("one => one.currentSrc").endswith(".avif")
    playwright.expect(page.get_by_role("figure")).to_contain_text("The harbour")

    placeholder = page.locator("[data-what=waiting]")
    box = placeholder.bounding_box()
    assert abs(box["width"] - 2 * box["height"]) < 2
    color = placeholder.locator("rect").evaluate("one => getComputedStyle(one).fill")
    red, green, blue = (int(part) for part in color[4:-1].split(","))
    assert (abs(red - 0xC8) < 12, abs(green - 0x55) < 12, abs(blue - 0x3D) < 12) == (True,) * 3
    assert_accessible(page)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_places_are_accessible(visit: Any, hero: GeneratedImage, color_scheme: str) -> None:
    full = Place.objects.create(key="home-hero", name="Top of the home page", image=hero)
    Place.objects.create(key="opening-hours", name="Beside the opening hours")
    for address in ("", "add/", f"{full.pk}/change/"):
        page = visit(PLACES + address, scheme=color_scheme)
        assert_accessible(page)


def assert_accessible(page: Any) -> None:
    assert violations(page, axe.Axe()) == []


def test_an_editor_hangs_a_picture(visit: Any, hero: GeneratedImage) -> None:
    page = visit(PLACES)
    page.get_by_role("link", name="Add fixed place").first.click()
    page.get_by_label("Name").fill("Top of the home page")
    page.get_by_label("Key").fill("home-hero")
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(content, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "own.png", "mimeType": "image/png", "buffer": content.getvalue()}
    )
    page.get_by_role("button", name="Save", exact=True).click()
    playwright.expect(page.get_by_role("link", name="Top of the home page").first).to_be_visible()
    image = Place.objects.get(key="home-hero").image
    assert image is not None
    assert image.width == 64

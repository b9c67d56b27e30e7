"""Nobody pays another price than the one that stood on the page: it is pressed once more."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from ideogram_django import lifecycle
from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.statuses import ErrorCode, Status
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text
from tests.test_admin import ADD, draft, form, page, picture, step_url
from tests.test_sheet import fail, press, sheet, sheet_url

pytestmark = pytest.mark.django_db

CHANGED = "The prices have changed since this page was opened. Nothing was spent."


@pytest.fixture
def browser() -> Client:
    return client_of(staff(VIEW, CHANGE, ADDING, SPEND))


@pytest.fixture
def dearer(settings: Any) -> Callable[[], None]:
    def change() -> None:
        settings.IDEOGRAM_DJANGO = {
            **settings.IDEOGRAM_DJANGO,
            "PRICES": {"ideogram-v4-turbo": 4, "ideogram-v4-quality": 20},
        }

    return change


def carried(response: Any, *names: str) -> dict[str, str]:
    found = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.content.decode()))
    return {name: found[name] for name in ("prices", *names)}


def saved_sheet() -> list[GeneratedImage]:
    requests = [{"prompt": "A red bicycle"}] * 3
    return lifecycle.draft_many(GeneratedImage.objects.all(), requests)


def test_the_make_page_asks_again_and_keeps_what_was_typed(browser, dearer):
    shown = carried(browser.get(ADD))
    dearer()
    data = form(**shown, count="4")
    refused = browser.post(ADD, data)
    assert CHANGED in text(refused)
    assert "Make 4 drafts · $0.16" in text(refused)
    assert "A red bicycle</textarea>" in text(refused)
    assert not GeneratedImage.objects.exists()
    assert browser.post(ADD, {**data, **carried(refused)}).status_code == 302
    assert {charge.expected_credits for charge in Charge.objects.all()} == {4}


def test_saving_a_draft_asks_nothing(browser, dearer):
    shown = carried(browser.get(ADD))
    dearer()
    data = {**form(**shown), "_draft": ""}
    del data["_make"]
    assert browser.post(ADD, data).status_code == 302
    assert GeneratedImage.objects.get().status == Status.DRAFT


@pytest.mark.parametrize("step", ["variations", "again:ideogram-v4-quality", "retry"])
def test_a_picture_page_asks_again(browser, dearer, step):
    image = picture()
    if step == "retry":
        fail(image)
    shown = carried(browser.get(page(image)), "request_id", "attempt")
    before = Charge.objects.count()
    dearer()
    answer = browser.post(step_url(image), {"step": step, **shown}, follow=True)
    assert CHANGED in text(answer)
    assert Charge.objects.count() == before
    shown = carried(answer, "request_id", "attempt")
    browser.post(step_url(image), {"step": step, **shown})
    assert Charge.objects.count() > before


def test_the_page_that_asks_about_a_second_charge_asks_again(browser, dearer):
    image = picture()
    GeneratedImage.objects.update(status=Status.FAILED, error_code=ErrorCode.PROVIDER_FAILED)
    question = browser.post(step_url(image), {"step": "retry", "attempt": "1"})
    assert "Make it again · $0.03" in text(question)
    shown = carried(question, "attempt")
    dearer()
    data = {"step": "retry", "confirm": "yes", **shown}
    assert CHANGED in text(browser.post(step_url(image), data, follow=True))
    assert Charge.objects.count() == 1


@pytest.mark.parametrize("step", ["variations", "again", "retry", "generate"])
def test_a_sheet_asks_again(browser, dearer, step):
    images = saved_sheet() if step == "generate" else sheet(3)
    if step == "retry":
        fail(images[0])
    value = {
        "variations": f"variations:{images[1].pk}",
        "again": f"again:{images[1].pk}:ideogram-v4-quality",
    }.get(step, step)
    url = sheet_url(images[0])
    shown = carried(browser.get(url))
    before = Charge.objects.count()
    dearer()
    refused = press(browser, url, value, **shown)
    assert CHANGED in text(refused)
    assert Charge.objects.count() == before
    assert press(browser, url, value, **carried(refused)).status_code == 302


def test_what_costs_nothing_is_not_held_up(browser, dearer):
    image = picture()
    shown = carried(browser.get(page(image)), "request_id")
    dearer()
    browser.post(step_url(image), {"step": "pick", **shown})
    image.refresh_from_db()
    assert image.picked


def test_a_draft_page_asks_again(browser, dearer):
    image = draft()
    shown = carried(browser.get(page(image)), "request_id")
    dearer()
    assert CHANGED in text(browser.post(page(image), form(**shown)))
    assert not Charge.objects.exists()

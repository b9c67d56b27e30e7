"""What a page offers while things change elsewhere: never what cannot be done any more."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ideogram_django.budget import ledger
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import ErrorCode, Status
from tests.magazine.models import Article
from tests.test_admin_browser import GALLERY, finish, making

playwright = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
expect = playwright.expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.magazine.urls"),
]
PATIENCE = 9000
"""Milliseconds until the page must have asked how its pictures stand."""
ASKING = "The provider is being asked whether this was charged."


def move(image: GeneratedImage, status: Status, **facts: Any) -> None:
    GeneratedImage.objects.filter(pk=image.pk).update(status=status, **facts)


def test_what_cannot_be_cancelled_any_more_is_not_offered_any_more(visit: Any) -> None:
    image = making()
    page = visit(f"{GALLERY}{image.pk}/change/")
    page.fill("#id_alt_text", "A bicycle")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()

    move(image, Status.PROCESSING, job_id="job-1", progress=10)
    expect(cancel).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    assert page.input_value("#id_alt_text") == "A bicycle"
    # The button is gone, the place is not.
    assert page.evaluate("document.activeElement.id") == "ideogram-picture"


def test_whether_a_failure_was_charged_is_told_without_loading_the_page_again(visit: Any) -> None:
    image = making(status=Status.FAILED, error_code=ErrorCode.PROVIDER_FAILED, job_id="job-1")
    page = visit(f"{GALLERY}{image.pk}/change/")
    expect(page.get_by_text(ASKING)).to_be_visible()

    ledger.release(image.charge)
    expect(page.get_by_text(ASKING)).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)
    assert asked == []  # now it is over


def test_a_sheet_never_speaks_of_one_picture_as_if_it_were_all(visit: Any) -> None:
    images = GeneratedImage.objects.generate_many([{"prompt": "A red bicycle"}] * 2)
    for image in images:
        move(image, Status.PROCESSING, job_id=f"job-{image.pk}")
    page = visit(f"{GALLERY}sheet/{images[0].batch}/")
    progress = page.locator(".ideogram-sheet-progress")
    expect(progress).to_contain_text("Done: 0 of 2.")

    for image in images:
        move(image, Status.FETCHING)
    expect(page.get_by_text("Saving", exact=True)).to_have_count(2, timeout=PATIENCE)
    assert re.sub(r"\s+", " ", str(progress.text_content())).strip() == "Done: 0 of 2. Look again"
    finish(images[1])
    expect(progress).to_contain_text("Done: 1 of 2.", timeout=PATIENCE)


def test_untick_all_is_there_while_something_is_ticked(visit: Any) -> None:
    images = GeneratedImage.objects.generate_many([{"prompt": "A red bicycle"}] * 2)
    for image in images:
        finish(image)
    page = visit(f"{GALLERY}sheet/{images[0].batch}/")
    untick = page.get_by_role("button", name="Untick all")
    expect(untick).to_be_hidden()
    page.locator("[name=compare]").first.check()
    expect(untick).to_be_visible()

    untick.press("Enter")
    expect(page.locator("[name=compare]").first).not_to_be_checked()
    expect(untick).to_be_focused()  # it goes when the keyboard goes on
    page.keyboard.press("Tab")
    expect(untick).to_be_hidden()


def test_each_action_takes_the_message_of_the_one_before_with_it(visit: Any) -> None:
    images = GeneratedImage.objects.generate_many([{"prompt": "A red bicycle"}] * 2)
    for image in images:
        finish(image)
    page = visit(f"{GALLERY}sheet/{images[0].batch}/")
    page.get_by_role("button", name="Pick this one").click()
    told = page.locator("[data-ideogram-messages] li")
    expect(told).to_have_text("Picture 1 is picked.")
    page.get_by_role("radio", name="Picture 2").check()
    page.get_by_role("button", name="Pick this one").click()
    expect(told).to_have_text("Picture 2 is picked.")
    expect(page.locator("[data-ideogram-live]")).to_have_text("Picture 2 is picked.")
    expect(page.get_by_text("Picture 1 is picked.")).to_have_count(0)


def test_the_dialog_shows_what_the_field_takes(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    relation = Article._meta.get_field("hero").remote_field
    monkeypatch.setattr(relation, "limit_choices_to", {"picked": True})
    plain, picked = making(), making(picked=True)
    for image in (plain, picked):
        finish(image)
    page = visit("/admin/magazine/article/add/")
    page.locator("#id_hero").get_by_role("button", name="Choose from the gallery").click()
    choices = page.locator("[data-ideogram-choice]")
    expect(choices).to_have_count(1)
    choices.click()
    expect(page.locator("#id_hero [data-ideogram-chosen-text]")).to_contain_text("A red bicycle")
    page.fill("#id_title", "Autumn")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/article/")
    assert Article.objects.get().hero == picked

"""The page of a prompt profile in a real browser: in place, without the script, for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ideogram_django.models import GeneratedImage, PromptProfile
from tests.accessibility import faults

if TYPE_CHECKING:
    from tests.browsing import Visit

playwright = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
expect = playwright.expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PROFILES = "/admin/ideogram_django/promptprofile/"
MAKE = "/admin/ideogram_django/generatedimage/add/"


def season() -> PromptProfile:
    profile = PromptProfile.objects.create(name="season", description="The autumn issue")
    profile.revise(prefix="Risograph print.", style_type="DESIGN", aspect_ratio="3:2")
    profile.revise(prefix="Risograph print, two colours.", model="ideogram-v4-balanced")
    return profile


@pytest.mark.parametrize("javascript", [True, False])
def test_a_sample_sheet_is_made_from_the_page_that_it_is_shown_on(
    visit: Visit, javascript: bool
) -> None:
    profile = season()
    page = visit(f"{PROFILES}{profile.pk}/change/", javascript=javascript)
    page.get_by_label("What it is for").fill("Not saved yet")

    page.get_by_role("button", name="Make a sample sheet of 4 pictures · $0.24").click()

    samples = page.locator("#ideogram-samples")
    expect(samples.locator("[data-ideogram-image]")).to_have_count(4)
    expect(samples).to_contain_text("The newest sample sheet of version 2")
    versions = page.locator("#ideogram-versions")
    expect(versions.get_by_role("link", name="4 pictures were made with version 2")).to_be_visible()
    if javascript:
        expect(page.get_by_label("What it is for")).to_have_value("Not saved yet")
        expect(page.locator("#ideogram-sample-button")).to_be_focused()
    assert GeneratedImage.objects.count() == 4


@pytest.mark.parametrize("javascript", [True, False])
def test_a_profile_is_chosen_in_the_form_and_its_price_is_on_the_button(
    visit: Visit, javascript: bool
) -> None:
    season()
    page = visit(MAKE, javascript=javascript)
    page.get_by_label("Prompt", exact=True).fill("A harbour")
    page.get_by_label("Prompt profile").select_option("season")

    page.get_by_role("button", name="Use this profile").press("Enter")

    expect(page.get_by_label("Prompt", exact=True)).to_have_value("A harbour")
    expect(page.get_by_text("The profile puts before it: Risograph print, two")).to_be_visible()
    expect(page.get_by_label("Prompt profile")).to_be_focused()
    fixed = page.get_by_role("group", name="Style", exact=True)
    expect(fixed.get_by_label("Design")).to_be_disabled()
    if javascript:
        page.get_by_role("group", name="How many").get_by_label("2", exact=True).check()
        page.get_by_role("button", name="Make 2 pictures · $0.12").click()
    else:
        page.get_by_role("button", name="Make", exact=True).click()
    expect(page.get_by_text("being made. You may leave this page.")).to_be_visible()
    prompts = set(GeneratedImage.objects.values_list("prompt", "model", "aspect_ratio"))
    assert prompts == {("Risograph print, two colours. A harbour", "ideogram-v4-balanced", "3:2")}


@pytest.mark.parametrize("which", ["profile", "form"])
def test_nothing_stands_in_anybodys_way(visit: Visit, axe: Any, which: str) -> None:
    profile = season()
    if which == "form":
        page = visit(f"{MAKE}?profile=season")
    else:
        page = visit(f"{PROFILES}{profile.pk}/change/")
        page.get_by_role("button", name="Make a sample sheet").click()
        expect(page.locator("#ideogram-samples [data-ideogram-image]")).to_have_count(4)
    assert list(faults(page, axe)) == []

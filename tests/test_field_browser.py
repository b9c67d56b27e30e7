"""The picture field in a real browser: drafts in place, by keyboard, and without the script."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image

from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from tests.accessibility import violations
from tests.magazine.models import Article
from tests.people import person

playwright = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no browser checker: axe")
expect = playwright.expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.magazine.urls"),
]
ADD = "/admin/magazine/article/add/"
PATIENCE = 9000
"""Milliseconds until the page must have asked how its pictures stand."""


def finish(*images: GeneratedImage, colour: str = "navy") -> None:
    for image in images:
        content = io.BytesIO()
        Image.new("RGB", (64, 36), colour).save(content, "PNG")
        name = image.file.storage.save(f"{colour}.png", ContentFile(content.getvalue()))
        GeneratedImage.objects.filter(pk=image.pk).update(
            status=Status.COMPLETED, file=name, width=64, height=36, progress=100
        )


def finished(colour: str = "teal", **columns: Any) -> GeneratedImage:
    image = GeneratedImage.objects.create(
        **{"prompt": f"Something {colour}", "status": "completed", "uploaded": True, **columns}
    )
    finish(image, colour=colour)
    image.refresh_from_db()
    return image


def article_with(image: GeneratedImage | None) -> Article:
    return Article.objects.create(title="Autumn", hero=image)


def change(article: Article) -> str:
    return f"/admin/magazine/article/{article.pk}/change/"


def field(page: Any, name: str = "hero") -> Any:
    return page.locator(f"#id_{name}")


def making(page: Any, name: str = "hero") -> Any:
    """The field, with "Make a new picture" opened."""
    one = field(page, name)
    one.locator("summary").click()
    return one


def newest(count: int) -> list[GeneratedImage]:
    return list(GeneratedImage.objects.order_by("-pk")[:count])[::-1]


def shown(page: Any, article: Article) -> str:
    """The file that the public page shows."""
    page.goto(f"/articles/{article.pk}/")
    return str(page.locator("img.hero").get_attribute("src"))


def test_drafts_in_place_by_keyboard_alone(visit: Any) -> None:
    article = article_with(finished("teal"))
    page = visit(change(article))
    hero = field(page)
    hero.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(hero.get_by_label("Prompt")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("A red bicycle")
    page.keyboard.press("Tab")
    expect(hero.get_by_label("Shape")).to_be_focused()
    page.keyboard.press("Tab")
    button = hero.locator("[data-ideogram-now]")
    expect(button).to_have_text("Make 4 drafts · $0.12")
    page.keyboard.press("3")
    expect(button).to_have_text("Make 3 drafts · $0.09")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")

    radios = hero.get_by_role("radio")
    expect(radios).to_have_count(4)
    expect(hero.get_by_role("radio", name="Draft 1")).to_be_checked()
    expect(button).to_be_focused()
    made = newest(3)
    assert [one.prompt for one in made] == ["A red bicycle"] * 3
    GeneratedImage.objects.filter(pk=made[0].pk).update(status=Status.PROCESSING, progress=40)
    card = hero.locator(f'li[data-ideogram-image="{made[0].uuid}"]')
    expect(card).to_contain_text("The provider is making the picture.", timeout=PATIENCE)
    for image, colour in zip(made, ("red", "green", "blue"), strict=True):
        finish(image, colour=colour)
    expect(hero.locator("li [data-ideogram-thumb] img")).to_have_count(4, timeout=PATIENCE)
    expect(card).to_contain_text("Finished")

    page.keyboard.press("Tab")  # Make on save
    expect(hero.get_by_label("Make on save")).not_to_be_checked()
    page.keyboard.press("Tab")
    expect(hero.get_by_role("radio", name="Draft 1")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(hero.get_by_role("radio", name="Draft 3")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url("**/magazine/article/")

    assert Article.objects.get().hero == made[2]
    assert Charge.objects.count() == 3
    assert "blue" in shown(page, article)


def test_saved_before_it_is_there_the_old_picture_stays_public(visit: Any) -> None:
    article = article_with(finished("teal"))
    page = visit(change(article))
    hero = making(page)
    hero.locator("[data-ideogram-now]").click()
    hero.get_by_role("radio", name="Draft 3").check()
    page.click("[name=_continue]")
    expect(
        hero.get_by_text("Until it is finished, pages show the picture before it.")
    ).to_be_visible()
    expect(hero.get_by_role("radio")).to_have_count(5)  # four drafts and the picture before

    third = newest(4)[2]
    assert Article.objects.get().hero == third
    public = page.context.new_page()
    assert "teal" in shown(public, article)
    finish(third, colour="blue")
    expect(hero.locator("> [data-ideogram-image]")).to_contain_text(
        "The file is in this site’s own storage.", timeout=PATIENCE
    )
    assert "blue" in shown(public, article)

    hero.get_by_role("radio", name="The picture before").check()
    page.click("[name=_continue]")
    expect(hero.get_by_role("radio", name="Newer, not used")).to_be_visible()
    assert "teal" in shown(public, article)


def test_a_new_record_says_what_will_be_sent_and_what_is_empty(visit: Any) -> None:
    page = visit(ADD)
    hero = making(page)
    expect(hero.get_by_text("Still empty in this form: Title")).to_be_visible()
    page.fill("#id_title", "Autumn")
    expect(hero.get_by_text("Will be sent: “Autumn, editorial illustration”")).to_be_visible()
    expect(hero.get_by_text("Still empty in this form:")).to_be_hidden()
    expect(hero.locator("[data-ideogram-counter]")).to_have_text("30 / 2000")
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("radio")).to_have_count(5)
    expect(hero.get_by_role("radio", name="None of these")).not_to_be_checked()
    page.click("[name=_save]")
    page.wait_for_url("**/magazine/article/")

    assert [one.prompt for one in newest(4)] == ["Autumn, editorial illustration"] * 4
    assert Article.objects.get().hero == newest(4)[0]
    assert Charge.objects.count() == 4


def test_an_empty_field_is_not_paid_for(visit: Any) -> None:
    page = visit(ADD)
    hero = making(page)
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("alert")).to_contain_text("“Title”, which is empty")
    assert not Charge.objects.exists()


def test_two_fields_on_a_page_one_of_them_added_by_hand(visit: Any) -> None:
    page = visit(ADD)
    page.fill("#id_title", "Autumn")
    hero = making(page)
    hero.get_by_label("Number of drafts").select_option("2")
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("radio")).to_have_count(3)
    page.get_by_text("Add another Page").click()
    page.fill("#id_pages-0-text", "Leaves")
    picture = making(page, "pages-0-picture")
    picture.get_by_label("Prompt").fill("Yellow leaves")
    picture.get_by_label("Number of drafts").select_option("3")
    expect(picture.locator("[data-ideogram-now]")).to_have_text("Make 3 drafts · $0.09")
    picture.locator("[data-ideogram-now]").click()
    expect(picture.get_by_role("radio")).to_have_count(4)
    expect(hero.get_by_role("radio")).to_have_count(3)
    hero.get_by_role("radio", name="Draft 2").check()
    picture.get_by_role("radio", name="Draft 3").check()
    expect(hero.get_by_role("radio", name="Draft 2")).to_be_checked()
    page.click("[name=_save]")
    page.wait_for_url("**/magazine/article/")

    article = Article.objects.get()
    assert article.hero is not None
    assert article.hero.request_number == 1
    assert article.pages.get().picture == newest(1)[0]
    assert article.pages.get().picture.prompt == "Yellow leaves"
    assert Charge.objects.count() == 5


def test_a_public_form(visit: Any) -> None:
    user: User = person("writer", "generate_generatedimage")
    page = visit("/articles/new/", user=user)
    page.fill("#id_title", "Autumn")
    hero = making(page)
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("radio")).to_have_count(5)
    made = newest(4)
    finish(made[2], colour="blue")  # who may not view all pictures asks with a token
    expect(hero.locator("li img")).to_have_count(1, timeout=PATIENCE)
    hero.get_by_role("radio", name="Draft 3").check()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/articles/*/")

    assert Article.objects.get().hero == made[2]
    assert "blue" in str(page.locator("img.hero").get_attribute("src"))


def test_over_the_limit_is_said_in_place_and_nothing_typed_is_lost(visit: Any) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    page = visit(change(article_with(None)))
    hero = making(page)
    hero.get_by_label("Prompt").fill("A red bicycle")
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("alert")).to_contain_text("only $0.10 is left")
    expect(hero.get_by_label("Prompt")).to_have_value("A red bicycle")
    assert not Charge.objects.exists()
    hero.get_by_label("Number of drafts").select_option("3")
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("radio")).to_have_count(4)
    expect(hero.get_by_role("alert")).to_have_count(0)


def test_the_last_choice_holds(visit: Any) -> None:
    other = finished("teal")
    page = visit(ADD)
    page.fill("#id_title", "Autumn")
    hero = making(page)
    hero.get_by_label("Number of drafts").select_option("2")
    hero.locator("[data-ideogram-now]").click()
    expect(hero.get_by_role("radio", name="Draft 1")).to_be_checked()
    hero.get_by_role("button", name="Choose from the gallery").click()
    page.get_by_role("dialog").get_by_label("Search").fill("teal")
    page.get_by_role("dialog").get_by_role("button", name="Something teal").click()
    expect(hero.get_by_role("radio", name="None of these")).to_be_checked()
    page.click("[name=_save]")
    page.wait_for_url("**/magazine/article/")

    assert Article.objects.get().hero == other


def test_everything_works_without_the_script(visit: Any) -> None:
    page = visit(ADD, javascript=False)
    page.fill("#id_title", "Autumn")
    hero = making(page)
    expect(hero.locator("[data-ideogram-now]")).to_be_hidden()
    hero.get_by_label("Number of drafts").select_option("3")
    hero.get_by_label("Make on save · $0.03 each").check()
    hero.get_by_label("Alternative text").fill("Leaves in a yard")
    page.click("[name=_save]")

    article = Article.objects.get()
    made = newest(3)
    assert article.hero == made[0]
    assert [one.prompt for one in made] == ["Autumn, editorial illustration"] * 3
    for image, colour in zip(made, ("red", "green", "blue"), strict=True):
        finish(image, colour=colour)
    page.goto(change(article))
    hero.get_by_role("radio", name="Draft 3").check()
    page.click("[name=_save]")
    assert "blue" in shown(page, article)
    assert Article.objects.get().hero == made[2]
    assert Article.objects.get().hero.alt_text == "Leaves in a yard"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_to_complain_about(visit: Any, scheme: str) -> None:
    made = GeneratedImage.objects.generate_many([{"prompt": "A cat"}] * 4)
    GeneratedImage.objects.filter(pk=made[1].pk).update(
        status=Status.FAILED, error_code="refused", progress=None
    )
    finish(made[2])
    page = visit(change(article_with(made[1])), scheme=scheme, width=390)
    making(page)
    assert violations(page, axe.Axe(), within="#id_hero") == []
    size = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(size) <= 0


def test_who_went_on_to_another_input_stays_there_when_the_drafts_come(visit: Any) -> None:
    page = visit(change(article_with(None)))
    held: list[Any] = []
    page.route("**/make/", lambda route: held.append(route))
    hero = making(page)
    with page.expect_request("**/make/"):
        hero.locator("[data-ideogram-now]").click()
    page.get_by_label("Body").focus()
    page.keyboard.type("Meanwhile ")
    held[0].continue_()
    expect(hero.get_by_role("radio", name="Draft 1")).to_be_checked()
    expect(hero.locator("[data-ideogram-now]")).to_be_enabled()
    expect(page.get_by_label("Body")).to_be_focused()

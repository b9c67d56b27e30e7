"""Making pictures in a real browser: by keyboard, by mouse, on a phone, without the script."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from tests.accessibility import violations
from tests.pictures import png

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = "/admin/ideogram_django/generatedimage/add/"
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
OUTSIDE = """
[...document.querySelectorAll(".ideogram-make :is(input, textarea, select, button, label, svg)")]
    .filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width && (box.left < 0 || box.right > innerWidth + 1);
    })
    .map((one) => one.outerHTML.slice(0, 120))
"""


def finished(prompt: str) -> GeneratedImage:
    image = GeneratedImage.objects.generate(prompt)
    name = image.file.storage.save("a.png", ContentFile(png()))
    GeneratedImage.objects.filter(pk=image.pk).update(
        status=Status.COMPLETED, file=name, width=64, height=48
    )
    image.refresh_from_db()
    return image


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.png"
    path.write_bytes(png("teal"))
    return path


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Any) -> str:
    """The name and value of the control that has the focus."""
    return page.evaluate(
        "(() => { const one = document.activeElement;"
        " return `${one.name || one.localName}=${one.value || ''}`; })()"
    )


def tab_to(page: Any, wanted: str, most: int = 40) -> None:
    for _press in range(most):
        if focused(page).startswith(wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} was not reached, focus is on {focused(page)}")


def make_button(page: Any) -> Any:
    return page.locator("button[name=_make]")


def opened(page: Any, heading: str) -> None:
    page.locator("summary", has_text=heading).click()


# --- by keyboard --------------------------------------------------------------------------------


def test_pictures_are_made_by_keyboard_alone(visit):
    page = visit(ADD)
    assert focused(page) == "prompt="  # where one begins to type
    page.keyboard.type('A poster that says "Open late"')
    tab_to(page, "model=ideogram-v4-turbo")
    press(page, "ArrowRight")
    assert focused(page) == "model=ideogram-v4-balanced"
    expect(make_button(page)).to_have_text("Make 4 pictures · $0.24")
    tab_to(page, "style_type=")
    press(page, "ArrowRight")
    tab_to(page, "aspect_ratio=")
    press(page, "ArrowRight", "ArrowRight")
    tab_to(page, "count=4")
    press(page, "ArrowLeft", "ArrowLeft")
    expect(make_button(page)).to_have_text("Make 2 pictures · $0.12")
    tab_to(page, "_make=")
    press(page, "Enter")
    expect(page.locator(".messagelist")).to_contain_text("2 pictures are being made.")
    first, second = GeneratedImage.objects.all()
    assert first.batch == second.batch
    assert (first.prompt, first.model) == (
        'A poster that says "Open late"',
        "ideogram-v4-balanced",
    )
    assert first.parameters == {"style_type": "DESIGN", "aspect_ratio": "16:9"}


def test_every_control_is_reached_by_tab(visit):
    page = visit(ADD)
    opened(page, "Reference pictures")
    opened(page, "Advanced")
    page.focus("#id_prompt")
    seen = []
    for _press in range(60):
        seen.append(focused(page))
        if seen[-1].startswith("_draft="):
            break
        press(page, "Tab")
    names = [one.split("=")[0] for one in seen]
    wanted = ["prompt", "model", "style_type", "aspect_ratio", "count", "negative_prompt"]
    wanted += ["reference_image-upload", "reference_image-address", "style_reference_3-address"]
    wanted += ["seed", "style_preset", "resolution", "rendering_speed", "_make", "_draft"]
    assert [name for name in wanted if name not in names] == []
    assert "reference_image" not in names  # the box for ids is not needed beside the dialog


def test_a_chosen_radio_is_seen_to_have_the_focus(visit):
    page = visit(ADD)
    page.focus("#id_prompt")
    for name in ("model", "style_type", "aspect_ratio", "count"):
        tab_to(page, f"{name}=")
        press(page, "ArrowRight")
        outline = page.locator(f"label:has(input[name={name}]:checked)").evaluate(
            "one => getComputedStyle(one).outlineStyle"
        )
        assert outline == "solid", name


# --- prices and hints follow what is chosen -----------------------------------------------------


def test_the_price_follows_model_count_and_speed(visit, settings):
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "PRICES": {"ideogram-v4-turbo": {"default": 3, "turbo": 2, "quality": 5}},
    }
    page = visit(ADD)
    button = make_button(page)
    expect(button).to_have_text("Make 4 drafts · $0.12")
    page.get_by_label("7", exact=True).check()
    expect(button).to_have_text("Make 7 drafts · $0.21")
    opened(page, "Advanced")
    page.select_option("[name=rendering_speed]", "quality")
    expect(button).to_have_text("Make 7 drafts · $0.35")
    page.get_by_role("radio", name=re.compile("^Quality")).check()
    expect(button).to_have_text("Make 7 pictures · $0.70")
    page.get_by_label("1", exact=True).check()
    expect(button).to_have_text("Make · $0.10")
    expect(page.get_by_text("The price beside the model is charged")).to_be_hidden()


def test_shapes_styles_and_notes_follow_the_model(visit):
    page = visit(ADD)
    shapes = page.locator("label.ideogram-shape")
    opened(page, "More shapes")
    wide = shapes.filter(has_text="3:1")
    expect(wide).to_be_hidden()
    expect(shapes.filter(has_text="16:9")).to_contain_text("2560 × 1440")
    expect(shapes.filter(has_text="16:9").get_by_text("2560 × 1440")).to_be_visible()
    opened(page, "Other models")
    page.get_by_role("radio", name=re.compile("Ideogram v3 Turbo")).check()
    expect(wide).to_be_visible()
    expect(shapes.filter(has_text="16:9").get_by_text("2560 × 1440")).to_be_hidden()
    opened(page, "Reference pictures")
    expect(page.get_by_text("Ideogram v3 does not take this.")).to_be_visible()
    expect(page.locator("#id_seed_helptext", has_text="Ideogram v4")).to_be_hidden()
    page.get_by_role("radio", name=re.compile("^Draft")).check()
    expect(wide).to_be_hidden()


def test_long_lettering_is_warned_of_gently(visit):
    page = visit(ADD)
    hint = page.get_by_text("The words in quotation marks are long.")
    page.fill("#id_prompt", f"A sign: “{'a' * 30}” and “short”")
    expect(hint).to_be_hidden()
    page.fill("#id_prompt", f"A sign: “{'a' * 31}” and “short”")
    expect(hint).to_be_visible()
    expect(page.locator("[data-ideogram-counter]")).to_have_text("53 / 2000")


# --- reference pictures -------------------------------------------------------------------------


def test_a_reference_is_chosen_in_the_dialog_by_keyboard(visit):
    finished("A yellow tram")
    boat = finished("A blue boat")
    page = visit(ADD)
    page.fill("#id_prompt", "The same boat at night")
    opened(page, "Reference pictures")
    opener = page.get_by_role("button", name="Choose from the gallery Reference picture")
    opener.focus()
    press(page, "Enter")
    search = page.get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()
    page.keyboard.type("boat")
    expect(page.locator("[data-ideogram-choice]")).to_have_count(1)
    press(page, "Tab", "Tab")
    press(page, "Enter")
    expect(opener).to_be_focused()
    slot = page.locator("#id_reference_image")
    expect(slot.get_by_text("Used as a reference: A blue boat")).to_be_visible()
    expect(slot.locator("img")).to_be_visible()
    page.get_by_label("1", exact=True).check()
    make_button(page).click()
    expect(page).to_have_url(re.compile(r"/change/$"))
    assert GeneratedImage.objects.first().reference_image == f"picture:{boat.uuid}"


def test_a_chosen_reference_is_taken_back(visit):
    boat = finished("A blue boat")
    page = visit(f"{ADD}?reference_image={boat.uuid}")
    slot = page.locator("#id_reference_image")
    expect(slot.get_by_text("Used as a reference: A blue boat")).to_be_visible()
    slot.get_by_role("button", name="Do not use it").click()
    expect(slot.get_by_text("Used as a reference: A blue boat")).to_be_hidden()
    expect(slot.get_by_role("button", name="Choose from the gallery")).to_be_focused()
    page.fill("#id_prompt", "A fox")
    page.get_by_label("1", exact=True).check()
    make_button(page).click()
    expect(page).to_have_url(re.compile(r"/change/$"))
    assert GeneratedImage.objects.first().reference_image == ""


def test_a_file_takes_the_place_of_what_was_chosen_and_becomes_the_reference(
    visit,
    file,
):
    boat = finished("A blue boat")
    page = visit(f"{ADD}?reference_image={boat.uuid}")
    page.fill("#id_prompt", "A fox")
    page.set_input_files("#id_reference_image_upload", file)
    expect(page.get_by_text("Used as a reference: A blue boat")).to_be_hidden()
    page.get_by_label("1", exact=True).check()
    make_button(page).click()
    expect(page).to_have_url(re.compile(r"/change/$"))
    own = GeneratedImage.objects.get(uploaded=True)
    with own.file.open() as stored:
        assert stored.read() == file.read_bytes()
    assert GeneratedImage.objects.get(prompt="A fox").reference_image == f"picture:{own.uuid}"


# --- nothing is lost ----------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_everything_stays_after_an_error(visit, file, script):
    page = visit(ADD, javascript=script)
    page.fill("#id_prompt", "A fox\n\nin the snow")
    page.check("input[name=model][value=ideogram-v4-quality]")
    page.check("input[name=style_type][value=realistic]")
    page.check("input[name=aspect_ratio][value='9:16']")
    page.check("input[name=count][value='3']")
    opened(page, "Reference pictures")
    page.set_input_files("#id_style_reference_1_upload", file)
    page.fill("#id_style_reference_2_address", "https://a.example/1.png")
    opened(page, "Advanced")
    page.fill("#id_negative_prompt", "rain")
    page.fill("#id_seed", "many")
    page.fill("#id_style_preset", "Bauhaus")
    make_button(page).click()
    summary = page.locator(".ideogram-problems")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Seed").click()
    expect(page.locator("#id_seed")).to_be_focused()
    assert page.input_value("#id_seed") == "many"
    expect(page.get_by_text("Used as a reference: Uploaded picture")).to_be_visible()
    expect(page.locator("#id_style_reference_1 img")).to_be_visible()
    page.fill("#id_seed", "7")
    make_button(page).click()
    expect(page.locator(".messagelist")).to_contain_text("3 pictures are being made.")
    own = GeneratedImage.objects.get(uploaded=True)
    made = GeneratedImage.objects.filter(uploaded=False)
    assert len(made) == 3
    assert (made[0].prompt, made[0].model) == ("A fox\n\nin the snow", "ideogram-v4-quality")
    assert made[0].parameters == {
        "style_type": "REALISTIC",
        "aspect_ratio": "9:16",
        "negative_prompt": "rain",
        "seed": 7,
        "style_preset": "Bauhaus",
        "style_reference_images": [f"picture:{own.uuid}", "https://a.example/1.png"],
    }


def test_going_back_finds_everything_typed(visit):
    page = visit(ADD)
    page.fill("#id_prompt", "A fox")
    page.check("input[name=aspect_ratio][value='9:16']")
    page.check("input[name=count][value='2']")
    make_button(page).click()
    expect(page.locator(".messagelist")).to_contain_text("2 pictures are being made.")
    page.go_back()
    expect(page.locator("#id_prompt")).to_have_value("A fox")
    expect(page.locator("input[name=aspect_ratio][value='9:16']")).to_be_checked()
    expect(make_button(page)).to_have_text("Make 2 drafts · $0.06")


def test_over_the_limit_the_way_out_stands_beside_the_button(visit):
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    page = visit(ADD)
    page.fill("#id_prompt", "A fox")
    make_button(page).click()
    expect(page.locator(".ideogram-problems")).to_be_focused()
    expect(page.locator("#ideogram-refusal")).to_contain_text("enough for 3 pictures")
    expect(page.locator("#id_prompt")).to_have_value("A fox")
    page.get_by_label("3", exact=True).check()
    make_button(page).click()
    expect(page.locator(".messagelist")).to_contain_text("3 pictures are being made.")
    assert Charge.objects.count() == 3


# --- everyone -----------------------------------------------------------------------------------


def test_without_the_script_an_upload_and_an_id_are_references(visit, file):
    boat = finished("A blue boat")
    page = visit(ADD, javascript=False)
    expect(make_button(page)).to_have_text("Make")
    expect(page.get_by_text("The price beside the model is charged")).to_be_visible()
    page.fill("#id_prompt", "A fox")
    page.check("input[name=count][value='1']")
    opened(page, "Reference pictures")
    page.set_input_files("#id_reference_image_upload", file)
    page.fill("#id_style_reference_1_own", str(boat.pk))
    make_button(page).click()
    expect(page).to_have_url(re.compile(r"/change/$"))
    own = GeneratedImage.objects.get(uploaded=True)
    assert GeneratedImage.objects.get(prompt="A fox").parameters == {
        "reference_image": f"picture:{own.uuid}",
        "style_reference_images": [f"picture:{boat.uuid}"],
    }


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_runs_out_of_the_page(visit, settings, language):
    settings.LANGUAGE_CODE = language
    page = visit(f"{ADD}?aspect_ratio=5:12&seed=1")
    page.evaluate(OPEN_ALL)
    for width in (320, 390, 640, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") <= 0
        assert page.evaluate(OUTSIDE) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, axe, scheme):
    boat = finished("A blue boat")
    page = visit(f"{ADD}?seed=1&style_reference_1={boat.uuid}", scheme=scheme)
    for step in ("fresh", "with errors"):
        page.evaluate(OPEN_ALL)
        assert violations(page, axe, within=".ideogram-make") == [], step
        page.fill("#id_seed", "x")
        page.fill("#id_style_reference_2_address", "http://a.example")
        make_button(page).click()
        expect(page.locator(".ideogram-problems")).to_be_focused()


def test_what_is_chosen_is_seen_in_forced_colours(visit):
    page = visit(ADD, forced_colors=True)
    for name in ("model", "style_type", "aspect_ratio", "count"):
        labels = page.locator(f"label:has(input[name={name}])")
        styles = labels.evaluate_all(
            "all => all.map((one) => [one.querySelector('input').checked,"
            " getComputedStyle(one).outlineStyle])"
        )
        assert sorted(set(map(tuple, styles))) == [(False, "none"), (True, "solid")], name

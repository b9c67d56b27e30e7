"""The contact sheet as a person uses it: by keyboard, while it fills, without the script."""

from __future__ import annotations

import io
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from tests.accessibility import violations
from tests.test_admin_browser import GALLERY

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
expect = playwright.expect


pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

COLOURS = ("navy", "teal", "olive", "maroon", "purple", "gray", "green", "black")


def sheet(count: int = 4, *, done: bool = True, **request: Any) -> list[GeneratedImage]:
    options = {"prompt": "A red bicycle", "aspect_ratio": "16:9", **request}
    images = GeneratedImage.objects.generate_many([options] * count, request_id=uuid.uuid4())
    for place, image in enumerate(images):
        if done:
            finish(image, COLOURS[place % len(COLOURS)])
    return images


def finish(image: GeneratedImage, colour: str = "navy") -> None:
    """The picture in the size that the provider makes, and a smaller width of it."""
    renditions = []
    for width, name in ((320, "small"), (1312, "original")):
        buffer = io.BytesIO()
        Image.new("RGB", (width, width * 9 // 16), colour).save(buffer, "PNG")
        stored = image.file.storage.save(f"{name}.png", ContentFile(buffer.getvalue()))
        renditions.append({"name": stored, "width": width})
    GeneratedImage.objects.filter(pk=image.pk).update(
        status=Status.COMPLETED,
        file=renditions[1]["name"],
        renditions=renditions[:1],
        width=1312,
        height=738,
        progress=100,
        cost=image.price,
    )


def sheet_url(image: GeneratedImage) -> str:
    return f"{GALLERY}sheet/{image.batch}/"


def picked(images: list[GeneratedImage]) -> list[int]:
    keys = set(GeneratedImage.objects.filter(picked=True).values_list("pk", flat=True))
    return [place for place, image in enumerate(images, 1) if image.pk in keys]


def focused(page: Any) -> str:
    return str(
        page.evaluate(
            """() => {
                const one = document.activeElement;
                return `${one.name || ""}=${one.value || ""} ${one.textContent.trim()}`.trim();
            }"""
        )
    )


def tab_to(page: Any, text: str) -> None:
    """Press Tab until the control with this text has the focus, as a person would."""
    for _press in range(60):
        if text in focused(page):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {text!r}")


def stage(page: Any) -> Any:
    return page.locator("#ideogram-sheet-stage img").locator("visible=true")


def test_choose_pick_and_finish_by_keyboard_alone(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))
    page.evaluate("window.stayed = true")
    tab_to(page, f"picture={images[0].pk}")
    expect(stage(page)).to_have_count(1)
    before = stage(page).get_attribute("src")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page) == f"picture={images[2].pk}"
    expect(stage(page)).to_have_count(1)
    assert stage(page).get_attribute("src") != before
    expect(page.get_by_role("heading", name="Picture 3", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".ideogram-n-3")).to_contain_text("Picked")
    assert picked(images) == [3]
    # In place: nothing was loaded again, and the focus is where it was.
    assert page.evaluate("window.stayed")
    assert urlsplit(page.url).path == sheet_url(images[0])
    assert focused(page) == f"picture={images[2].pk}"
    expect(page.locator("[data-ideogram-live]")).to_have_text("Picture 3 is picked.")
    tab_to(page, "Finish on Quality · $0.10")
    page.keyboard.press("Enter")
    finals = page.locator("#ideogram-sheet-finals li")
    expect(finals).to_have_count(1)
    expect(finals).to_contain_text("Ideogram v4 Quality from picture 3")
    expect(page.get_by_role("link", name="1 final from this picture")).to_be_visible()
    assert "Finish on Quality · $0.10" in focused(page)
    final = images[2].children.get()
    assert final.model == "ideogram-v4-quality"
    finish(final)
    expect(finals.get_by_text("Finished", exact=True)).to_be_visible(timeout=9000)
    expect(finals.locator("img")).to_have_count(1)
    expect(page.locator(f"[name=picture][value='{images[2].pk}']")).to_be_checked()


def test_take_back_keeps_the_place(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))
    page.locator(".ideogram-n-1").click()
    page.get_by_role("button", name="Pick this one").click()
    expect(page.get_by_role("button", name="Take back")).to_be_focused()
    page.locator(".ideogram-n-4 label").first.click()
    page.get_by_role("button", name="Pick this one").click()
    expect(page.locator(".ideogram-n-4")).to_contain_text("Picked")
    assert picked(images) == [4]
    page.keyboard.press("Enter")  # on "Take back", which has the focus by now
    expect(page.locator(".ideogram-n-1")).to_contain_text("Picked")
    assert picked(images) == [1]
    expect(page.get_by_role("button", name="Pick this one")).to_be_focused()
    expect(page.get_by_role("heading", name="Picture 4", exact=True)).to_be_visible()


def test_the_sheet_fills_while_it_is_looked_at_and_nothing_jumps(visit):
    images = sheet(done=False)
    GeneratedImage.objects.update(status=Status.PROCESSING, progress=20)
    page = visit(sheet_url(images[0]))
    expect(page.locator("#ideogram-sheet-cards progress")).to_have_count(4)
    expect(page.locator("[name=picture]")).to_have_count(0)

    def boxes() -> list[Any]:
        places = [page.locator(f".ideogram-n-{number}").bounding_box() for number in (1, 2, 3, 4)]
        return [[round(box[side]) for side in ("x", "y", "width", "height")] for box in places]

    before = boxes()
    large = page.locator("#ideogram-sheet-stage .ideogram-frame").locator("visible=true")
    size = large.bounding_box()
    small = page.locator(".ideogram-n-1 .ideogram-frame").bounding_box()
    assert abs(small["height"] / small["width"] - 9 / 16) < 0.02
    finish(images[1])
    expect(page.locator("[name=picture]")).to_have_count(1, timeout=9000)
    expect(page.locator("[data-ideogram-live]")).to_have_text("Picture 2: Finished")
    expect(page.locator("[name=picture]")).to_be_checked()
    expect(page.get_by_text("Done: 1 of 4.")).to_be_visible()
    expect(stage(page)).to_have_count(1)
    assert boxes() == before
    assert abs(large.bounding_box()["height"] - size["height"]) <= 1
    # What is chosen by hand stays chosen while others arrive.
    finish(images[2])
    expect(page.locator("[name=picture]")).to_have_count(2, timeout=9000)
    page.locator("[name=picture]").nth(1).check()
    GeneratedImage.objects.filter(pk=images[0].pk).update(
        status=Status.FAILED, error_code="provider_busy"
    )
    finish(images[3])
    expect(page.locator("[name=picture]")).to_have_count(3, timeout=9000)
    expect(page.locator(f"[name=picture][value='{images[2].pk}']")).to_be_checked()
    expect(page.locator(".ideogram-n-1")).to_contain_text("The provider had no room")
    expect(page.get_by_text("Done: 4 of 4.")).to_be_visible()


def test_two_are_compared_large_side_by_side(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))

    def boxes() -> list[Any]:
        found = [page.locator(f".ideogram-n-{number}").bounding_box() for number in (1, 2, 3, 4)]
        return [{side: round(box[side]) for side in box} for box in found]

    before = boxes()
    tick = page.get_by_role("checkbox")
    tick.nth(1).check()
    assert boxes() == before  # one is not compared with anything
    tick.nth(3).focus()
    page.keyboard.press("Space")
    first, second, third, fourth = boxes()
    assert second["y"] == fourth["y"] < first["y"] == third["y"]
    assert second["width"] == fourth["width"] > 1.5 * before[1]["width"] > 1.5 * third["width"]
    expect(stage(page)).to_have_count(0)
    picture = page.locator(".ideogram-n-4 img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => document.querySelector('.ideogram-n-4 img').currentSrc.includes('original')"
    )
    # Comparing and choosing go together.
    page.locator(".ideogram-n-4 label").first.click()
    page.get_by_role("button", name="Pick this one").click()
    expect(page.locator(".ideogram-n-4")).to_contain_text("Picked")
    assert picked(images) == [4]
    assert boxes()[1]["width"] == second["width"]
    page.get_by_role("button", name="Untick all").click()
    expect(page.get_by_role("button", name="Untick all")).to_be_focused()
    expect(tick.nth(3)).not_to_be_checked()
    expect(stage(page)).to_have_count(1)


def test_more_like_this_opens_a_sheet_of_its_own(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))
    page.get_by_role("button", name="More like this · $0.12").dblclick()
    expect(page.get_by_text("Done: 0 of 4.")).to_be_visible()
    assert images[0].children.count() == 4
    assert sheet_url(images[0].children.first()) in page.url
    page.go_back()
    page.get_by_role("button", name="More like this · $0.12").click()
    expect(page.get_by_text("Done: 0 of 4.")).to_be_visible()
    assert images[0].children.count() in (4, 8)  # 8 only where Back loads the page afresh


def test_a_double_click_on_finish_pays_once(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))
    page.get_by_role("button", name="Finish on Balanced · $0.06").dblclick()
    expect(page.locator("#ideogram-sheet-finals li")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert Charge.objects.count() == 5


def test_over_the_limit_is_said_beside_the_button(visit):
    images = sheet()
    page = visit(sheet_url(images[0]))
    SpendingLimit.objects.create(amount="0.01")
    page.get_by_role("button", name="Finish on Balanced · $0.06").click()
    told = page.locator("#ideogram-sheet-actions [role=alert]")
    expect(told).to_contain_text("but only $0.01 is left this month for this site.")
    assert Charge.objects.count() == 4


def test_the_whole_way_without_the_script(visit):
    images = sheet(done=False)
    page = visit(sheet_url(images[0]), javascript=False)
    for place, image in enumerate(images):
        finish(image, COLOURS[place])
    page.get_by_role("link", name="Look again").click()
    page.locator("[name=picture]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Picture 2 is picked.")
    assert picked(images) == [2]
    page.locator(".ideogram-n-3 label").first.click()
    page.get_by_role("button", name="Pick this one").click()
    assert picked(images) == [3]
    page.get_by_role("button", name="Take back").click()
    assert picked(images) == [2]
    expect(page.get_by_role("heading", name="Picture 3", exact=True)).to_be_visible()
    page.get_by_role("button", name="Finish on Quality · $0.10").click()
    expect(page.locator("#ideogram-sheet-finals li")).to_have_count(1)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("checkbox").last.check()
    expect(stage(page)).to_have_count(0)
    assert Charge.objects.count() == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("compare", [False, True])
def test_axe_finds_nothing(visit, scheme, compare):
    images = sheet()
    GeneratedImage.objects.filter(pk=images[2].pk).update(status=Status.PROCESSING, file="")
    GeneratedImage.objects.filter(pk=images[3].pk).update(
        status=Status.FAILED, error_code="refused", file=""
    )
    images[0].rerender(model="ideogram-v4-quality")
    GeneratedImage.objects.filter(pk=images[1].pk).update(picked=True)
    page = visit(sheet_url(images[0]), scheme=scheme)
    if compare:
        for tick in page.get_by_role("checkbox").all():
            tick.check()
    assert violations(page, axe.Axe(), within="#content") == []


@pytest.mark.parametrize("shape", ["16:9", "9:16", "1:1"])
@pytest.mark.parametrize("width", [320, 390, 640])
def test_small_screens_never_scroll_sideways(visit, shape, width):
    images = sheet(8, aspect_ratio=shape)
    images[0].rerender(model="ideogram-v4-quality")
    page = visit(sheet_url(images[0]), width=width, height=700)
    wide = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    for tick in page.get_by_role("checkbox").all()[:3]:
        tick.check()
    assert page.evaluate(wide) <= 0


def test_the_chosen_one_is_seen_in_forced_colours_and_nothing_moves(visit):
    images = sheet(3)
    GeneratedImage.objects.filter(pk=images[2].pk).update(
        status=Status.PROCESSING, file="", renditions=[]
    )
    page = visit(sheet_url(images[0]), forced_colors=True, reduced_motion=True)
    outline = "one => getComputedStyle(one).outlineStyle"
    assert page.locator(".ideogram-n-1").evaluate(outline) == "solid"
    assert page.locator(".ideogram-n-2").evaluate(outline) == "none"
    assert page.evaluate("document.getAnimations().length") == 0

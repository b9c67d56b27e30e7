"""Every page for everyone: eyes, ears and hands of all kinds, wide and narrow, left and right.

One test per page. It opens the page once as most people see it, and then looks at that same page
as others do: in the dark, at 200 % and at 400 % zoom, with the system's high contrast, without
motion; and once more from right to left. All that is wrong is told together.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image

from ideogram_django import lifecycle
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    Place,
    PromptProfile,
    ProviderState,
    SpendingLimit,
)
from ideogram_django.statuses import Period, Status
from tests.accessibility import COVERED, MIXED_UP, OUTSIDE, faults
from tests.browsing import Visit
from tests.magazine.models import Article, Author
from tests.magazine.models import Page as Leaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.magazine.urls"),
]

ADMIN = "/admin/ideogram_django/"
GALLERY = f"{ADMIN}generatedimage/"
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmütze" * 2
PROMPT = f'A poster that says "Open late", for the {LONG_WORD}, in the style of a woodcut'


# --- the pages ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """One page: what is in the database, its address, and what a person does there first."""

    name: str
    prepare: Callable[[], str]
    reach: Callable[[Page], Any] | None = None
    user: Callable[[], User | None] | None = None


SCREENS: list[Screen] = []


def screen(
    name: str,
    *,
    reach: Callable[[Page], Any] | None = None,
    user: Callable[[], User | None] | None = None,
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """The decorated function fills the database and returns the address of the page."""

    def note(prepare: Callable[[], str]) -> Callable[[], str]:
        SCREENS.append(Screen(name, prepare, reach, user))
        return prepare

    return note


def picture(status: Status = Status.COMPLETED, **facts: Any) -> GeneratedImage:
    image = GeneratedImage.objects.generate(facts.pop("prompt", PROMPT))
    if status == Status.COMPLETED:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 48), "navy").save(buffer, "PNG")
        name = image.file.storage.save("a.png", ContentFile(buffer.getvalue()))
        facts = {"file": name, "width": 64, "height": 48, "cost": image.price, **facts}
    GeneratedImage.objects.filter(pk=image.pk).update(status=status, **facts)
    image.refresh_from_db()
    return image


def failed(**facts: Any) -> GeneratedImage:
    return picture(Status.FAILED, error_code="refused", error_detail=LONG_WORD * 4, **facts)


def one_of_each() -> list[GeneratedImage]:
    """A picture in every state."""
    return [
        picture(picked=True, alt_text="A poster"),
        picture(requested_by=User.objects.create_user(f"someone.{LONG_WORD[:40]}@example.com")),
        picture(Status.PENDING),
        picture(Status.PROCESSING, progress=40),
        picture(Status.FETCHING, progress=100),
        failed(),
        picture(Status.CANCELLED),
        draft(),
    ]


def draft(**options: Any) -> GeneratedImage:
    wanted = {"prompt": PROMPT, **options}
    return lifecycle.draft_many(GeneratedImage.objects.all(), [wanted])[0]


def four_drafts() -> list[GeneratedImage]:
    """The pictures of one request: some are there, one comes, one failed."""
    first, second, third, fourth = GeneratedImage.objects.generate_many([{"prompt": PROMPT}] * 4)
    done = picture()
    rows = GeneratedImage.objects
    rows.filter(pk__in=[first.pk, second.pk]).update(
        status=Status.COMPLETED, file=done.file.name, width=64, height=48, cost=done.cost
    )
    rows.filter(pk=third.pk).update(status=Status.PROCESSING, progress=70)
    rows.filter(pk=fourth.pk).update(status=Status.FAILED, error_code="refused")
    GeneratedImage.objects.filter(pk=done.pk).delete()
    return [first, second, third, fourth]


def sheet(images: Sequence[GeneratedImage]) -> str:
    return f"{GALLERY}sheet/{images[0].batch}/"


def pause() -> None:
    ProviderState.objects.update_or_create(
        pk=1, defaults={"pause_code": "insufficient_credits", "pause_detail": LONG_WORD * 3}
    )


def article(**columns: Any) -> Article:
    found = Article.objects.create(title="Open late", **columns)
    Leaf.objects.create(article=found, text="A page", picture=picture())
    return found


def limit(**columns: Any) -> SpendingLimit:
    facts: dict[str, Any] = {"amount": "1234.50", "period": Period.DAY, **columns}
    return SpendingLimit.objects.create(**facts)


@screen("gallery, as a grid")
def grid() -> str:
    one_of_each()
    return GALLERY


@screen("gallery, as a list", reach=lambda page: _press(page, "button[value=list]"))
def table() -> str:
    one_of_each()
    return GALLERY


@screen("gallery, empty")
def nothing() -> str:
    return GALLERY


@screen("gallery, with filters that nothing meets")
def filtered() -> str:
    picture()
    return f"{GALLERY}?status__exact=failed&q={LONG_WORD}"


@screen("gallery, with trouble at the top")
def trouble() -> str:
    picture(Status.PENDING)
    limit()
    limit(period=Period.MONTH, amount="0.01")
    pause()
    return GALLERY


@screen("gallery, in a popup")
def popup() -> str:
    one_of_each()
    return f"{GALLERY}?_popup=1"


@screen("making pictures")
def make() -> str:
    limit()
    return f"{GALLERY}add/"


@screen("making pictures, with everything open", reach=lambda page: _open_all(page))
def make_advanced() -> str:
    return f"{GALLERY}add/?reference_image={picture().uuid}"


@screen("making pictures, with errors", reach=lambda page: _wrong_reference(page))
def make_wrong() -> str:
    return f"{GALLERY}add/?seed=word&reference_image={picture().uuid}"


@screen("making pictures, over the limit", reach=lambda page: _press(page, "[name=_make]"))
def make_too_many() -> str:
    limit(amount="0.07")
    limit(period=Period.MONTH)
    return f"{GALLERY}add/?prompt={LONG_WORD}"


@screen("a draft")
def a_draft() -> str:
    return f"{GALLERY}{draft().pk}/change/"


@screen("a picture that is finished")
def finished() -> str:
    image = picture(picked=True)
    for child in image.variations(2):
        GeneratedImage.objects.filter(pk=child.pk).update(status=Status.PROCESSING, progress=3)
    return f"{GALLERY}{image.pk}/change/"


@screen("a picture that failed")
def gone_wrong() -> str:
    return f"{GALLERY}{failed().pk}/change/"


@screen("a picture of which nobody knows whether it was made")
def unclear() -> str:
    pause()
    image = picture(Status.FAILED, error_code="outcome_unknown", error_detail=LONG_WORD * 2)
    return f"{GALLERY}{image.pk}/change/"


@screen("a picture that was cancelled, without the money for another")
def cancelled() -> str:
    image = picture(Status.CANCELLED)
    limit(amount="0.01")
    return f"{GALLERY}{image.pk}/change/"


@screen("a picture in progress")
def under_way() -> str:
    return f"{GALLERY}{picture(Status.PROCESSING, progress=40).pk}/change/"


@screen("the drafts of one request")
def drafts() -> str:
    return f"{GALLERY}?batch={four_drafts()[0].batch}"


@screen("a contact sheet that waits")
def sheet_waiting() -> str:
    pause()
    images = four_drafts()
    GeneratedImage.objects.filter(pk__in=[image.pk for image in images]).update(
        status=Status.PENDING, file=""
    )
    return sheet(images)


@screen("a contact sheet", reach=lambda page: _compare(page, 1))
def sheet_with_finals() -> str:
    limit()
    images = four_drafts()
    final = lifecycle.rerender(images[0], model="ideogram-v4-quality")
    GeneratedImage.objects.filter(pk=final.pk).update(status=Status.PROCESSING, progress=40)
    GeneratedImage.objects.filter(pk=images[1].pk).update(picked=True)
    images[1].refresh_from_db()
    images[1].variations(2)
    return sheet(images)


@screen("a contact sheet, comparing", reach=lambda page: _compare(page, 2))
def sheet_comparing() -> str:
    return sheet(four_drafts())


@screen("a contact sheet of which everything failed")
def sheet_failed() -> str:
    images = four_drafts()
    GeneratedImage.objects.filter(pk__in=[image.pk for image in images]).update(
        status=Status.FAILED, error_code="provider_busy", file=""
    )
    return sheet(images)


@screen("a contact sheet of several prompts")
def sheet_mixed() -> str:
    wanted = [{"prompt": PROMPT}, {"prompt": "Another"}]
    return sheet(GeneratedImage.objects.generate_many(wanted))


@screen("the fixed places")
def places() -> str:
    Place.objects.create(name="Top", key="top", image=picture(alt_text="A poster"))
    Place.objects.create(name=LONG_WORD, key="a" * 50)
    return f"{ADMIN}place/"


@screen("a fixed place", reach=lambda page: _open_all(page))
def a_place() -> str:
    look = PromptProfile.objects.create(name="a" * 50)
    look.revise(prefix=LONG_WORD, aspect_ratio="16:9")
    place = Place.objects.create(name="Top", key="a" * 50, profile=look, image=picture())
    return f"{ADMIN}place/{place.pk}/change/"


@screen(
    "confirming variations",
    reach=lambda page: _act(page, "make_variations"),
)
def confirm() -> str:
    one_of_each()
    return GALLERY


@screen("confirming pictures for records", reach=lambda page: _act(page, "generate_images"))
def confirm_records() -> str:
    article(hero=picture())
    Article.objects.create(title="Without a picture")
    return "/admin/magazine/article/"


@screen("deleting a picture")
def delete() -> str:
    image = picture()
    article(hero=image)
    return f"{GALLERY}{image.pk}/delete/"


@screen("deleting several pictures", reach=lambda page: _act(page, "delete_selected"))
def delete_several() -> str:
    one_of_each()
    return GALLERY


@screen("the spending limits")
def limits() -> str:
    limit()
    limit(user=User.objects.create_user(f"someone.{LONG_WORD[:40]}@example.com"))
    return f"{ADMIN}spendinglimit/"


@screen("a spending limit")
def a_limit() -> str:
    return f"{ADMIN}spendinglimit/{limit().pk}/change/"


@screen("the charges")
def charges() -> str:
    one_of_each()
    return f"{ADMIN}charge/"


@screen("a charge")
def a_charge() -> str:
    picture()
    return f"{ADMIN}charge/{Charge.objects.get().pk}/change/"


@screen("the provider's state")
def provider() -> str:
    state, _made = ProviderState.objects.get_or_create(pk=1)
    return f"{ADMIN}providerstate/{state.pk}/change/"


@screen("an article, new")
def new_article() -> str:
    return "/admin/magazine/article/add/"


@screen("an article with pictures", reach=lambda page: _open_all(page))
def old_article() -> str:
    limit()
    old = picture()
    found = article(hero=picture(Status.PROCESSING, progress=20, replaces=old))
    return f"/admin/magazine/article/{found.pk}/change/"


@screen("an article whose pictures have drafts")
def with_drafts() -> str:
    found = article(hero=four_drafts()[0])
    Leaf.objects.create(article=found, text="Another", picture=four_drafts()[1])
    return f"/admin/magazine/article/{found.pk}/change/"


@screen("an author whose portrait failed")
def author() -> str:
    found = Author.objects.create(name="Ada", portrait=failed())
    return f"/admin/magazine/author/{found.pk}/change/"


@screen("the gallery's dialog", reach=lambda page: _open_dialog(page))
def dialog() -> str:
    for _number in range(5):
        picture()
    return "/admin/magazine/author/add/"


@screen("a public form")
def public() -> str:
    found = article(hero=four_drafts()[0])
    return f"/articles/{found.pk}/edit/"


@screen("a public form, for nobody in particular", user=lambda: None)
def public_for_anyone() -> str:
    return "/articles/new/"


def _press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.locator(button).first.click()


def _wrong_reference(page: Page) -> None:
    _open_all(page)
    page.locator("[data-ideogram-address]").last.fill("https://localhost/a.png")
    _press(page, "[name=_make]")


def _compare(page: Page, count: int) -> None:
    for box in page.locator("[name=compare]").all()[:count]:
        box.check()


def _act(page: Page, action: str) -> None:
    """Select everything on the page and go on to the question whether it is meant."""
    for box in page.locator("input.action-select").all():
        box.check()
    page.select_option("select[name=action]", action)
    _press(page, ".actions button[type=submit]")


def _open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('#content details').forEach(one => one.open = true)")


def _open_dialog(page: Page) -> None:
    page.locator("[data-ideogram-open]").first.click()
    page.locator("dialog[open] [data-ideogram-choice]").first.wait_for()


# --- what has to hold ---------------------------------------------------------------------------


@pytest.mark.parametrize("shown", SCREENS, ids=lambda shown: shown.name)
def test_for_everyone(shown: Screen, visit: Visit, axe: Any) -> None:
    path = shown.prepare()
    options = {} if shown.user is None else {"user": shown.user()}
    page = visit(path, **options)
    assert _go_on(shown, page)
    wrong = [f"{what}: {it}" for what, it in faults(page, axe)]

    page = visit(path, language="ar", width=320, **options)
    assert _go_on(shown, page)
    if path.startswith("/admin/"):  # the magazine's own pages are in English
        assert page.evaluate("document.dir") == "rtl"
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        wrong += [f"from right to left at {width}: {it}" for it in page.evaluate(OUTSIDE)]
    if path.startswith("/admin/"):
        wrong += page.evaluate(MIXED_UP)
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("size", [(1280, 800), (390, 800), (640, 400)], ids=str)
def test_the_buttons_never_cover_what_has_the_focus(size: tuple[int, int], visit: Visit) -> None:
    for period in Period:
        limit(period=period)
        limit(period=period, user=User.objects.create_user(period))
    page = visit(f"{GALLERY}add/", width=size[0], height=size[1])
    _open_all(page)
    page.focus("[name=prompt]")
    covered, seen = [], 0
    while not page.evaluate("document.activeElement.closest('.ideogram-submit') !== null"):
        covered.append(page.evaluate(COVERED))
        # Within a group of radios the arrows lead on, and Tab out of it; elsewhere they scroll.
        if page.evaluate("document.activeElement.type === 'radio'"):
            page.keyboard.press("ArrowDown")
            covered.append(page.evaluate(COVERED))
        page.keyboard.press("Tab")
        seen += 1
    assert seen > 20
    assert not [one for one in covered if one]


def _go_on(shown: Screen, page: Page) -> bool:
    if shown.reach is not None:
        shown.reach(page)
    return page.locator("h1, form").count() > 0 and "Server Error" not in page.content()

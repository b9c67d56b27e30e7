"""The contact sheet through real requests: who may do what, what is paid, what a page says."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ideogram_django.budget import ledger
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import ErrorCode, Status
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text
from tests.test_admin import ADD, GALLERY, form, page

pytestmark = pytest.mark.django_db


def sheet_url(image: GeneratedImage) -> str:
    return f"{GALLERY}sheet/{image.batch}/"


def sheet(count: int = 4, status: Status = Status.COMPLETED, **request: Any) -> list[Any]:
    """Pictures of one request, all where the test wants them."""
    options = {"prompt": "A red bicycle", "aspect_ratio": "16:9", **request}
    images = GeneratedImage.objects.generate_many([options] * count, request_id=uuid.uuid4())
    for image in images:
        move(image, status)
    return images


def move(image: GeneratedImage, status: Status, **facts: Any) -> None:
    if status == Status.COMPLETED:
        facts = {"file": f"{image.uuid}.png", "width": 640, "height": 360, **facts}
        facts.setdefault("cost", image.price)
    GeneratedImage.objects.filter(pk=image.pk).update(status=status, **facts)
    image.refresh_from_db()


def fail(image: GeneratedImage, code: ErrorCode = ErrorCode.PROVIDER_BUSY) -> None:
    """Failed, and the money given back."""
    assert image.charge is not None
    ledger.release(image.charge)
    move(image, Status.FAILED, error_code=code, cost=0)


def picked(images: list[GeneratedImage]) -> list[int]:
    """Places of the picked ones, from 1."""
    keys = set(GeneratedImage.objects.filter(picked=True).values_list("pk", flat=True))
    return [place for place, image in enumerate(images, 1) if image.pk in keys]


def hidden(response: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found
    return found[1]


def press(client: Client, url: str, step: str, **more: Any) -> Any:
    """Open the sheet and press one of its buttons, as a browser without the script would."""
    shown = client.get(url)
    assert f'value="{step}"' in shown.content.decode(), f"no such button: {step}"
    carried = {
        name: hidden(shown, name)
        for name in ("request_id", "undo", "failed", "saved")
        if f'name="{name}"' in shown.content.decode()
    }
    return client.post(url, {**carried, "step": step, **more})


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, SPEND)


# --- who may look -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [(None, 302), ((), 403), ((SPEND,), 403), ((VIEW,), 200), ((CHANGE,), 200)],
)
def test_who_may_see_a_sheet(permissions, expected):
    client = client_of(None if permissions is None else staff(*permissions))
    assert client.get(sheet_url(sheet()[0])).status_code == expected


def test_an_unknown_sheet_is_not_found(browser):
    sheet()
    assert browser.get(f"{GALLERY}sheet/{uuid.uuid4()}/").status_code == 404
    assert browser.get(f"{GALLERY}sheet/None/").status_code == 302  # no sheet's address at all


def test_several_pictures_lead_to_their_sheet_and_one_to_its_page(browser):
    response = browser.post(ADD, form(count="4"))
    assert response.url == sheet_url(GeneratedImage.objects.first())
    assert browser.get(response.url).status_code == 200
    response = browser.post(ADD, form())
    assert response.url == page(GeneratedImage.objects.first())


# --- what it shows ------------------------------------------------------------------------------


def test_the_request_stands_on_top_with_its_price(browser):
    images = sheet(4, Status.PROCESSING, style_type="DESIGN")
    move(images[0], Status.COMPLETED)
    body = text(browser.get(sheet_url(images[0])))
    for words in (
        "Contact sheet",
        "A red bicycle",
        "Ideogram v4 Turbo",
        "16:9",
        "4 pictures",
        "$0.12 in all",
        "Done: 1 of 4.",
    ):
        assert words in body, words


def test_the_time_left_is_that_of_the_slowest(browser):
    cache.clear()
    images = sheet(2, Status.PROCESSING)
    now = timezone.now()
    seconds = timezone.timedelta(seconds=1)
    move(images[0], Status.PROCESSING, submitted_at=now)
    move(images[1], Status.PROCESSING, submitted_at=now - 3 * seconds)
    response = browser.get(sheet_url(images[0]))
    summary = response.context["summary"]
    assert summary["slowest"] == images[0]
    assert re.search(r"^About \d+ seconds left\.$", summary["left"])
    assert summary["left"] in text(response)


def test_a_cancelled_one_costs_nothing_and_an_old_price_is_not_today_s(browser, settings):
    images = sheet(3)
    move(images[0], Status.CANCELLED, cost=None)
    move(images[1], Status.COMPLETED, cost=Decimal("0.05"))
    assert "$0.08 in all" in text(browser.get(sheet_url(images[0])))


def test_a_sheet_of_one_works(browser):
    image = sheet(1)[0]
    body = text(browser.get(sheet_url(image)))
    assert "1 picture<" in body
    assert "Compare" not in body  # with what?


def test_only_what_is_there_can_be_chosen(browser):
    images = sheet(4, Status.PROCESSING)
    move(images[1], Status.COMPLETED)
    fail(images[2], ErrorCode.REFUSED)
    body = browser.get(sheet_url(images[0])).content.decode()
    assert re.findall(r'<input type="radio" name="picture" value="(\d+)"', body) == [
        str(images[1].pk)
    ]
    assert body.count("<progress") == 2
    assert ErrorCode.REFUSED.label.replace("'", "&#x27;") in body
    assert f'href="{page(images[2])}"' in body


def test_what_people_typed_is_shown_as_text(browser):
    images = sheet(2, prompt="<script>alert(1)</script> {{ x }} \" onerror='y' %(count)s")
    move(images[0], Status.COMPLETED, alt_text='"><script>alert(2)</script>')
    body = browser.get(sheet_url(images[0])).content.decode()
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ x }}" in body


def test_nothing_stands_inline(browser):
    images = sheet()
    fail(images[3])
    body = browser.get(sheet_url(images[0])).content.decode()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", body)
    assert not re.search(r"<script(?![^>]*\ssrc=)", body)


def test_the_large_picture_comes_in_every_stored_width(browser):
    images = sheet(2)
    widths = [{"name": f"a-{width}.webp", "width": width} for width in (320, 640)]
    # An image alone offers a browser that does not take this format no other.
    widths.append({"name": "a-640.avif", "width": 640, "format": "avif"})
    move(images[0], Status.COMPLETED, renditions=widths, file="a b,c.png", width=1312, height=736)
    body = browser.get(sheet_url(images[0])).content.decode()
    assert (
        'srcset="/media/a-320.webp 320w, /media/a-640.webp 640w, '
        '/media/a%20b%2Cc.png 1312w" sizes="auto,'
    ) in body


def test_retention_is_told_where_it_is_set(browser, settings):
    url = sheet_url(sheet()[0])
    assert "are removed" not in text(browser.get(url))
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "RETENTION": 30}
    told = "Pictures that nobody picks or uses are removed after 30 days."
    assert told in text(browser.get(url))
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "RETENTION": 1}
    assert "are removed after 1 day." in text(browser.get(url))


def test_a_large_sheet_comes_in_pages(browser):
    images = sheet(50)
    url = sheet_url(images[0])
    first, last = browser.get(url), browser.get(f"{url}?page=3")
    assert len(first.context["cards"]) == 24
    assert [card.number for card in last.context["cards"]] == [49, 50]
    assert "Page 3 of 3" in text(last)
    assert f'href="{url}?page=2" rel="prev"' in text(last)
    for nonsense in ("0", "-1", "x", "9" * 30, "²"):
        assert browser.get(url, {"page": nonsense}).status_code == 200
    response = press(browser, f"{url}?page=3", f"pick:{images[49].pk}")
    assert "page=3" in response.url
    assert picked(images) == [50]


def test_a_bulk_run_shows_the_words_of_each(browser):
    wanted = [{"prompt": f"Bicycle number {number}"} for number in range(3)]
    images = GeneratedImage.objects.generate_many(wanted, request_id=uuid.uuid4())
    body = text(browser.get(sheet_url(images[0])))
    assert "from several prompts" in body
    for number in range(3):
        assert f"Bicycle number {number}" in body


# --- picking ------------------------------------------------------------------------------------


def test_one_is_picked_and_taken_back(browser):
    images = sheet()
    url = sheet_url(images[0])
    back = press(browser, url, "pick", picture=images[1].pk).url
    assert picked(images) == [2]
    assert "Picture 2 is picked." in text(browser.get(back))
    back = press(browser, back, f"pick:{images[2].pk}").url
    assert picked(images) == [3]
    back = press(browser, back, f"unpick:{images[2].pk}").url
    assert picked(images) == [2]
    back = press(browser, back, f"unpick:{images[1].pk}").url
    assert picked(images) == []
    assert LogEntry.objects.count() == 4


def test_picking_the_picked_one_again_keeps_the_way_back(browser):
    images = sheet()
    url = press(browser, sheet_url(images[0]), f"pick:{images[0].pk}").url
    url = press(browser, url, f"pick:{images[1].pk}").url
    url = press(browser, url, "pick", picture=images[1].pk).url
    press(browser, url, f"unpick:{images[1].pk}")
    assert picked(images) == [1]


def test_an_old_page_does_not_take_back_somebody_elses_pick(browser):
    images = sheet()
    url = press(browser, sheet_url(images[0]), f"pick:{images[0].pk}").url
    shown = browser.get(url)
    GeneratedImage.objects.filter(pk=images[0].pk).update(picked=False)
    GeneratedImage.objects.filter(pk=images[3].pk).update(picked=True)
    data = {"step": f"unpick:{images[0].pk}", "undo": hidden(shown, "undo")}
    response = browser.post(url, data, follow=True)
    assert picked(images) == [4]
    assert "The pick was changed meanwhile; look again." in text(response)


def test_taking_back_restores_nothing_of_another_sheet(browser):
    images, others = sheet(), sheet(prompt="A blue boat")
    press(browser, sheet_url(images[0]), f"pick:{images[0].pk}")
    browser.post(
        sheet_url(images[0]),
        {"step": f"unpick:{images[0].pk}", "undo": f"{images[0].pk}:{others[0].pk},x,{'9' * 40}"},
    )
    assert picked([*images, *others]) == []


def test_the_way_back_of_another_pick_is_not_taken(browser):
    images = sheet()
    press(browser, sheet_url(images[0]), f"pick:{images[0].pk}")
    data = {"step": f"unpick:{images[0].pk}", "undo": f"{images[2].pk}:{images[3].pk}"}
    browser.post(sheet_url(images[0]), data)
    assert picked(images) == []


def test_pictures_of_a_bulk_run_do_not_compete(browser):
    wanted = [{"prompt": "A bicycle"}, {"prompt": "A bicycle"}, {"prompt": "A boat"}]
    images = GeneratedImage.objects.generate_many(wanted, request_id=uuid.uuid4())
    for image in images:
        move(image, Status.COMPLETED)
    url = sheet_url(images[0])
    for place in (0, 2, 1):
        press(browser, url, f"pick:{images[place].pk}")
    assert picked(images) == [2, 3]


def test_what_cannot_be_picked(browser):
    images, others = sheet(2, Status.PROCESSING), sheet()
    url = sheet_url(images[0])
    response = browser.post(url, {"step": "pick", "picture": images[0].pk})
    assert response.status_code == 200
    assert "Only a finished picture can be picked." in text(response)
    assert "Choose a picture first." in text(browser.post(url, {"step": "pick"}))
    for step, key in (("pick", others[0].pk), ("pick", "x"), ("delete", images[0].pk), ("", "1")):
        assert browser.post(url, {"step": step, "picture": key}).status_code == 404
    assert not GeneratedImage.objects.filter(picked=True).exists()


@pytest.mark.parametrize(
    ("permissions", "step", "expected"),
    [
        ((VIEW,), "pick", 403),
        ((VIEW, SPEND), "pick", 403),
        ((VIEW, CHANGE), "pick", 302),
        ((VIEW,), "again", 403),
        ((VIEW, CHANGE), "again", 403),
        ((VIEW, SPEND), "again", 302),
        ((VIEW, CHANGE), "variations", 403),
        ((VIEW, CHANGE), "retry", 403),
        ((VIEW, CHANGE), "generate", 403),
    ],
)
def test_who_may_take_which_step(permissions, step, expected):
    images = sheet()
    argument = f"{images[0].pk}:ideogram-v4-quality" if step == "again" else images[0].pk
    client = client_of(staff(*permissions))
    response = client.post(
        sheet_url(images[0]), {"step": f"{step}:{argument}", "request_id": str(uuid.uuid4())}
    )
    assert response.status_code == expected
    assert GeneratedImage.objects.count() == (5 if (step, expected) == ("again", 302) else 4)


def test_a_reader_has_no_buttons(browser):
    images = sheet()
    body = client_of(staff(VIEW)).get(sheet_url(images[0])).content.decode()
    assert "Finish on" not in body
    assert "Edit the prompt" not in body
    # Enter in the cards must press nothing, whatever comes to stand further down.
    assert '<button type="submit" name="step" value="pick" hidden disabled>' in body
    assert body.count('name="step"') == 1


# --- going on -----------------------------------------------------------------------------------


def test_finishing_says_its_price_and_stays_on_the_sheet(browser, editor):
    images = sheet()
    url = sheet_url(images[0])
    body = text(browser.get(url))
    for label in ("Finish on Balanced · $0.06", "Finish on Quality · $0.10"):
        assert label in body
    response = press(browser, url, f"again:{images[2].pk}:ideogram-v4-quality")
    assert response.url == f"{url}?chosen={images[2].pk}"
    final = images[2].children.get()
    assert (final.model, final.price) == ("ideogram-v4-quality", Decimal("0.10"))
    assert final.requested_by == editor
    assert final.parameters == {"aspect_ratio": "16:9"}
    shown = browser.get(url)
    assert [one["image"] for one in shown.context["finals"]] == [final]
    assert "Ideogram v4 Quality from picture 3" in text(shown)
    # The one that was worked with last stays the chosen one, also without anything in the address.
    assert [card.number for card in shown.context["cards"] if card.chosen] == [3]


def test_the_same_page_never_pays_twice(browser):
    images = sheet()
    url = sheet_url(images[0])
    token = hidden(browser.get(url), "request_id")
    for _press in range(3):
        for step in (f"again:{images[0].pk}:ideogram-v4-quality", f"variations:{images[0].pk}"):
            assert browser.post(url, {"step": step, "request_id": token}).status_code == 302
    assert images[0].children.count() == 5
    assert Charge.objects.count() == 9
    # Loaded afresh, the same button is another wish.
    press(browser, url, f"again:{images[0].pk}:ideogram-v4-quality")
    assert images[0].children.count() == 6
    response = browser.post(url, {"step": f"variations:{images[0].pk}", "request_id": "x"})
    assert "Load the page again and press the button once more." in text(response)
    assert images[0].children.count() == 6


def test_more_like_this_has_a_sheet_of_its_own(browser):
    images = sheet()
    url = sheet_url(images[0])
    assert "More like this · $0.12" in text(browser.get(url))
    response = press(browser, url, f"variations:{images[1].pk}")
    children = list(images[1].children.order_by("pk"))
    assert len(children) == 4
    assert response.url == sheet_url(children[0]) != url
    body = text(browser.get(response.url))
    assert f'href="{url}?chosen={images[1].pk}"' in body
    body = text(browser.get(url))
    assert "4 pictures like picture 2" in body
    assert f'href="{response.url}"' in body
    assert "Finals" not in body


def test_a_better_model_is_offered_and_never_a_lesser_one(browser):
    body = text(browser.get(sheet_url(sheet(2, model="ideogram-v4-balanced")[0])))
    assert "Finish on Quality" in body
    assert "Finish on Balanced" not in body
    assert "Finish on" not in text(browser.get(sheet_url(sheet(2, model="ideogram-v4-quality")[0])))


def test_over_the_limit_is_said_before_and_after_the_press(browser):
    images = sheet()
    limit = SpendingLimit.objects.create(amount=Decimal("0.07"))
    url = sheet_url(images[0])
    body = text(browser.get(url))
    quality = "This needs $0.10, but only $0.07 is left this month for this site."
    assert quality in body
    assert "This needs $0.06" not in body
    assert "This site has $0.07 of $0.07 left this month." in body
    count = Charge.objects.count()
    response = press(browser, url, f"again:{images[3].pk}:ideogram-v4-quality")
    assert response.status_code == 200
    assert f'<p class="errornote" role="alert">{quality} The limit starts afresh' in text(response)
    assert [card.number for card in response.context["cards"] if card.chosen] == [4]
    assert Charge.objects.count() == count
    limit.amount = 1
    limit.save()
    assert "This needs" not in text(browser.get(url))


def test_nothing_is_offered_where_spending_is_switched_off(browser, settings):
    images = sheet()
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    body = text(browser.get(sheet_url(images[0])))
    assert "Finish on" not in body
    assert "Making pictures is switched off on this site." in body
    assert "Pick this one" in body


def test_the_prompt_can_be_edited_and_run_again(browser):
    image = sheet()[0]
    body = browser.get(sheet_url(image)).content.decode()
    assert f'href="{ADD}?like={image.uuid}"' in body


# --- failures and drafts ------------------------------------------------------------------------


def test_failed_ones_are_tried_again_where_it_can_help(browser):
    images = sheet()
    fail(images[0])
    fail(images[1], ErrorCode.PROVIDER_FAILED)
    fail(images[2], ErrorCode.REFUSED)
    url = sheet_url(images[0])
    assert "Try the failed ones again · $0.06" in text(browser.get(url))
    shown = hidden(browser.get(url), "failed")
    assert press(browser, url, "retry").status_code == 302
    statuses = [GeneratedImage.objects.get(pk=image.pk).status for image in images]
    assert statuses == ["pending", "pending", "failed", "completed"]
    assert Charge.objects.count() == 6
    # Pressed twice, or by a page from before one of them failed once more.
    move(images[0], Status.FAILED, error_code=ErrorCode.PROVIDER_BUSY)
    images[0].refresh_from_db()
    ledger.release(images[0].charge)
    response = browser.post(url, {"step": "retry", "failed": shown}, follow=True)
    assert "These pictures are being made already." in text(response)
    assert Charge.objects.count() == 6


def test_where_nothing_came_the_prompt_can_be_changed(browser):
    images = sheet(2)
    for image in images:
        fail(image, ErrorCode.REFUSED)
    body = text(browser.get(sheet_url(images[0])))
    assert "Done: 2 of 2. Failed: 2." in body
    assert f'href="{ADD}?like={images[0].uuid}"' in body
    assert "Try the failed ones again" not in body
    assert "Choose one" not in body


def test_a_file_that_is_only_to_be_fetched_is_free(browser):
    images = sheet()
    move(
        images[0],
        Status.FAILED,
        error_code=ErrorCode.STORAGE_FAILED,
        file="",
        result_url="https://x",
    )
    url = sheet_url(images[0])
    assert "Try the failed ones again · free" in text(browser.get(url))
    press(browser, url, "retry")
    assert GeneratedImage.objects.get(pk=images[0].pk).status == Status.FETCHING
    assert Charge.objects.count() == 4


def test_what_may_be_charged_twice_is_left_to_its_own_page(browser):
    images = sheet()
    assert images[0].charge is not None
    ledger.settle(images[0].charge, None)
    move(images[0], Status.FAILED, error_code=ErrorCode.NO_RESULT)
    assert "Try the failed ones again" not in text(browser.get(sheet_url(images[0])))


def test_a_retry_over_the_limit_changes_nothing(browser):
    images = sheet()
    fail(images[0])
    fail(images[1])
    SpendingLimit.objects.create(amount=Decimal("0.05"))
    response = press(browser, sheet_url(images[0]), "retry")
    assert response.status_code == 200
    assert "is left this month for this site." in text(response)
    assert GeneratedImage.objects.failed().count() == 2
    assert Charge.objects.count() == 4


def test_saved_drafts_are_made_from_here(browser, editor):
    data = form(count="3", _draft="")
    del data["_make"]
    url = browser.post(ADD, data).url
    shown = browser.get(url)
    assert "Make 3 pictures · $0.09" in text(shown)
    saved = hidden(shown, "saved")
    assert press(browser, url, "generate").status_code == 302
    browser.post(url, {"step": "generate", "saved": saved})
    assert {image.status for image in GeneratedImage.objects.all()} == {Status.PENDING}
    assert Charge.objects.count() == 3


# --- cost of a look -----------------------------------------------------------------------------


def queries(client: Client, url: str) -> int:
    cache.clear()
    with CaptureQueriesContext(connection) as found:
        assert client.get(url).status_code == 200
    assert not [q["sql"] for q in found if re.match(r"INSERT|UPDATE|DELETE", q["sql"])]
    return len(found)


def test_a_look_costs_the_same_for_few_and_for_many(browser):
    SpendingLimit.objects.create(amount=100)
    one, eight = sheet(1), sheet(8)
    assert queries(browser, sheet_url(one[0])) == queries(browser, sheet_url(eight[0]))
    few = queries(browser, sheet_url(eight[0]))
    for image in eight:
        final = image.rerender(model="ideogram-v4-quality")
        move(final, Status.COMPLETED)
        image.variations(2)
    shown = browser.get(sheet_url(eight[0]))
    assert len(shown.context["finals"]) == 8
    assert len(shown.context["others"]) == 8
    assert queries(browser, sheet_url(eight[0])) == few


def test_waiting_ones_cost_the_same_for_one_and_for_eight(browser):
    one, eight = sheet(1, Status.PENDING), sheet(8, Status.PENDING)
    assert queries(browser, sheet_url(one[0])) == queries(browser, sheet_url(eight[0]))


def test_posts_need_the_csrf_token(editor):
    image = sheet()[0]
    client = Client(enforce_csrf_checks=True)
    client.force_login(editor)
    assert client.post(sheet_url(image), {"step": f"pick:{image.pk}"}).status_code == 403

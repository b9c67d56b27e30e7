"""The gallery: what it shows, what it finds, what it remembers, and what it asks the database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from ideogram_django.admin import GeneratedImageAdmin
from ideogram_django.admin.cards import picture_list_on, total_text
from ideogram_django.admin.limits import standing
from ideogram_django.models import (
    Charge,
    EditorPreference,
    GeneratedImage,
    ProviderState,
    SpendingLimit,
    SpendingPeriod,
)
from ideogram_django.statuses import ChargeState, PauseCode, Status
from tests.magazine.models import Article, Author
from tests.people import ADDING, CHANGE, DELETE, SPEND, VIEW, client_of, staff, text

pytestmark = pytest.mark.django_db

GALLERY = "/admin/ideogram_django/generatedimage/"
STATUS = "/ideogram/status/"
LOOK = f"{GALLERY}look/"
MANY = 5000


@pytest.fixture(autouse=True)
def no_estimates() -> Iterator[None]:
    """The estimates are kept in the cache, which outlives a test's database."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, DELETE, SPEND)


def test_the_actions_are_called_as_the_buttons_on_the_pages_are(browser):
    pictures(1)
    names = re.findall(r'<option value="\w+">([^<]*)</option>', text(browser.get(GALLERY)))
    for name in ("More like this…", "Finish on Balanced…", "Finish on Quality…"):
        assert name in names


def pictures(count: int, **facts: Any) -> list[GeneratedImage]:
    """Rows as they stand after a while; each with its charge, as the constraint wants it."""
    facts = {
        "prompt": "A red bicycle",
        "model": "ideogram-v4-turbo",
        "status": Status.COMPLETED,
        "price": Decimal("0.03"),
        "currency": "USD",
        **facts,
    }
    images = [GeneratedImage(**facts) for _number in range(count)]
    charged = facts["status"] != Status.DRAFT and not facts.get("uploaded")
    if charged:
        charges = [
            Charge(
                image_id=image.uuid,
                model=image.model,
                expected_credits=3,
                credit_price=Decimal("0.01"),
                currency=image.currency,
                expected=Decimal("0.03"),
                state=ChargeState.SETTLED,
                closed_at=timezone.now(),
            )
            for image in images
        ]
        for image, charge in zip(images, Charge.objects.bulk_create(charges, 500), strict=True):
            image.charge = charge
    return GeneratedImage.objects.bulk_create(images, 500)


def one(**facts: Any) -> GeneratedImage:
    return pictures(1, **facts)[0]


def shown(client: Client, query: str = "") -> list[GeneratedImage]:
    response = client.get(GALLERY + query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def card(client: Client, image: GeneratedImage, look: str = "grid") -> str:
    """The piece of the page that is about this picture."""
    client.post(LOOK, {"look": look})
    body = text(client.get(GALLERY))
    rows = [row for row in body.split("<tr") if str(image.uuid) in row]
    assert len(rows) == 1
    return rows[0]


def asked(client: Client, url: str) -> list[str]:
    """The queries of a page that was looked at before."""
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in queries]


# --- the look belongs to the person -------------------------------------------------------------


def test_the_look_survives_logging_out(editor):
    first = client_of(editor)
    first.post(LOOK, {"look": "list"})
    first.logout()
    later = client_of(editor)
    assert not later.get(GALLERY).context["cl"].ideogram_grid


def test_the_look_is_each_persons_own(editor):
    other = staff(VIEW)
    client_of(editor).post(LOOK, {"look": "list"})
    assert client_of(other).get(GALLERY).context["cl"].ideogram_grid
    client_of(other).post(LOOK, {"look": "grid"})
    assert not client_of(editor).get(GALLERY).context["cl"].ideogram_grid


def test_the_look_is_read_once_in_a_session(browser):
    with CaptureQueriesContext(connection) as first:
        browser.get(GALLERY)
    with CaptureQueriesContext(connection) as second:
        browser.get(GALLERY)
    table = EditorPreference._meta.db_table
    assert sum(table in query["sql"] for query in first) == 1
    assert sum(table in query["sql"] for query in second) == 0


def test_who_may_only_look_has_a_look_of_their_own():
    one()
    viewer = staff(VIEW)
    client = client_of(viewer)
    assert client.post(LOOK, {"look": "list", "next": f"{GALLERY}?q=red"}).url == f"{GALLERY}?q=red"
    assert "ideogram-cards" not in text(client.get(GALLERY))
    assert EditorPreference.objects.get(user=viewer).gallery_look == "list"


def test_who_may_not_see_the_gallery_has_none():
    nobody = staff()
    assert client_of(nobody).post(LOOK, {"look": "list"}).status_code == 403
    assert not EditorPreference.objects.exists()


def test_strange_words_are_the_grid_and_strange_addresses_the_gallery(browser, editor):
    response = browser.post(LOOK, {"look": "<b>", "next": "https://evil.example/"})
    assert response.url == GALLERY
    assert EditorPreference.objects.get(user=editor).gallery_look == "grid"


def test_the_look_goes_with_the_person(editor, admin_client):
    client_of(editor).post(LOOK, {"look": "list"})
    assert "editorpreference" not in text(admin_client.get("/admin/"))
    url = reverse("admin:auth_user_delete", args=[editor.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=editor.pk).exists()
    assert not EditorPreference.objects.exists()


def test_a_sorted_list_is_not_a_strangely_sorted_grid(browser):
    older = one(prompt="z", model="a")
    newer = one(prompt="a", model="z")
    browser.post(LOOK, {"look": "list"})
    column = 1 + list(admin.site._registry[GeneratedImage].list_display).index("model_label")
    assert shown(browser, f"?o={column}") == [older, newer]
    browser.post(LOOK, {"look": "grid"})
    assert shown(browser, f"?o={column}") == [newer, older]
    assert shown(browser, "?o=2") == [newer, older]  # the grid's second column is the day


# --- what a card says ---------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_picture_in_progress_says_how_long_it_will_take(browser, look):
    image = one(status=Status.PROCESSING, progress=40, submitted_at=timezone.now())
    piece = card(browser, image, look)
    assert "The provider is making the picture. About" in piece
    assert "seconds left." in piece
    assert 'value="40"' in piece
    assert "data-ideogram-sentence" in piece
    assert "data-ideogram-refresh" in piece
    assert f'data-ideogram-name="{image}"' in piece


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_finished_picture_needs_no_sentence(browser, look):
    piece = card(browser, one(), look)
    assert "Finished" in piece
    assert "own storage" not in piece
    assert "data-ideogram-refresh" not in piece


def test_a_waiting_picture_says_what_it_waits_for(browser):
    ProviderState.objects.create(pause_code=PauseCode.INSUFFICIENT_CREDITS)
    piece = card(browser, one(status=Status.PENDING))
    assert "Waiting. The provider account has not enough credits." in piece


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_failure_says_why_and_leads_on(browser, look):
    image = one(status=Status.FAILED, error_code="refused", cost=Decimal(0))
    piece = card(browser, image, look)
    assert "The provider&#x27;s rules do not allow this picture. Change the prompt." in piece
    assert "What to do next" in piece
    assert f'href="{GALLERY}{image.pk}/change/"' in piece
    assert "refused" not in piece.replace("rules", "")


@pytest.mark.parametrize("look", ["grid", "list"])
@pytest.mark.parametrize(
    ("facts", "marked"),
    [
        ({}, True),
        ({"alt_text": "A bicycle"}, False),
        ({"decorative": True}, False),
        ({"status": Status.PROCESSING}, False),
        ({"status": Status.FAILED}, False),
        ({"uploaded": True, "model": ""}, True),
    ],
)
def test_a_missing_alternative_text_leads_to_its_field(browser, look, facts, marked):
    image = one(**facts)
    piece = card(browser, image, look)
    assert ("No alternative text" in piece) is marked
    assert (f'href="{GALLERY}{image.pk}/change/#id_alt_text"' in piece) is marked


def test_who_may_not_write_it_is_not_led_to_a_field():
    client = client_of(staff(VIEW))
    piece = card(client, one())
    assert "No alternative text" in piece
    assert "#id_alt_text" not in piece


@pytest.mark.parametrize(
    ("facts", "price"),
    [
        ({}, "$0.03"),
        ({"cost": Decimal("0.05")}, "$0.05"),
        ({"status": Status.DRAFT}, "$0.03 if made"),
        ({"status": Status.FAILED, "cost": Decimal(0)}, "$0.00"),
        ({"status": Status.CANCELLED}, ""),
        ({"uploaded": True, "model": "", "price": None}, ""),
    ],
)
def test_each_card_has_its_price(browser, facts, price):
    browser.post(LOOK, {"look": "grid"})
    image = one(**facts)
    cards = {card.image: card for card in browser.get(GALLERY).context["cl"].ideogram_cards}
    assert cards[image].price == price


def test_a_picture_keeps_its_place_before_it_is_there(browser):
    image = one(status=Status.PROCESSING, aspect_ratio="16:9")
    assert 'viewBox="0 0 1024 576"' in card(browser, image)
    renditions = [{"width": 320, "name": "small.webp"}, {"width": 640, "name": "middle.webp"}]
    GeneratedImage.objects.filter(pk=image.pk).update(
        status=Status.COMPLETED, file="big.png", width=1600, height=900, renditions=renditions
    )
    piece = card(browser, image)
    assert 'src="/media/small.webp"' in piece
    assert "big.png" not in piece
    assert 'width="1600" height="900" loading="lazy"' in piece


def test_a_picker_in_a_popup_leads_nowhere_else(browser):
    image = one(status=Status.FAILED, error_code="refused")
    bare = one(file="a.png")
    body = text(browser.get(f"{GALLERY}?_popup=1"))
    assert f'data-popup-opener="{image.pk}"' in body
    assert "What to do next" not in body
    assert "#id_alt_text" not in body
    assert "ideogram-pick" not in body
    assert f'data-popup-opener="{bare.pk}"' in body


# --- what all of them cost ----------------------------------------------------------------------


def test_the_total_is_of_what_is_shown(browser, monkeypatch):
    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 3)
    pictures(2, cost=Decimal("0.10"))
    pictures(3)
    assert "3 pictures shown · $0.09" in text(browser.get(GALLERY))
    assert "2 pictures shown · $0.20" in text(browser.get(f"{GALLERY}?p=2"))


def test_the_total_counts_what_was_charged_or_will_be(browser):
    one(cost=Decimal("0.05"))
    one(status=Status.PROCESSING, price=Decimal("0.10"))
    one(status=Status.FAILED, cost=Decimal(0))
    one(status=Status.CANCELLED)
    one(status=Status.DRAFT)
    one(uploaded=True, model="", price=Decimal("9.00"))
    assert "6 pictures shown · $0.15" in text(browser.get(GALLERY))


def test_the_total_tells_currencies_apart(browser):
    one(currency="USD")
    one(currency="CHF", price=Decimal("0.5"))
    body = text(browser.get(GALLERY)).replace("\N{NO-BREAK SPACE}", " ")
    assert "2 pictures shown · 0.50 CHF and $0.03" in body


def test_what_cost_nothing_has_no_total():
    assert total_text([one(status=Status.DRAFT)]) == "1 picture shown"


# --- the limits ---------------------------------------------------------------------------------


def test_limits_are_told_as_sentences(editor):
    group = Group.objects.create(name="Editors")
    editor.groups.add(group)
    site = SpendingLimit.objects.create(amount=20)
    SpendingLimit.objects.create(amount=5, group=group, period="day")
    SpendingLimit.objects.create(amount=0, user=editor, period="day")
    SpendingPeriod.objects.create(
        limit=site, start=timezone.localdate().replace(day=1), committed=Decimal("12.345")
    )
    told = [(one.sentence, one.percent_left, one.used_up) for one in standing(editor)]
    assert told == [
        ("This site has $7.655 of $20.00 left this month.", 38, False),
        ("“Editors” has $5.00 of $5.00 left today.", 100, False),
        ("You have $0.00 of $0.00 left today.", 0, True),
    ]


@pytest.mark.parametrize(
    ("today", "day"), [("2026-11-30", "December 1"), ("2026-12-01", "January 1")]
)
def test_a_limit_says_when_it_starts_afresh(editor, today, day):
    SpendingLimit.objects.create(amount=20)
    SpendingLimit.objects.create(amount=20, period="day")
    noon = datetime.fromisoformat(f"{today}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    with time_machine.travel(noon):
        assert [one.renewed for one in standing(editor)] == [
            f"It starts afresh on {day}.",
            "It starts afresh at midnight.",
        ]


def test_the_limits_stand_over_the_gallery_for_who_may_spend(browser):
    assert "<meter" not in text(browser.get(GALLERY))
    SpendingLimit.objects.create(amount=20)
    body = text(browser.get(GALLERY))
    assert "This site has $20.00 of $20.00 left this month." in body
    assert 'value="100"' in body
    assert "<meter" not in text(client_of(staff(VIEW)).get(GALLERY))


def test_a_bar_is_not_written_in_the_readers_numbers(browser):
    SpendingLimit.objects.create(amount=20)
    with translation.override("de"):
        assert 'max="100"' in text(browser.get(GALLERY, headers={"accept-language": "de"}))


# --- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["sent", "typed", "told"])
def test_the_search_looks_at_what_was_typed_sent_and_told(browser, word):
    image = one(prompt="words sent", typed_prompt="words typed", alt_text="words told")
    one()
    assert shown(browser, f"?q={word}") == [image]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "busy deco done draft failed off own"),
        ("?status=in_progress", "busy"),
        ("?status=completed", "deco done own"),
        ("?status=failed", "failed"),
        ("?status=draft", "draft"),
        ("?status=cancelled", "off"),
        ("?status=strange", ""),
        ("?picked=yes", "done"),
        ("?picked=no", "busy deco draft failed off own"),
        ("?who=me", "done"),
        ("?alt=missing", "own"),
        ("?alt=given", "done"),
        ("?alt=decorative", "deco"),
        ("?model=ideogram-v4-quality", "done"),
        ("?model=own", "own"),
        ("?style=design", "busy failed"),
        ("?shape=16:9", "draft"),
        ("?used=anywhere", "done own"),
        ("?used=nowhere", "busy deco draft failed off"),
        ("?used=magazine.article.hero", "done"),
        ("?used=magazine.author.portrait", "own"),
        ("?used=auth.user.password", ""),
        ("?status=completed&alt=missing", "own"),
    ],
)
def test_each_filter_finds_its_pictures(browser, editor, query, names):
    found = {
        "busy": one(status=Status.FETCHING, style_type="DESIGN"),
        "done": one(picked=True, requested_by=editor, alt_text="Told", model="ideogram-v4-quality"),
        "deco": one(decorative=True),
        "draft": one(status=Status.DRAFT, aspect_ratio="16:9"),
        "failed": one(status=Status.FAILED, style_type="design"),
        "off": one(status=Status.CANCELLED),
        "own": one(uploaded=True, model=""),
    }
    Article.objects.create(title="Bicycles", hero=found["done"])
    Author.objects.create(name="Ada", portrait=found["own"])
    by_picture = {image: name for name, image in found.items()}
    assert sorted(by_picture[image] for image in shown(browser, query)) == names.split()


def offered(client: Client) -> dict[str, list[str]]:
    changes = client.get(GALLERY).context["cl"]
    return {
        str(spec.title): [str(choice["display"]) for choice in spec.choices(changes)][1:]
        for spec in changes.filter_specs
    }


def test_filters_offer_what_there_is(browser, editor):
    ada, ben = staff(VIEW), staff(VIEW)
    one(requested_by=ada, style_type="DESIGN", aspect_ratio="16:9")
    one(requested_by=editor, style_type="design", aspect_ratio="3:4")
    one(model="ideogram-v3-turbo", style_type="ANIME", aspect_ratio="1:1")
    one(uploaded=True, model="")
    filters = offered(browser)
    assert filters["who"] == ["Me", str(ada)]
    assert str(ben) not in filters["who"]
    assert filters["model"] == ["Ideogram v4 Turbo", "Ideogram v3 Turbo", "Own work"]
    assert filters["style"] == ["Anime", "Design"]
    assert filters["shape"] == ["3:4", "1:1", "16:9"]
    assert filters["where used"] == [
        "Used",
        "Not used",
        "Fixed place: picture",
        "Article: hero",
        "Author: portrait",
        "Page: picture",
    ]


def test_filters_with_nothing_to_choose_hide_themselves(browser, editor):
    pictures(3, requested_by=editor)
    filters = offered(browser)
    assert list(filters) == ["status", "choice", "when", "where used", "alternative text"]


def test_where_many_make_pictures_only_mine_are_offered(browser):
    for _number in range(14):
        one(requested_by=staff(VIEW))
    assert offered(browser)["who"] == ["Me"]


def test_only_a_filter_in_use_is_unfolded(browser):
    one(aspect_ratio="1:1")
    one(aspect_ratio="16:9")
    assert '<details class="ideogram-filter" data-filter-title="shape">' in text(
        browser.get(GALLERY)
    )
    assert '<details class="ideogram-filter" data-filter-title="shape" open>' in text(
        browser.get(f"{GALLERY}?shape=1:1")
    )


def test_counts_can_be_shown(browser):
    one(aspect_ratio="1:1", alt_text="Told")
    one(aspect_ratio="16:9", status=Status.PROCESSING)
    body = text(browser.get(f"{GALLERY}?_facets=True"))
    for words in ("In progress (1)", "Given (1)", "Missing (0)", "16:9 (1)", "Not used (2)"):
        assert words in body


# --- sheets -------------------------------------------------------------------------------------


def test_a_card_of_several_leads_to_their_sheet(browser, monkeypatch):
    batch = uuid.uuid4()
    images = pictures(4, batch=batch)
    alone = one(batch=uuid.uuid4())
    bulk = pictures(2, batch=uuid.uuid4(), bulk=True)
    ours = admin.site._registry[GeneratedImage]
    address = ours.admin_url
    monkeypatch.setattr(
        ours,
        "admin_url",
        lambda name, *args: f"/sheet/{args[0]}/" if name == "sheet" else address(name, *args),
    )
    for look in ("grid", "list"):
        for image in images:
            assert f'href="/sheet/{batch}/" class="ideogram-quiet">Sheet of 4</a>' in card(
                browser, image, look
            )
        for image in (alone, bulk[0]):
            assert "Sheet of" not in card(browser, image, look)


# --- empty --------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["grid", "list"])
def test_an_empty_gallery_invites_who_may_make_pictures(browser, look):
    browser.post(LOOK, {"look": look})
    body = text(browser.get(GALLERY))
    assert "There are no pictures yet." in body
    assert f'<a href="{GALLERY}add/" class="button">Make the first picture</a>' in body
    viewer = text(client_of(staff(VIEW)).get(GALLERY))
    assert "There are no pictures yet." in viewer
    assert "Make the first picture" not in viewer


@pytest.mark.parametrize("query", ["?q=boat", "?status=failed"])
def test_nothing_found_is_not_an_empty_gallery(browser, query):
    one()
    body = text(browser.get(GALLERY + query))
    assert "No pictures match." in body
    assert 'name="action"' not in body
    assert "Make the first picture" not in body


# --- who may only look --------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["grid", "list"])
def test_who_may_only_look_sees_everything_and_presses_nothing(look):
    image = one(picked=True, file="a.png", alt_text="Told")
    client = client_of(staff(VIEW))
    piece = card(client, image, look)
    assert "Picked" in piece
    assert "<button" not in piece
    assert 'id="ideogram-step"' not in text(client.get(GALLERY))


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_pick_names_the_piece_of_the_page_that_changes(browser, look):
    image = one(file="a.png", alt_text="Told")
    piece = card(browser, image, look)
    region = f"ideogram-card-{image.pk}" if look == "grid" else f"ideogram-pick-{image.pk}"
    assert f'data-ideogram-swap="{region}"' in piece
    assert f'id="{region}"' in piece
    checkbox, _open, rest = piece.partition(f'id="{region}"')
    assert "action-select" in checkbox
    assert "action-select" not in rest


# --- what it asks the database ------------------------------------------------------------------


FILTERS = [
    "",
    "?q=bicycle",
    "?status=in_progress",
    "?status=completed",
    "?picked=no",
    "?who=me",
    "?created_at__gte=2001-01-01+00%3A00%3A00%2B00%3A00",
    "?used=anywhere",
    "?used=nowhere",
    "?used=magazine.article.hero",
    "?alt=missing",
    "?model=ideogram-v4-turbo",
    "?style=design",
    "?shape=1:1",
]


def fill(editor: User, count: int) -> None:
    """Every kind of picture, so that each filter finds some and each card says all it can."""
    half = count // 2
    facts = {"requested_by": editor, "style_type": "DESIGN", "aspect_ratio": "1:1"}
    now = timezone.now()
    used = pictures(half, batch=uuid.uuid4(), file="a.png", **facts)
    Article.objects.bulk_create(
        [Article(title=str(image.uuid), hero=image) for image in used], batch_size=500
    )
    pictures(5, model="ideogram-v3-turbo", aspect_ratio="16:9")
    rest = count - half - 5
    pictures(rest // 2, status=Status.PROCESSING, submitted_at=now, batch=uuid.uuid4(), **facts)
    pictures(rest - rest // 2, status=Status.PENDING, batch=uuid.uuid4(), **facts)


@pytest.mark.parametrize("look", ["grid", "list"])
def test_the_gallery_asks_as_often_for_5000_pictures_as_for_50(browser, editor, look):
    SpendingLimit.objects.create(amount=5)
    ProviderState.objects.create(last_sync=timezone.now())
    browser.post(LOOK, {"look": look})
    fill(editor, 50)
    few = {query: len(asked(browser, GALLERY + query)) for query in [*FILTERS, "?p=2"]}
    fill(editor, MANY - 50)
    assert GeneratedImage.objects.count() == MANY
    last = -(-MANY // 24)
    many = {query: len(asked(browser, GALLERY + query)) for query in [*FILTERS, f"?p={last}"]}
    many["?p=2"] = many.pop(f"?p={last}")
    # On a page where nothing is under way nobody asks how long it takes: at most one query less.
    for query, count in many.items():
        assert abs(count - few[query]) <= (1 if query == "?p=2" else 0), query
    assert max(many.values()) <= 18


def test_a_page_of_100_in_progress_asks_for_all_of_them_at_one_address(browser, monkeypatch):
    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 100)
    images = pictures(100, status=Status.PROCESSING, submitted_at=timezone.now() - timedelta(1))
    body = text(browser.get(GALLERY))
    assert body.count("data-ideogram-status-url") == 1
    for image in images:
        assert f'data-ideogram-image="{image.uuid}" data-ideogram-status="processing"' in body


def test_a_theme_has_its_say_in_the_list_too(browser, editor, rf):
    class ThemesList(ChangeList):
        def get_results(self, request):
            super().get_results(request)
            self.themed = True

    class ThemesAdmin(admin.ModelAdmin):
        def get_changelist(self, request, **kwargs):
            return ThemesList

    class PictureAdmin(GeneratedImageAdmin, ThemesAdmin):
        pass

    image = one()
    request = rf.get(GALLERY)
    request.user, request.session = editor, browser.session
    page = PictureAdmin(GeneratedImage, admin.site).changelist_view(request)
    assert page.context_data["cl"].themed
    assert [card.image for card in page.context_data["cl"].ideogram_cards] == [image]


def test_a_list_with_addresses_of_its_own_is_asked_for_each(browser, editor, rf):
    class TheirList(ChangeList):
        def url_for_result(self, result):
            return f"/elsewhere/{result.uuid}/"

    class PictureAdmin(GeneratedImageAdmin):
        def get_changelist(self, request, **kwargs):
            return picture_list_on(TheirList)

    images = pictures(2)
    request = rf.get(f"{GALLERY}?status=completed")
    request.user, request.session = editor, browser.session
    page = PictureAdmin(GeneratedImage, admin.site).changelist_view(request)
    cards = page.context_data["cl"].ideogram_cards
    assert {card.url.partition("?")[0] for card in cards} == {
        f"/elsewhere/{image.uuid}/" for image in images
    }

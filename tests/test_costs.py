"""What things cost, as exact counts of statements and commands: the same for one and for many.

Beside these: the template functions (``test_templatetags``), fixed places (``test_places``), the
status by kind of picture (``test_watching``), forms and their drafts (``test_field_drafts``),
reports of runs (``test_runs_admin``), estimates (``test_estimates``). That no statement reads all
pictures is shown by ``test_query_plans``.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver
from django.utils import timezone, translation
from redis import Redis

from ideogram_django import wakeups
from ideogram_django.drains import loop
from ideogram_django.estimates import typical_seconds
from ideogram_django.lifecycle import tokens
from ideogram_django.models import Charge, GeneratedImage, ProviderState, SpendingLimit
from ideogram_django.statuses import ChargeState, Status
from ideogram_django.views import payload
from ideogram_django.wording import Teller
from tests.big_gallery import big_gallery
from tests.magazine.models import Article
from tests.site import QueueServer
from tests.test_gallery import pictures
from tests.test_webhook import address, body_of, call

__all__ = ["big_gallery"]

pytestmark = pytest.mark.django_db

GALLERY = "/admin/ideogram_django/generatedimage/"
SENT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the block asks the database for; transactions' own words do not count."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield found
    words = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
    found += [one["sql"] for one in queries if not one["sql"].startswith(words)]


@contextmanager
def commands(url: str) -> Iterator[list[str]]:
    """What Redis is told while the block runs, by name."""
    found: list[str] = []
    with Redis.from_url(url) as server:
        server.config_resetstat()
        yield found
        for name, facts in server.info("commandstats").items():
            found += [name.removeprefix("cmdstat_")] * facts["calls"]
    ours = ("config", "info", "client", "hello")
    found[:] = sorted(one for one in found if not one.startswith(ours))


@pytest.fixture
def redis(queue_server: QueueServer, settings: Any) -> str:
    """One that nobody else speaks to: what it is told is counted by the server."""
    settings.RQ_QUEUES = {"default": {"URL": queue_server.url}}
    return queue_server.url


# --- asking for pictures ------------------------------------------------------------------------


def cost_of_many(count: int, run_callbacks: Callable[..., Any]) -> int:
    with statements() as asked, run_callbacks(execute=True):
        GeneratedImage.objects.generate_many([{"prompt": f"A fox {n}"} for n in range(count)])
    return len(asked)


def test_asking_for_thousands_costs_the_statements_of_one(
    django_capture_on_commit_callbacks: Any,
) -> None:
    """What the limits say and what they reserve, and each table written in one go."""
    SpendingLimit.objects.create(amount=100_000)
    cost_of_many(1, django_capture_on_commit_callbacks)  # makes the limit's period
    # SQLite tells the new rows' keys when it is asked.
    expected = 7 if connection.vendor == "sqlite" else 5
    for count in (1, 1000, 3000):
        assert cost_of_many(count, django_capture_on_commit_callbacks) == expected


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [1, 1000])
def test_asking_knocks_once(count: int, redis: str) -> None:
    wakeups.wake()  # connects
    with Redis.from_url(redis) as server:
        server.flushall()
    with commands(redis) as told:
        GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * count)
    assert told.count("set") == told.count("rpush") == 1
    assert len(told) < 12, told  # what rq needs for one job


GATE = ["set"]


# --- webhooks -----------------------------------------------------------------------------------


@pytest.fixture
def images(redis: str) -> list[GeneratedImage]:
    """Two that the provider has, as ``test_webhook`` names the job of the first."""
    made = GeneratedImage.objects.generate_many([{"prompt": "A fox"}, {"prompt": "A hare"}])
    for image in made:
        job = uuid.uuid4()
        GeneratedImage.objects.filter(pk=image.pk).update(
            status=Status.SUBMITTED, job_id=str(job), next_check_at=None
        )
    return list(GeneratedImage.objects.order_by("pk"))


def told_about(image: GeneratedImage, **changes: Any) -> tuple[list[str], bytes]:
    body = body_of(jobId=image.job_id, **changes)
    with statements() as asked:
        assert call(address(image), body).status_code == 204
    return asked, body


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_webhook_is_one_update_and_one_look_at_the_gate(
    images: list[GeneratedImage], redis: str
) -> None:
    first, second = images
    told_about(first)
    with commands(redis) as told:
        asked, body = told_about(second)
    assert len(asked) == 1
    assert asked[0].startswith("UPDATE")
    assert told == GATE

    # The same call again changes nothing, so that nobody is woken.
    with statements() as asked, commands(redis) as told:
        assert call(address(second), body).status_code == 204
    assert len(asked) == 1
    assert asked[0].startswith("UPDATE")
    assert told == []


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_hundred_webhooks_leave_one_job(redis: str) -> None:
    made = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 100)
    for image in made:
        GeneratedImage.objects.filter(pk=image.pk).update(
            status=Status.SUBMITTED, job_id=str(image.uuid)
        )
    with Redis.from_url(redis) as server:
        server.flushall()
        with commands(redis) as told:
            for image in made:
                assert call(address(image), body_of(jobId=str(image.uuid))).status_code == 204
            assert server.llen("rq:queue:default") == 1
    assert told.count("set") == 100


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_call_from_nobody_costs_nothing(images: list[GeneratedImage], redis: str) -> None:
    path = f"/ideogram/webhook/{images[0].uuid}/{tokens.make(images[1].uuid, 1)}/"
    with statements() as asked, commands(redis) as told:
        assert call(path, body_of()).status_code == 404
    assert asked == told == []


# --- news ---------------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("count", [1, 200])
def test_news_of_200_cost_what_news_of_one_do(count: int, browser: Client) -> None:
    ids = ",".join(str(image.uuid) for image in pictures(count))
    with statements() as asked:
        assert len(browser.get(f"/ideogram/status/?ids={ids}").json()["images"]) == count
    assert len(asked) == 3  # session, person, pictures


KINDS: dict[str, dict[str, Any]] = {
    "a draft": {"status": Status.DRAFT},
    "sent": {"status": Status.SUBMITTED, "submitted_at": SENT, "job_id": "1"},
    "being made": {"status": Status.PROCESSING, "submitted_at": SENT, "progress": 40},
    "of unknown age": {"status": Status.PROCESSING, "next_check_at": SENT},
    "finished": {"file": "a.png", "width": 800, "height": 600, "cost": Decimal("0.03")},
    "own work": {"file": "a.png", "uploaded": True},
    "failed": {"status": Status.FAILED, "error_code": "refused", "job_id": "1"},
    "failed unforeseen": {"status": Status.FAILED, "error_code": "new", "error_detail": "Oh"},
    "cancelled": {"status": Status.CANCELLED},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", [ChargeState.SETTLED, ChargeState.RESERVED])
def test_news_need_no_column_that_was_not_loaded(kind: str, state: str, browser: Client) -> None:
    cache.set("ideogram_django:typical_seconds", {})
    ProviderState.objects.create(last_sync=timezone.now())
    [image] = pictures(1, **KINDS[kind])
    Charge.objects.update(
        state=state, closed_at=None if state == ChargeState.RESERVED else timezone.now()
    )
    says = Teller(typical=typical_seconds())
    with statements() as asked:
        news = browser.get(f"/ideogram/status/?ids={image.uuid}").json()["images"]
    assert len(asked) == (4 if kind == "of unknown age" else 3), asked
    # What they tell is what the whole row would.
    assert news == [payload(GeneratedImage.objects.get(), says)]


# --- pages --------------------------------------------------------------------------------------

GALLERY_PAGE = 9
"""Session, person, state of the provider, limits, newest, profiles, count, page, sheets."""


@pytest.mark.parametrize("look", ["grid", "list"])
@pytest.mark.parametrize("count", [10, 100])
def test_a_gallery_page_of_100_costs_what_one_of_10_does(
    count: int, look: str, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib import admin

    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 100)
    ProviderState.objects.create(last_sync=timezone.now())
    browser.post(f"{GALLERY}look/", {"look": look})
    for _sheet in range(count // 5):
        pictures(5, batch=uuid.uuid4(), file="a.png")
    with statements() as asked:
        page = browser.get(GALLERY)
    assert len(page.context["cl"].result_list) == count
    assert len(asked) == GALLERY_PAGE, asked


def test_cards_look_up_no_address_and_no_words_of_their_own(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time each costs as much as all else on a card. Only a date may have words of its own."""
    from django.contrib import admin

    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 200)
    cache.set("ideogram_django:typical_seconds", {})
    found: list[str] = []

    def noted(holder: Any, name: str, word: Callable[..., str]) -> None:
        original = getattr(holder, name)

        def look_up(*args: Any, **kwargs: Any) -> Any:
            found.append(word(*args))
            return original(*args, **kwargs)

        monkeypatch.setattr(holder, name, look_up)

    getattr(translation, "_trans").gettext  # noqa: B009, B018 - Django brings it on first use
    noted(getattr(translation, "_trans"), "gettext", str)  # noqa: B009
    noted(URLResolver, "_reverse_with_prefix", lambda resolver, name, *_rest: f"address {name}")

    def page() -> Counter[str]:
        for facts in (KINDS["finished"], KINDS["failed"] | {"job_id": None}, KINDS["being made"]):
            pictures(10, batch=uuid.uuid4(), **facts)
        browser.get(f"{GALLERY}?e=1")
        found.clear()
        browser.get(f"{GALLERY}?status=completed")
        browser.get(GALLERY)
        return Counter(found)

    few, many = page(), page()
    assert few["address ideogram_django_generatedimage_change"] == 2
    assert set(many - few) <= {"a.m.", "p.m.", "noon", "midnight"}


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("history", [1, 10])
def test_a_page_of_100_pictures_is_one_query(count: int, history: int) -> None:
    """However often each was made anew."""
    heroes: list[GeneratedImage] = []
    for _time in range(history):
        newer = pictures(count, file="a.png", width=10, height=10)
        for old, new in zip(heroes, newer, strict=False):
            GeneratedImage.objects.filter(pk=new.pk).update(replaces=old)
        heroes = newer
    for hero in heroes:
        Article.objects.create(title=str(hero.pk), hero=hero)
    template = Template(
        "{% load ideogram %}{% for article in articles %}{% generated_image article.hero %}"
        "{% endfor %}"
    )
    with statements() as asked:
        page = template.render(Context({"articles": Article.objects.select_related("hero")}))
    assert page.count("<img") == count
    assert len(asked) == 1


# --- a sync with nothing to do --------------------------------------------------------------------

SYNC_PASS = 20
"""One pass of ``ideogram_sync`` with nothing due, its sweep included."""


def sync_pass() -> list[str]:
    """The statements of one pass, as soon as the account's balance is known."""
    ProviderState.objects.update_or_create(id=1, defaults={"balance_at": timezone.now()})
    with statements() as asked:
        loop.work(sync=True, tidy=True, linger=0)
    return asked


def test_a_sync_with_nothing_due() -> None:
    asked = sync_pass()
    assert len(asked) == SYNC_PASS, asked

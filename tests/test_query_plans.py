"""The database's own plans: what is asked again and again is answered from an index.

On SQLite and on PostgreSQL, with 20,000 pictures: enough for a planner to have a choice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from ideogram_django import conf, estimates
from ideogram_django.admin.limits import obstacles
from ideogram_django.apiframe import payloads
from ideogram_django.drains import housekeeping, loop, provider, retention
from ideogram_django.lifecycle import settling, transitions
from ideogram_django.models import Charge, GeneratedImage, ProviderState, Run
from ideogram_django.runs import feeding, reporting
from ideogram_django.statuses import ChargeState, ErrorCode, RunState, Status
from tests.big_gallery import ROWS, Statements, big_gallery, explained

__all__ = ["big_gallery"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("big_gallery")]

GALLERY = "/admin/ideogram_django/generatedimage/"
BY_UUID = ("uuid=?", "uuid = ")
BY_KEY = ("rowid=?", f"{GeneratedImage._meta.db_table}_pkey")
DUE = "ideogram_django_due"
BY_STATUS = "ideogram_django_by_status"
OF_RUNS = ("ideogram_django_of_run", BY_STATUS)  # few drafts, or a key beside the status


@pytest.fixture(autouse=True)
def no_estimates() -> None:
    cache.clear()
    ProviderState.objects.update_or_create(id=1, defaults={"last_sync": timezone.now()})


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def browser(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def run() -> Run:
    """A running one: 30 made, 20 to be started, all among the others."""
    run = Run.objects.create(
        name="Harbours", state=RunState.RUNNING, at_once=5, started_at=timezone.now()
    )
    newest = GeneratedImage.objects.order_by("-pk")
    made = list(newest.completed().values_list("pk", flat=True)[:30])
    waiting = list(newest.drafts().values_list("pk", flat=True)[:20])
    GeneratedImage.objects.filter(pk__in=[*made, *waiting]).update(run=run, batch=run.uuid)
    return run


def due(count: int = 20) -> None:
    under_way = GeneratedImage.objects.in_progress().values_list("pk", flat=True)[:count]
    past = timezone.now() - timedelta(minutes=1)
    GeneratedImage.objects.filter(pk__in=list(under_way)).update(next_check_at=past)


def assert_indexed(statements: Statements, *names: str | Sequence[str], least: int = 1) -> None:
    """At least ``least`` statements read pictures, none of them all, each by one of the names."""
    asked = statements.on_pictures
    assert len(asked) >= least, [str(one) for one in statements.all]
    for one in asked:
        assert not one.reads_all_pictures, str(one)
        assert any(name in one.plan for name in names) if names else True, str(one)


# --- drains -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "which",
    [
        {"status": Status.FETCHING},
        {"status": Status.PENDING, "bulk": False},
        {"status": Status.PENDING, "bulk": True},
        {"status": Status.SUBMITTING},
        {"status__in": provider.POLLED},
        {"status": Status.COMPLETED},
    ],
    ids=["fetch", "send", "send bulk", "recover", "poll", "widths"],
)
def test_what_is_due_is_found_by_its_index(which: dict[str, Any]) -> None:
    due()
    under_way = {"status": Status.PROCESSING, **which}
    under_way.pop("status__in", None)
    GeneratedImage.objects.in_progress().update(**under_way)
    with explained() as statements:
        claimed = transitions.claim(GeneratedImage.objects.filter(**which), limit=8, lease=60)
    assert len(claimed) == 8
    found, updated, read = statements.on_pictures
    assert DUE in found.plan
    assert any(name in updated.plan for name in (DUE, *BY_KEY))
    assert "ideogram_django_claimed" in read.plan


def test_whether_anything_is_due(settings: Any) -> None:
    with explained() as statements:
        assert not loop.anything_due(conf.current())
    assert_indexed(statements, DUE, *OF_RUNS)
    due()
    with explained() as statements:
        assert loop.anything_due(conf.current())
    assert_indexed(statements, DUE, *OF_RUNS)


def test_when_something_will_be_due() -> None:
    with explained() as statements:
        assert loop.seconds_to_next() is not None
    assert_indexed(statements, DUE)


def test_how_many_are_at_the_provider(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IN_FLIGHT": 1000}
    with explained() as statements:
        assert (
            provider.room_in_flight(conf.current())
            == 1000 - GeneratedImage.objects.in_progress().count()
        )
    assert_indexed(statements, BY_STATUS)


def test_a_sweep(settings: Any) -> None:
    with explained() as statements:
        assert housekeeping.sweep(conf.current()) == 0
    charges = [one for one in statements.all if Charge._meta.db_table in one.plan]
    assert len(charges) == 1
    assert "ideogram_django_reserved" in charges[0].plan
    for one in statements.all:
        assert not one.reads_all_pictures, str(one)


def test_what_old_charges_still_tell(settings: Any) -> None:
    """Emptied once: each sweep after that finds nothing, without looking at every charge."""
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "RETENTION": 1}
    Charge.objects.filter(pk__lte=3, state=ChargeState.SETTLED).update(body='{"prompt": "x"}')
    with explained() as statements:
        retention.expire(conf.current())
    (emptied,) = [one for one in statements.all if 'SET "body"' in one.sql]
    assert "ideogram_django_old_bodies" in emptied.plan
    assert not Charge.objects.exclude(state=ChargeState.RESERVED).exclude(body="").exists()


# --- webhooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        lambda rows, image: settling.hinted(rows, image.uuid, 1, image.job_id),
        lambda rows, image: settling.heard(
            rows,
            image.uuid,
            1,
            payloads.WebhookCall(
                event="job.completed",
                job_id=image.job_id,
                status=payloads.JobStatus.COMPLETED,
                image_urls=("https://cdn2.apiframe.ai/a.png",),
                credit_cost=3,
                error="",
            ),
        ),
    ],
    ids=["hint", "finished"],
)
def test_a_webhook_finds_its_row_by_the_public_id(told: Callable[..., bool]) -> None:
    image = GeneratedImage.objects.in_progress().latest("pk")
    with explained() as statements:
        assert told(GeneratedImage.objects.all(), image)
    (update,) = statements.all
    assert update.sql.startswith("UPDATE")
    assert_indexed(statements, *BY_UUID)


# --- bulk runs ----------------------------------------------------------------------------------


def test_running_runs_and_their_next_pictures(run: Run) -> None:
    with explained() as statements:
        assert feeding.hungry(conf.current())
        assert feeding.feed(conf.current()) == 5
    assert_indexed(statements, *OF_RUNS, *BY_UUID, *BY_KEY, least=4)


def test_where_a_run_stands(run: Run) -> None:
    with explained() as statements:
        assert reporting.report(run).count == 50
        reporting.seconds_left(run, reporting.report(run))
    assert_indexed(statements, "ideogram_django_of_run", least=3)


# --- pages --------------------------------------------------------------------------------------


def test_news_of_200_pictures(browser: Client) -> None:
    ids = GeneratedImage.objects.order_by("-pk").values_list("uuid", flat=True)[:200]
    address = f"/ideogram/status/?ids={','.join(map(str, ids))}"
    browser.get(address)
    with explained() as statements:
        assert len(browser.get(address).json()["images"]) == 200
    assert_indexed(statements, *BY_UUID, "uuid = ANY", "_uuid_", BY_STATUS)


def test_how_long_pictures_take() -> None:
    with explained() as statements:
        estimates.typical_seconds()
    assert_indexed(statements, BY_STATUS, BY_KEY[1])


def test_whether_anything_stands_still(rf: Any, root: User) -> None:
    request = rf.get("/")
    request.user = root
    ProviderState.objects.update(last_sync=None)
    with explained() as statements:
        assert obstacles(request).asleep
    assert_indexed(statements, BY_STATUS)


RARE = {
    "?status=failed": BY_STATUS,
    "?status=in_progress": BY_STATUS,
    "?status=draft": BY_STATUS,
    "?picked=yes": "ideogram_django_picked",
    "?model=ideogram-v3-turbo": "ideogram_django_by_model",
    "?alt=missing": "ideogram_django_no_alt",
    f"?error={ErrorCode.GAVE_UP}": "ideogram_django_by_error",
    "?profile=house&version=3": "ideogram_django_of_profile",
    "?created_at__gte=2200-01-01+00%3A00%3A00%2B00%3A00": "ideogram_django_by_time",
    "?who=me": "_requested_by_id_",
    "?batch={batch}": "_batch_",
}
"""Filters that may match few pictures or none, and what finds them."""


@pytest.fixture
def few(root: User) -> dict[str, Any]:
    """Each rare filter matches three pictures of the oldest: going back would read all rows."""
    rows = GeneratedImage.objects.completed().order_by("pk")
    first = list(rows.values_list("pk", flat=True)[:3])
    GeneratedImage.objects.update(picked=False)
    GeneratedImage.objects.completed().filter(alt_text="").update(alt_text="Told")
    values = {
        "picked": True,
        "alt_text": "",
        "model": "ideogram-v3-turbo",
        "error_code": ErrorCode.GAVE_UP,
        "profile": "house",
        "profile_version": 3,
        "requested_by": root,
        "batch": uuid.uuid4(),
    }
    GeneratedImage.objects.filter(pk__in=first).update(**values)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
    return {"batch": values["batch"]}


@pytest.mark.parametrize("query", RARE, ids=lambda query: query[1:20])
def test_a_filter_that_finds_few(query: str, browser: Client, few: dict[str, Any]) -> None:
    with explained() as statements:
        page = browser.get(GALLERY + query.format(**few))
    assert page.status_code == 200
    assert_indexed(statements)
    index = RARE[query]
    # The page and its count; an empty page is not asked for.
    assert len(statements.using(index)) >= (2 if page.context["cl"].result_count else 1), [
        str(one) for one in statements.on_pictures
    ]


@pytest.mark.parametrize("query", ["", "?p=2", "?used=anywhere", "?used=nowhere", "?picked=no"])
def test_no_page_reads_all_rows(query: str, browser: Client) -> None:
    assert GeneratedImage.objects.count() == ROWS
    browser.get(GALLERY)
    with explained() as statements:
        assert browser.get(GALLERY + query).status_code == 200
    for one in statements.on_pictures:
        limited = "LIMIT" in one.sql
        assert limited or not one.reads_all_pictures, str(one)


def test_a_pictures_family(browser: Client) -> None:
    image = GeneratedImage.objects.completed().filter(replaces__isnull=False).latest("pk")
    GeneratedImage.objects.filter(pk=image.pk).update(parent=F("replaces"))
    with explained() as statements:
        assert browser.get(f"{GALLERY}{image.pk}/change/").status_code == 200
    assert_indexed(statements, least=4)


# --- what most pictures do not have -------------------------------------------------------------


@pytest.mark.parametrize("name", ["parent", "replaces", "run"])
def test_what_points_at_something_that_is_deleted(name: str, run: Run) -> None:
    key = run.pk if name == "run" else GeneratedImage.objects.completed().latest("pk").pk
    with explained() as statements:
        # As Django's collector asks before it deletes.
        list(GeneratedImage._base_manager.filter(**{f"{name}__in": [key]}))
    assert_indexed(statements, f"ideogram_django_of_{name}")


def test_whether_the_same_file_is_here() -> None:
    hashes = [f"{number:064x}" for number in range(3)]
    with explained() as statements:
        found = GeneratedImage.objects.completed().filter(sha256__in=hashes).exclude(sha256="")
        list(found.exclude(file="").order_by().values_list("pk", "sha256", "uuid"))
    assert_indexed(statements, "ideogram_django_by_hash")

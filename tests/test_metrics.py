"""The figures for monitoring: what they say, who may read them, and what reading them costs."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ideogram_django import conf, metrics
from ideogram_django.budget.models import Charge
from ideogram_django.drains import provider
from ideogram_django.management import examinations
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.statuses import ChargeState, ErrorCode, PauseCode, Status

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-long-and-random-word"
URL = "/ideogram/metrics/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _open(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "METRICS_TOKEN": TOKEN}


def scrape(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, read as Prometheus reads them."""
    response = client.get(URL, headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(response.content.decode())
        for one in family.samples
    }


def made(count: int, status: Status, **facts: Any) -> list[GeneratedImage]:
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * count)
    rows = GeneratedImage.objects.filter(pk__in=[image.pk for image in images])
    rows.update(status=status, **{"next_check_at": None, **facts})
    return images


def spent(image: GeneratedImage, amount: str) -> None:
    Charge.objects.filter(image=image.uuid).update(
        state=ChargeState.SETTLED, charged=Decimal(amount), closed_at=timezone.now()
    )


# --- what they say ------------------------------------------------------------------------------


def test_an_empty_site(client: Client, settings: Any) -> None:
    settings.RQ_QUEUES = {"default": {"URL": "redis://127.0.0.1:1/0"}}
    found = scrape(client)
    assert all(found["ideogram_pictures", status] == 0 for status in Status.values)
    assert found["ideogram_due_pictures",] == found["ideogram_oldest_due_seconds",] == 0
    assert found["ideogram_spend_today", "USD", "settled"] == 0
    assert found["ideogram_paused",] == 0
    absent = {"ideogram_credits", "ideogram_last_sync_timestamp_seconds", "ideogram_workers"}
    assert not absent & {name for name, *_labels in found}


def test_pictures_by_status(client: Client) -> None:
    made(3, Status.SUBMITTED)
    made(2, Status.FAILED, error_code=ErrorCode.REFUSED)
    found = scrape(client)
    told = {status: found["ideogram_pictures", status] for status in Status.values}
    assert {status: count for status, count in told.items() if count} == {
        "submitted": 3,
        "failed": 2,
    }


def test_counting_stops(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_COUNTED", 2)
    made(3, Status.PENDING, next_check_at=timezone.now() - timedelta(seconds=1))
    found = scrape(client)
    assert found["ideogram_pictures", "pending"] == found["ideogram_due_pictures",] == 2


def test_the_oldest_work_that_is_due(client: Client) -> None:
    now = timezone.now()
    made(1, Status.FETCHING, next_check_at=now - timedelta(minutes=5))
    made(1, Status.PENDING, next_check_at=now - timedelta(hours=2))
    made(1, Status.SUBMITTED, next_check_at=now + timedelta(hours=2))
    found = scrape(client)
    assert found["ideogram_due_pictures",] == 2
    assert found["ideogram_oldest_due_seconds",] == pytest.approx(7200, abs=30)


def test_a_pause_makes_waiting_pictures_not_late_but_shows_itself(client: Client) -> None:
    made(1, Status.PENDING, next_check_at=timezone.now() - timedelta(hours=2))
    provider.state()
    provider.pause(PauseCode.UNAUTHORIZED)
    found = scrape(client)
    assert (found["ideogram_paused",], found["ideogram_oldest_due_seconds",]) == (1, 0)


def test_the_time_to_a_picture(client: Client) -> None:
    now = timezone.now().replace(microsecond=0)
    images = made(20, Status.COMPLETED)
    for number, image in enumerate(images, 1):
        Charge.objects.filter(image=image.uuid).update(created_at=now)
        GeneratedImage.objects.filter(pk=image.pk).update(
            finished_at=now + timedelta(seconds=number)
        )
    GeneratedImage.objects.create(
        prompt="", status=Status.COMPLETED, uploaded=True, finished_at=now + timedelta(hours=1)
    )
    found = scrape(client)
    name = "ideogram_time_to_picture_seconds"
    assert found[name, "0.5"] == pytest.approx(10.5)
    assert found[name, "0.95"] == pytest.approx(19.05)
    assert found["ideogram_last_picture_timestamp_seconds",] == now.timestamp() + 20


def test_one_picture_has_a_time_as_well(client: Client) -> None:
    (image,) = made(1, Status.COMPLETED)
    asked = Charge.objects.get(image=image.uuid).created_at
    GeneratedImage.objects.update(finished_at=asked + timedelta(seconds=7))
    assert scrape(client)["ideogram_time_to_picture_seconds", "0.95"] == pytest.approx(7)


def test_money_since_midnight_in_the_sites_time_zone(client: Client) -> None:
    # In Berlin it is half past midnight already.
    with time_machine.travel("2026-05-04T22:30:00+00:00", tick=False):
        before, settled, other, _open, given_back = made(5, Status.SUBMITTED)
        Charge.objects.filter(image=before.uuid).update(
            created_at=timezone.now() - timedelta(minutes=31)
        )
        spent(before, "5")
        spent(settled, "0.1")
        spent(other, "0.2")
        Charge.objects.filter(image=given_back.uuid).update(
            state=ChargeState.RELEASED, charged=Decimal(0), closed_at=timezone.now()
        )
        found = scrape(client)
    # Not 0.30000000000000004, as the sum of two binary fractions would be.
    assert found["ideogram_spend_today", "USD", "settled"] == 0.3
    assert found["ideogram_spend_today", "USD", "reserved"] == 0.03
    counts = [found["ideogram_charges_today", "USD", state] for state in ChargeState.values]
    assert counts == [1, 2, 1]


def test_heartbeats_and_the_balance(client: Client) -> None:
    provider.state()
    moment = timezone.now().replace(microsecond=0)
    ProviderState.objects.update(last_sync=moment, last_drain=moment, balance=12)
    found = scrape(client)
    assert found["ideogram_last_sync_timestamp_seconds",] == moment.timestamp()
    assert found["ideogram_last_worker_timestamp_seconds",] == moment.timestamp()
    assert found["ideogram_credits",] == 12


@pytest.mark.redis
def test_who_listens(client: Client, settings: Any, redis_server: str) -> None:
    settings.RQ_QUEUES = {settings.QUEUE: {"URL": redis_server}}
    assert scrape(client)["ideogram_workers",] == 0


def test_nothing_private_is_told(client: Client) -> None:
    user = User.objects.create(username="ada.lovelace")
    GeneratedImage.objects.generate("A secret plan", requested_by=user)
    text = client.get(URL, headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    labels = set(re.findall(r'(\w+)="', text))
    assert labels == {"status", "currency", "state"}
    assert not re.search("ada|secret|afk_", text)


# --- what it costs ------------------------------------------------------------------------------


def test_five_queries_whatever_there_is(client: Client) -> None:
    provider.state()
    for count in (1, 40):
        made(count, Status.COMPLETED, finished_at=timezone.now())
        made(count, Status.PENDING, next_check_at=timezone.now())
        with CaptureQueriesContext(
            connection,
        ) as queries:
            scrape(client)
        assert len(queries) == 5, [one["sql"] for one in queries]


def test_no_query_reads_all_rows(client: Client) -> None:
    """By the plans: every table is entered through an index."""
    provider.state()
    made(3, Status.COMPLETED, finished_at=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        scrape(client)
    plans = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        for one in queries:
            cursor.execute(explain + one["sql"])
            plans += [str(row) for row in cursor.fetchall()]
    of_pictures = [
        plan for plan in plans if re.search("ideogram_django_(generatedimage|charge)", plan)
    ]
    assert of_pictures
    assert not [plan for plan in of_pictures if re.search(r"SCAN (?!.*INDEX)|Seq Scan", plan)]


def test_the_doctor_asks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made(1, Status.PENDING, next_check_at=timezone.now() - timedelta(hours=2))
    asked = []
    real = metrics.due
    monkeypatch.setattr(metrics, "due", lambda *given: asked.append(given) or real(*given))
    (finding,) = examinations.work_is_taken_up(conf.current())
    assert asked
    assert finding.text.startswith("1 picture due since 2 hours ago")


# --- who may read them --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer ü", "Bearer x " + TOKEN],
)
def test_without_the_token(client: Client, header: str) -> None:
    response = client.get(URL, headers={"Authorization": header} if header else {})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert b"ideogram_" not in response.content


@pytest.mark.parametrize("token", [None, ""])
def test_without_the_setting_there_is_no_such_page(
    client: Client, settings: Any, token: str | None
) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "METRICS_TOKEN": token}
    client.force_login(User.objects.create_superuser("root"))
    for header in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert client.get(URL, headers={"Authorization": header}).status_code == 404


def test_staff_who_may_see_pictures_and_charges(client: Client) -> None:
    user = User.objects.create(username="ada", is_staff=True)
    client.force_login(user)
    assert client.get(URL).status_code == 401
    for name in ("view_generatedimage", "view_charge"):
        user.user_permissions.add(Permission.objects.get(codename=name))
    assert client.get(URL).status_code == 200
    User.objects.update(is_staff=False)
    assert client.get(URL).status_code == 401


def test_reading_only(client: Client) -> None:
    header = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post(URL, headers=header).status_code == 405
    assert client.head(URL, headers=header).status_code == 200
    assert "no-cache" in client.get(URL, headers=header)["Cache-Control"]


# --- a registry of the site's own, and none at all ----------------------------------------------


def test_in_a_registry_of_the_site(django_assert_num_queries: Any) -> None:
    registry = CollectorRegistry()
    with django_assert_num_queries(0):
        registry.register(metrics.Collector())
    made(2, Status.PROCESSING)
    assert registry.get_sample_value("ideogram_pictures", {"status": "processing"}) == 2


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs/howto/monitoring.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == set(metrics.FAMILIES)
    rules = page.partition("## When to be woken")[2].partition("\n```\n")[0]
    asked = set(re.findall(r"ideogram_\w+", " ".join(re.findall("expr: (.*)", rules))))
    assert asked
    assert asked <= set(metrics.FAMILIES)


def test_without_the_library_it_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ImproperlyConfigured, match=r"ideogram-django\[metrics\]"):
        client.get(URL, headers={"Authorization": f"Bearer {TOKEN}"})
    assert client.get(URL).status_code == 401

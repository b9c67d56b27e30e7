"""How long a picture will take: by experience, cheaply, and nothing where nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from ideogram_django import estimates, wording
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TURBO, QUALITY = "ideogram-v4-turbo", "ideogram-v4-quality"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def made(*seconds: float, model: str = TURBO, **changes: Any) -> None:
    """Finished pictures that took so long, oldest first."""
    for one in seconds:
        image = GeneratedImage.objects.generate("A fox")
        facts = {
            "model": model,
            "status": Status.COMPLETED,
            "submitted_at": NOON,
            "finished_at": NOON + timedelta(seconds=one),
            **changes,
        }
        GeneratedImage.objects.filter(pk=image.pk).update(**facts)


def under_way(**changes: Any) -> GeneratedImage:
    facts = {"model": TURBO, "status": Status.PROCESSING, "submitted_at": NOON, **changes}
    return GeneratedImage(prompt="A fox", **facts)


def test_the_median_of_the_sites_own_pictures() -> None:
    made(10, 12, 500)
    made(30, 31, 40, 41, model=QUALITY)
    typical = estimates.typical_seconds()
    assert (typical[TURBO], typical[QUALITY]) == (12, 35.5)


def test_the_providers_word_holds_until_there_are_enough() -> None:
    promised = estimates.typical_seconds()[TURBO]
    made(100, 100)
    cache.clear()
    assert estimates.typical_seconds()[TURBO] == promised != 100
    made(100)
    cache.clear()
    assert estimates.typical_seconds()[TURBO] == 100


def test_a_model_that_nobody_has_timed_is_absent() -> None:
    assert "a-model-of-tomorrow" not in estimates.typical_seconds()
    assert estimates.seconds_left(under_way(model="a-model-of-tomorrow"), {TURBO: 10}) is None


def test_a_model_that_the_catalogue_does_not_know_is_timed_all_the_same() -> None:
    made(5, 6, 7, model="a-model-of-tomorrow")
    assert estimates.typical_seconds()["a-model-of-tomorrow"] == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.FAILED},
        {"status": Status.CANCELLED},
        {"submitted_at": None},
        {"uploaded": True, "submitted_at": None},
    ],
    ids=["failed", "cancelled", "never sent", "uploaded"],
)
def test_only_what_was_made_counts(changes: dict[str, Any]) -> None:
    before = estimates.typical_seconds()
    made(1, 1, 1, **changes)
    cache.clear()
    assert estimates.typical_seconds() == before


def test_only_the_newest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "RECENT", 3)
    made(900, 900, 900, 900, 7, 8, 9)
    assert estimates.typical_seconds()[TURBO] == 8


def test_one_query_that_reads_no_more_rows_than_it_needs() -> None:
    made(1)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        estimates.typical_seconds()
    (sql,) = [query["sql"] for query in queries]
    assert sql.endswith(f"LIMIT {estimates.RECENT}")
    # Nothing but the index's own columns decides which rows those are.
    condition = sql[sql.index("WHERE") : sql.index("LIMIT")]
    columns = {"status", "id"}
    named = {
        part for part in condition.split('"')[1::2] if part != "ideogram_django_generatedimage"
    }
    assert named == columns
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert "ideogram_django_by_status" in plan
        assert "TEMP B-TREE" not in plan


def test_it_is_asked_once_a_minute(django_assert_num_queries: Callable[[int], Any]) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        with django_assert_num_queries(1):
            for _time in range(5):
                estimates.typical_seconds()
        clock.shift(estimates.KEPT_SECONDS + 1)
        with django_assert_num_queries(1):
            estimates.typical_seconds()


def test_nothing_measured_is_remembered_as_well(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    estimates.typical_seconds()
    with django_assert_num_queries(0):
        estimates.typical_seconds()


@pytest.mark.parametrize(("elapsed", "left"), [(0, 20), (5, 15), (20, 0), (50, -30)], ids=str)
def test_what_is_left_of_it(elapsed: float, left: float) -> None:
    with time_machine.travel(NOON + timedelta(seconds=elapsed), tick=False):
        assert estimates.seconds_left(under_way(), {TURBO: 20}) == left


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.PENDING, "submitted_at": None},
        {"status": Status.FETCHING},
        {"status": Status.COMPLETED},
        {"submitted_at": None},
    ],
    ids=["waiting", "being fetched", "finished", "no answer yet"],
)
def test_nobody_can_say(changes: dict[str, Any]) -> None:
    assert estimates.seconds_left(under_way(**changes), {TURBO: 20}) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "It takes longer than usual."),
        (0, "It takes longer than usual."),
        (0.3, "About 1 second left."),
        (7.4, "About 7 seconds left."),
        (13, "About 15 seconds left."),
        (90, "About 90 seconds left."),
        (91, "About 2 minutes left."),
        (600, "About 10 minutes left."),
    ],
)
def test_a_guess_is_rounded_like_one(seconds: float, said: str) -> None:
    with override("en"):
        assert wording.time_left(seconds) == said


def test_an_overdue_picture_says_so() -> None:
    with override("en"), time_machine.travel(NOON + timedelta(minutes=5), tick=False):
        said = wording.sentence(under_way(), typical={TURBO: 20})
    assert said == "The provider is making the picture. It takes longer than usual."

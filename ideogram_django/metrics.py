"""How things stand, in figures: for the doctor, and as Prometheus reads them.

A handful of queries of bounded cost, whatever the number of pictures. No label names a person or
repeats a prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, IntegerField, Min, Subquery
from django.utils import timezone

from ideogram_django import conf, wakeups
from ideogram_django.budget import ledger
from ideogram_django.conf import AppSettings
from ideogram_django.drains import provider
from ideogram_django.estimates import newest_finished
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.statuses import ChargeState, Status

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

MOST_COUNTED = 100_000
"""Counting stops here: an index is read entry by entry, and more alarms nobody more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The work that a drain could take up now."""

    count: int
    """At most :data:`MOST_COUNTED`."""
    oldest: datetime | None
    """When the first of it fell due."""

    @property
    def seconds(self) -> float:
        """For how long the first of it has been waiting."""
        return (timezone.now() - self.oldest).total_seconds() if self.oldest else 0.0


def due(settings: AppSettings, current: ProviderState) -> Due:
    """How much work is due, and since when; what a pause holds up is none. One query."""
    rows = provider.due_now(settings, current).order_by("next_check_at")[:MOST_COUNTED]
    return Due(**rows.aggregate(count=Count("pk"), oldest=Min("next_check_at")))


def pictures() -> Mapping[str, int]:
    """Pictures by status, each counted up to :data:`MOST_COUNTED`. One query."""
    counts: dict[str, Any] = {}
    for status in Status:
        rows = GeneratedImage.objects.filter(status=status).order_by().values("pk")
        counts[str(status)] = _Counted(rows[:MOST_COUNTED])
    found: Any = ProviderState.objects.values(**counts).first()
    return found or dict.fromkeys(counts, 0)


class _Counted(Subquery):
    """How many rows a query has, its slice included; ``Count`` would read on past that."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the newest pictures took, from the order to the file in storage."""

    seconds: Sequence[float]
    last: datetime | None
    """When the last of them was finished."""

    @property
    def quantiles(self) -> Mapping[str, float]:
        """Seconds by the share of pictures that took no longer; empty where there are none."""
        if not self.seconds:
            return {}
        # Of one picture alone there is no spread, and the function refuses it.
        some = [*self.seconds, *self.seconds] if len(self.seconds) == 1 else self.seconds
        twentieths = quantiles(some, n=20, method="inclusive")
        return {"0.5": twentieths[9], "0.95": twentieths[18]}


def pace() -> Pace:
    """Of the newest pictures, without uploads: nobody waited for those. One query."""
    rows = newest_finished("charge__created_at", "finished_at")
    made = [(asked, finished) for asked, finished in rows if asked and finished]
    return Pace(
        seconds=[(finished - asked).total_seconds() for asked, finished in made],
        last=max((finished for _asked, finished in made), default=None),
    )


# --- as Prometheus reads it ---------------------------------------------------------------------


class Collector:
    """For a registry of ``prometheus_client`` that the site has already.

    ``REGISTRY.register(Collector())`` in a module that the web process imports; the figures are
    read from the database at each scrape, never before.
    """

    def describe(self) -> list[GaugeMetricFamily]:
        """The names alone: a registry asks for them while the site is still starting."""
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = _families()
        for name, labels, value in _samples():
            families[name].add_metric(labels, value)
        yield from families.values()


def as_text() -> tuple[bytes, str]:
    """The figures in Prometheus's text format, and its content type.

    Raises ``ImproperlyConfigured`` where ``prometheus-client`` is not installed.
    """
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    except ImportError as error:
        raise ImproperlyConfigured(
            "METRICS_TOKEN is set, but prometheus-client is not installed. "
            'Run: pip install "ideogram-django[metrics]"'
        ) from error
    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry), CONTENT_TYPE_LATEST


FAMILIES: Mapping[str, tuple[str, Sequence[str]]] = {
    "ideogram_pictures": (
        f"Pictures by status. Counting stops at {MOST_COUNTED} for each status.",
        ["status"],
    ),
    "ideogram_due_pictures": (
        f"Pictures that a worker could take up now. Counting stops at {MOST_COUNTED}.",
        [],
    ),
    "ideogram_oldest_due_seconds": ("For how long the first of them has been waiting.", []),
    "ideogram_time_to_picture_seconds": (
        "From the order to the file in storage, of the newest finished pictures.",
        ["quantile"],
    ),
    "ideogram_last_picture_timestamp_seconds": ("When the last of them was finished.", []),
    "ideogram_charges_today": (
        "Attempts charged for since midnight in the site's time zone.",
        ["currency", "state"],
    ),
    "ideogram_spend_today": (
        "What they cost: reserved at the expected price, settled at what was charged.",
        ["currency", "state"],
    ),
    "ideogram_paused": ("1 while nothing may be sent to the provider, else 0.", []),
    "ideogram_credits": ("Credits left in the provider account when it was last asked.", []),
    "ideogram_last_worker_timestamp_seconds": ("When a worker last began a slice of work.", []),
    "ideogram_last_sync_timestamp_seconds": ("When ideogram_sync last began a pass.", []),
    "ideogram_workers": ("Workers that listen on the queue, where the queue tells.", []),
    "ideogram_queue_jobs": ("Wake-ups waiting in the queue, where the queue tells.", []),
}
"""Every metric: what it says, and its labels. All of them are gauges."""

Sample = tuple[str, Sequence[str], float]


def _families() -> dict[str, GaugeMetricFamily]:
    from prometheus_client.core import GaugeMetricFamily

    return {
        name: GaugeMetricFamily(name, said, labels=labels)
        for name, (said, labels) in FAMILIES.items()
    }


def _samples() -> Iterator[Sample]:
    """What nobody knows is left out: to Prometheus an absent figure is one more thing to watch."""
    settings = conf.current()
    current = provider.state()
    for status, count in pictures().items():
        yield "ideogram_pictures", [status], count
    waiting = due(settings, current)
    yield "ideogram_due_pictures", [], waiting.count
    yield "ideogram_oldest_due_seconds", [], max(waiting.seconds, 0.0)
    recent = pace()
    for share, seconds in recent.quantiles.items():
        yield "ideogram_time_to_picture_seconds", [share], seconds
    yield from _moment("ideogram_last_picture_timestamp_seconds", recent.last)
    yield from _money(settings)
    yield "ideogram_paused", [], not provider.may_send(current, settings)
    yield from _known("ideogram_credits", current.balance)
    yield from _moment("ideogram_last_worker_timestamp_seconds", current.last_drain)
    yield from _moment("ideogram_last_sync_timestamp_seconds", current.last_sync)
    if wakeups.can_count():
        yield from _known("ideogram_workers", wakeups.worker_count())
        yield from _known("ideogram_queue_jobs", wakeups.waiting())


def _money(settings: AppSettings) -> Iterator[Sample]:
    spent = {(one.currency, one.state): one for one in ledger.spent_today()}
    currencies = {settings.CURRENCY, *(currency for currency, _state in spent)}
    for currency in sorted(currencies):
        for state in (ChargeState.RESERVED, ChargeState.SETTLED, ChargeState.RELEASED):
            one = spent.get((currency, state))
            labels = [currency, str(state)]
            yield "ideogram_charges_today", labels, one.count if one else 0
            if state != ChargeState.RELEASED:
                yield "ideogram_spend_today", labels, float(one.amount if one else Decimal(0))


def _moment(name: str, moment: datetime | None) -> Iterator[Sample]:
    if moment is not None:
        yield name, [], moment.timestamp()


def _known(name: str, value: Any) -> Iterator[Sample]:
    if value is not None:
        yield name, [], value

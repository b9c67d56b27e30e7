"""How often the provider is asked about a job: by its age, and sooner while somebody looks on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle.transitions import later
from ideogram_django.statuses import Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

ASKED_ABOUT = (Status.SUBMITTED, Status.PROCESSING)
COLUMNS = (
    *("uuid", "status", "bulk", "attempt", "claim", "checks", "not_found", "job_id", "job_hint"),
    *("error_code", "created_at", "submitted_at", "charge"),
)
"""What asking about a job reads of its picture, unless there is news."""
LONGEST = 300.0
"""Seconds between two polls, at most."""


def age(image: GeneratedImage) -> float:
    """Seconds since the provider got it; before that, since it was asked for."""
    return (timezone.now() - (image.submitted_at or image.created_at)).total_seconds()


def rhythm(image: GeneratedImage, settings: AppSettings) -> float:
    """Seconds between two polls: a fifth of the age, so that a slow job costs few calls."""
    return min(max(age(image) / 5, settings.POLL_INTERVAL), LONGEST)


def next_check(image: GeneratedImage, settings: AppSettings) -> float:
    """Seconds from a poll to the next one.

    A look that somebody's watching brought about leaves the rest to the webhook, as if there had
    been none; where one was heard, but proved nothing, the API lags and is asked on.
    """
    if settings.webhooks_enabled and not image.job_hint:
        return max(rhythm(image, settings), settings.FIRST_POLL_WITH_WEBHOOK - age(image))
    return rhythm(image, settings)


def watch(
    rows: GeneratedImageQuerySet, images: Iterable[GeneratedImage], settings: AppSettings
) -> bool:
    """Somebody looks at these: poll them as if no webhook were expected, for as long as they do.

    Writes only where a row has to be brought forward, which holds for one poll, and never to
    less than ``POLL_INTERVAL`` after the last one. True where a row is due and nobody is at it,
    so that a worker should be woken; until it is due, nothing wakes anybody but the next look.
    """
    now = timezone.now()
    free = [image for image in images if image.status in ASKED_ABOUT and not _is_held(image, now)]
    waiting = [image for image in free if _waits_for_webhook(image, now, settings)]
    if waiting:
        interval = timedelta(seconds=settings.POLL_INTERVAL)
        rows.filter(
            Q(lease_until__isnull=True) | Q(lease_until__lte=Now()),
            pk__in=[image.pk for image in waiting],
            status__in=ASKED_ABOUT,
            next_check_at__gt=later(settings.POLL_INTERVAL),
        ).update(
            # Before the first poll its earliest moment is known; of a later one only that the
            # last was before now.
            next_check_at=Case(
                When(
                    checks=0,
                    submitted_at__isnull=False,
                    then=Greatest(
                        Now(),
                        ExpressionWrapper(
                            F("submitted_at") + Value(interval), output_field=DateTimeField()
                        ),
                        output_field=DateTimeField(),
                    ),
                ),
                default=later(settings.POLL_INTERVAL),
                output_field=DateTimeField(),
            )
        )
    brought = any(not one.checks and age(one) >= settings.POLL_INTERVAL for one in waiting)
    return brought or any(one.next_check_at and one.next_check_at <= now for one in free)


def _is_held(image: GeneratedImage, now: datetime) -> bool:
    return image.lease_until is not None and image.lease_until > now


def _waits_for_webhook(image: GeneratedImage, now: datetime, settings: AppSettings) -> bool:
    """Whether it rests until the webhook should have come, and not because a poll failed."""
    if not settings.webhooks_enabled or image.next_check_at is None or image.submitted_at is None:
        return False
    first = image.submitted_at + timedelta(seconds=settings.FIRST_POLL_WITH_WEBHOOK)
    # By two clocks, so not to the second.
    near = timedelta(seconds=settings.POLL_INTERVAL)
    rest = (image.next_check_at - now).total_seconds()
    return image.next_check_at >= first - near and rest > rhythm(image, settings)

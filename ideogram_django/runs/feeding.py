"""Starting a few pictures of each run at a time. A drain calls this; nothing else does.

The run's own row is locked by the first UPDATE, so two drains never count the same room or the
same money: what one has started, the other one sees.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from ideogram_django import lifecycle, wakeups
from ideogram_django.budget import limits
from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle import wishes
from ideogram_django.runs import preparing, reporting, steering
from ideogram_django.runs.models import Run
from ideogram_django.statuses import RunPause, RunState

logger = logging.getLogger(__name__)


def feed(settings: AppSettings) -> int:
    """Start what every running run has room and money for, the longest unfed run first.

    The number of pictures started. A run that comes to its ceiling, or to a spending limit, is
    paused with the reason; one that has nothing left is finished.
    """
    if not settings.SPENDING_ENABLED:
        return 0
    hungry_first = Run.objects.running().order_by(F("fed_at").asc(nulls_first=True))
    return sum(_feed_in_turn(run, settings) for run in hungry_first)


def _feed_in_turn(run: Run, settings: AppSettings) -> int:
    """One that cannot be fed, for whatever reason, keeps no other one hungry."""
    try:
        return feed_one(run, settings)
    except (OperationalError, InterfaceError, wakeups.JobTimeoutException):
        raise  # the whole drain's matter
    except Exception:
        logger.exception("Run %s could not be fed", run.uuid)
        Run.objects.filter(pk=run.pk).update(fed_at=Now())  # to the end of the queue
        return 0


def feed_one(run: Run, settings: AppSettings) -> int:
    """Start what this run has room and money for now. The same lock as in a drain."""
    if not settings.SPENDING_ENABLED:
        return 0
    try:
        return _feed(run, settings)
    except ValidationError as error:
        # Somebody took the money, or a picture, between our look and our grasp: next time.
        logger.info("Run %s waits: %s", run.uuid, " ".join(error.messages))
        return 0


def hungry(settings: AppSettings) -> bool:
    """Whether some run has pictures to start or is to be finished."""
    if not settings.SPENDING_ENABLED:
        return False
    running = Run.objects.running()
    busy = _pictures().in_progress().filter(run=OuterRef("pk"))
    waiting = _pictures().drafts().filter(run=OuterRef("pk"), error_code="")
    if running.filter(~Exists(busy)).exists():
        return True
    return any(
        run.at_once > run.images.in_progress().count() and not _waits_for_refunds(run)
        for run in running.filter(Exists(waiting))
    )


def _waits_for_refunds(run: Run) -> bool:
    """At its ceiling, but what is reserved may still be given back: a failure costs nothing."""
    if run.ceiling is None:
        return False
    reserved, charged = reporting.committed(run)
    following = run.pictures.drafts().filter(error_code="").first()
    needed = (following.price if following is not None else None) or Decimal(0)
    return reserved > 0 and run.ceiling < reserved + charged + needed


def _feed(run: Run, settings: AppSettings) -> int:
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(fed_at=Now()):
            return 0
        run.refresh_from_db()
        active = run.images.in_progress().count()
        waiting = run.pictures.drafts().filter(error_code="")
        rows = waiting.select_related("parent") if run.again_of_id else waiting
        drafts = list(rows[: max(run.at_once - active, 0)])
        if not drafts:
            if not active and not waiting.exists():
                steering.finish(run)
            return 0
        priced = _priced(run, drafts, settings)
        chosen, reason = _affordable(run, priced)
        if chosen:
            lifecycle.start_many(chosen, by_run=True)
        elif reason is not None and not (reason == RunPause.CEILING and _waits_for_refunds(run)):
            steering.pause(run, reason)
        return len(chosen)


def _priced(run: Run, drafts: Sequence[Any], settings: AppSettings) -> list[tuple[Any, Decimal]]:
    """Those that can still be made, at today's price; the others are marked and passed over."""
    found = []
    for image in drafts:
        try:
            if run.again_of_id and (reason := preparing.made_already(image)):
                raise reason
            wish = wishes.check(wishes.request_of(image), settings)
        except ValidationError as error:
            preparing.unusable(image, error)
        else:
            found.append((image, wish.price.amount))
    return found


def _affordable(
    run: Run, priced: Sequence[tuple[Any, Decimal]]
) -> tuple[list[Any], RunPause | None]:
    """As many as the ceiling and every spending limit have room for, and what stands in the way."""
    rooms: list[tuple[Decimal, RunPause]] = [
        (allowance.left, RunPause.LIMIT) for allowance in limits.allowances(run.requested_by)
    ]
    if run.ceiling is not None:
        rooms.append((run.ceiling - sum(reporting.committed(run)), RunPause.CEILING))
    if not rooms:
        return [image for image, _price in priced], None
    room, reason = min(rooms, key=lambda one: one[0])
    chosen: list[Any] = []
    total = Decimal(0)
    for image, price in priced:
        total += price
        if total > room:
            return chosen, reason
        chosen.append(image)
    return chosen, None


def _pictures() -> Any:
    relation: Any = Run._meta.get_field("images")
    return relation.related_model._default_manager.all()

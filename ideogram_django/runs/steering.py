"""Starting, pausing, resuming and stopping runs: guarded UPDATEs, like a picture's own."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _

from ideogram_django import lifecycle, signals, wakeups
from ideogram_django.runs import approving, preparing
from ideogram_django.statuses import RunPause, RunState, Status

if TYPE_CHECKING:
    from ideogram_django.runs.models import Run


OPEN = (RunState.PREPARED, RunState.RUNNING, RunState.PAUSED)


def start(run: Run) -> None:
    """Where nobody is asked before use, foreign keys point at their new pictures from now on."""
    with transaction.atomic():
        _move(run, [RunState.PREPARED], RunState.RUNNING, started_at=Now())
        preparing.price_anew(run)
        if not run.approve:
            approving.point(approving.proposals(run))
    wakeups.wake_after_commit()


def pause(run: Run, reason: RunPause) -> None:
    """A person's pause holds back what was not sent yet: there may be hundreds of it.

    What the money stopped has paid for those already, so they are made.
    """
    with transaction.atomic():
        _move(run, [RunState.RUNNING], RunState.PAUSED, pause=reason)
        if reason == RunPause.PERSON:
            for image in run.pictures.filter(status=Status.PENDING).select_related("charge"):
                lifecycle.hold(image)
        _announce(run, signals.run_paused)


def resume(run: Run) -> None:
    with transaction.atomic():
        _move(run, [RunState.PAUSED], RunState.RUNNING, pause="")
        preparing.price_anew(run)
    wakeups.wake_after_commit()


def finish(run: Run) -> None:
    with transaction.atomic():
        _move(run, [RunState.RUNNING], RunState.FINISHED, finished_at=Now())
        _announce(run, signals.run_finished)


def limit_to(run: Run, ceiling: Decimal | None) -> None:
    run.ceiling = ceiling
    run.clean_fields(exclude=[field.name for field in run._meta.fields if field.name != "ceiling"])
    changed = type(run).objects.filter(pk=run.pk, state__in=OPEN).update(ceiling=ceiling)
    run.refresh_from_db()
    if not changed:
        raise _too_late(run)


def stop(run: Run) -> None:
    """The money of what was not sent yet is given back; what was sent comes in and counts."""
    with transaction.atomic():
        _move(
            run,
            OPEN,
            RunState.STOPPED,
            pause="",
            finished_at=Coalesce("finished_at", Now()),
        )
        for image in run.pictures.filter(status=Status.PENDING):
            try:
                lifecycle.cancel(image)
            except ValidationError:
                continue  # sent in this very moment, or perhaps before: it comes in
        approving.put_back(approving.never_made(run))
        _announce(run, signals.run_stopped)


def _announce(run: Run, signal: Signal) -> None:
    """Tell the site after the commit."""
    model, key = type(run), run.pk

    def send() -> None:
        saved = model._base_manager.filter(pk=key).first()
        if saved is not None:
            signals.deliver(signal, model, run=saved)

    transaction.on_commit(send, robust=True)


def _move(run: Run, source: Collection[RunState], to: RunState, **changes: Any) -> None:
    rows = type(run).objects.filter(pk=run.pk, state__in=source)
    moved = rows.update(state=to, **changes)
    run.refresh_from_db()
    if not moved:
        raise _too_late(run)


def _too_late(run: Run) -> ValidationError:
    return ValidationError(
        _("This run is “%(state)s” by now."),
        code="run_state",
        params={"state": run.get_state_display()},
    )

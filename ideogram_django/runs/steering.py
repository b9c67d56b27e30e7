"""Starting, pausing, resuming and stopping runs: guarded UPDATEs, like a picture's own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _

from ideogram_django import lifecycle, signals, wakeups
from ideogram_django.statuses import RunPause, RunState, Status

if TYPE_CHECKING:
    from ideogram_django.runs.models import Run


def start(run: Run) -> None:
    _move(run, [RunState.PREPARED], RunState.RUNNING, started_at=Now())
    wakeups.wake_after_commit()


def pause(run: Run, reason: RunPause) -> None:
    with transaction.atomic():
        _move(run, [RunState.RUNNING], RunState.PAUSED, pause=reason)
        _announce(run, signals.run_paused)


def resume(run: Run) -> None:
    _move(run, [RunState.PAUSED], RunState.RUNNING, pause="")
    wakeups.wake_after_commit()


def finish(run: Run) -> None:
    with transaction.atomic():
        _move(run, [RunState.RUNNING], RunState.FINISHED, finished_at=Now())
        _announce(run, signals.run_finished)


def stop(run: Run) -> None:
    """The money of what was not sent yet is given back; what was sent comes in and counts."""
    open_states = [RunState.PREPARED, RunState.RUNNING, RunState.PAUSED]
    with transaction.atomic():
        _move(
            run,
            open_states,
            RunState.STOPPED,
            pause="",
            finished_at=Coalesce("finished_at", Now()),
        )
        for image in run.pictures.filter(status=Status.PENDING):
            try:
                lifecycle.cancel(image)
            except ValidationError:
                continue  # sent in this very moment, or perhaps before: it comes in
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
        raise ValidationError(
            _("This run is “%(state)s” by now."),
            code="run_state",
            params={"state": run.get_state_display()},
        )

"""What ``ideogram_doctor`` looks at inside the site: settings, database, queue, files, work.

Each examination is a generator of findings that changes nothing it does not clean up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core import checks
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.timesince import timesince
from PIL import features

from ideogram_django import metrics, wakeups
from ideogram_django.conf import AppSettings
from ideogram_django.drains import provider
from ideogram_django.management.findings import Finding, ok, problem, warning
from ideogram_django.management.orders import plural
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProviderState,
    StoredObject,
    picture_path,
)
from ideogram_django.statuses import FINISHED, ChargeState, ErrorCode, ObjectKind

DATABASE_CHECK = "ideogram_django.W001"
TOLD_ELSEWHERE = (DATABASE_CHECK, "ideogram_django.W004")
LATE = 120.0
"""Seconds after which due work should have been taken up: cron may come once a minute."""
MOST_SKEW = 5.0


def settings_are_sound() -> Iterator[Finding]:
    """The system checks of this package, with those for a site in public."""
    found = _system_checks()
    relevant = [one for one in found if one.id not in TOLD_ELSEWHERE]
    for one in relevant:
        yield _as_finding("Settings", one)
    if not relevant:
        yield ok("Settings", "All settings are sound.")


def database_answers() -> Iterator[Finding]:
    """Connection, migrations, clock, and SQLite's way of locking."""
    alias = router.db_for_write(GeneratedImage)
    connection = connections[alias]
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes("ideogram_django")
    missing = executor.migration_plan(leaves)
    if missing:
        yield problem(
            "Database",
            f"{plural(len(missing), 'migration')} not applied.",
            "Run manage.py migrate.",
        )
        return
    yield ok("Database", f"{connection.display_name} answers and its tables are there.")
    for one in _system_checks():
        if one.id == DATABASE_CHECK:
            yield _as_finding("Database", one)
    state = ProviderState.objects.annotate(now=Now()).first()
    skew = abs((timezone.now() - state.now).total_seconds()) if state is not None else 0
    if skew > MOST_SKEW:
        yield warning(
            "Database",
            f"Its clock and this machine's are {skew:.0f} seconds apart.",
            "Let both follow a time server: due times are compared with both clocks.",
        )


def provider_is_not_paused(settings: AppSettings) -> Iterator[Finding]:
    state = ProviderState.objects.first() or ProviderState()
    if state.is_paused:
        since = f" (since {_when(state.paused_at)})" if state.paused_at else ""
        detail = f" The provider said: {state.pause_detail}" if state.pause_detail else ""
        yield problem(
            "Pause",
            f"Nothing is sent{since}. {state.pause_message}{detail}",
            "Waiting pictures go on by themselves once the provider answers well, except after "
            "a pause by hand, which is ended by hand.",
        )
    elif not settings.SPENDING_ENABLED:
        yield warning(
            "Pause",
            "Making pictures is switched off.",
            "Set IDEOGRAM_DJANGO['SPENDING_ENABLED'] to True.",
        )
    elif state.not_before and state.not_before > timezone.now():
        seconds = (state.not_before - timezone.now()).total_seconds()
        yield warning(
            "Pause",
            f"The provider asked for patience: nothing is sent for {seconds:.0f} seconds.",
            "Nothing, it goes on by itself. Where it happens often, lower REQUESTS_PER_MINUTE.",
        )
    else:
        yield ok("Pause", "Sending is not paused.")


def queue_answers(settings: AppSettings) -> Iterator[Finding]:
    """Redis, and whether a worker listens. Other queues do not tell; the heartbeat does."""
    if not wakeups.can_count():
        name = type(wakeups.dispatcher()).__name__
        yield ok("Queue", f"Workers are woken by {name}, which does not tell who listens.")
        return
    workers = wakeups.worker_count()
    if workers is None:
        yield problem(
            "Queue",
            f"Redis does not answer for the queue {settings.QUEUE!r}.",
            "Start Redis or correct RQ_QUEUES. Until then ideogram_sync alone makes pictures.",
        )
    elif workers == 0:
        yield problem(
            "Queue",
            f"Redis answers, but no worker listens on the queue {settings.QUEUE!r}.",
            f"Run manage.py rqworker {settings.QUEUE}",
        )
    else:
        waiting = wakeups.waiting() or 0
        listen = "listens" if workers == 1 else "listen"
        yield ok(
            "Queue",
            f"{plural(workers, 'worker')} {listen} on {settings.QUEUE!r}; "
            f"{plural(waiting, 'job')} waiting.",
        )


def worker_and_sync_are_alive(settings: AppSettings) -> Iterator[Finding]:
    """The two heartbeats. A worker's is only as young as the last work."""
    state = ProviderState.objects.first() or ProviderState()
    if state.last_drain is None:
        yield warning(
            "Worker", "No worker has done anything yet.", "Make a first picture and look again."
        )
    else:
        yield ok("Worker", f"A worker was last at work {_when(state.last_drain)}.")
    advice = (
        "Keep manage.py ideogram_sync --loop running, or call manage.py ideogram_sync from cron "
        "every minute: it finds lost webhooks and killed workers."
    )
    if state.last_sync is None:
        yield problem("Sync", "ideogram_sync has never run.", advice)
    elif timezone.now() - state.last_sync > timedelta(seconds=LATE + 6 * settings.SYNC_INTERVAL):
        yield problem("Sync", f"ideogram_sync last ran {_when(state.last_sync)}.", advice)
    else:
        yield ok("Sync", f"ideogram_sync last ran {_when(state.last_sync)}.")


def storage_works(settings: AppSettings) -> Iterator[Finding]:
    """Write, read and delete a small object, noted before as every object of ours is."""
    storage = storages[settings.STORAGE]
    noted = StoredObject.objects.create(
        name=picture_path(None, "doctor.txt"), storage=settings.STORAGE, kind=ObjectKind.ORIGINAL
    )
    content = noted.name.encode()
    doing = "written"
    # A storage is a plugin and raises what its own libraries raise; whatever it is, tell it.
    try:
        name = storage.save(noted.name, ContentFile(content))
        if name != noted.name:
            StoredObject.objects.filter(pk=noted.pk).update(name=name)
        doing = "read"
        with storage.open(name) as file:
            read = file.read()
        doing = "deleted"
        storage.delete(name)
    except Exception as error:
        # The note stays: the next sweep deletes what may have been written.
        yield problem(
            "Storage",
            f"In {settings.STORAGE!r} nothing can be {doing}: {type(error).__name__}: {error}",
            "Check the alias in STORAGES: its address, its credentials, its permissions.",
        )
        return
    noted.delete()
    if read != content:
        yield problem(
            "Storage",
            f"{settings.STORAGE!r} gives back something else than was written.",
            "Check that it does not change or cache what it stores.",
        )
    else:
        yield ok("Storage", f"{settings.STORAGE!r} writes, reads and deletes.")


def pictures_can_be_made_smaller(settings: AppSettings) -> Iterator[Finding]:
    if not settings.WIDTHS:
        yield ok("Widths", "No smaller widths are wanted.")
    elif not features.check("webp"):
        yield problem(
            "Widths",
            "Pillow was built without WebP, so no smaller widths can be stored.",
            "Install a Pillow with WebP (the wheels on PyPI have it), or set WIDTHS to [].",
        )
    else:
        widths = ", ".join(str(width) for width in settings.WIDTHS)
        yield ok("Widths", f"Stored as WebP in {widths} pixels.")


def work_is_taken_up(settings: AppSettings) -> Iterator[Finding]:
    """Whether due pictures wait too long, and what only a person can decide."""
    due = metrics.due(settings, provider.state())
    if due.oldest and due.seconds > LATE:
        yield problem(
            "Work",
            f"{plural(due.count)} due since {_when(due.oldest)}, and nobody works on them.",
            "Start a worker or ideogram_sync.",
        )
    else:
        waiting = GeneratedImage.objects.in_progress().count()
        yield ok("Work", f"{plural(waiting)} in progress, none left lying.")
    doubtful = GeneratedImage.objects.filter(error_code=ErrorCode.OUTCOME_UNKNOWN).count()
    if doubtful:
        yield warning(
            "Work",
            f"{plural(doubtful)} may have been made and charged; nobody knows.",
            "Look them up in the provider account, then try them again or delete them.",
        )
    twice = Charge.objects.exclude(other_job_ids=[]).count()
    if twice:
        yield warning(
            "Work",
            f"For {plural(twice, 'charge')} the provider made more than one job.",
            "Ask the provider for a refund; the ids stand in the charge.",
        )
    reserved = GeneratedImage.objects.filter(
        status__in=FINISHED, next_check_at__isnull=True, charge__state=ChargeState.RESERVED
    ).count()
    if reserved:
        yield warning(
            "Work",
            f"{plural(reserved)} finished, but the money is still reserved.",
            "Press Check again on them, so that the provider is asked what they cost.",
        )


# --- parts --------------------------------------------------------------------------------------


def _system_checks() -> list[checks.CheckMessage]:
    found = checks.run_checks(tags=["ideogram_django"], include_deployment_checks=True)
    return [one for one in found if not one.is_silenced()]


def _as_finding(subject: str, message: checks.CheckMessage) -> Finding:
    make = problem if message.level >= checks.ERROR else warning
    return make(subject, f"{message.msg} ({message.id})", message.hint or "")


def _when(moment: datetime) -> str:
    if timezone.now() - moment < timedelta(minutes=1):
        return "less than a minute ago"
    return f"{timesince(moment, depth=1)} ago".replace("\xa0", " ")

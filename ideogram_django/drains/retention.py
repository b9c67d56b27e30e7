"""What may go: old unused pictures, a person's data; and a report of what does not add up.

Everything here is safe to run twice. The ledger keeps its amounts whatever is erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.utils import timezone

from ideogram_django.budget.models import Charge
from ideogram_django.conf import AppSettings
from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.statuses import FINISHED, ChargeState, Status

CHUNK = 100


def expire(settings: AppSettings) -> int:
    """Delete finished, unpicked, unused pictures older than ``RETENTION`` days; how many.

    Their files follow with the next sweep. What the provider was sent goes from the ledger, too.
    """
    if settings.RETENTION is None:
        return 0
    before = timezone.now() - timedelta(days=settings.RETENTION)
    old = GeneratedImage.objects.filter(
        status__in=[*FINISHED, Status.DRAFT], picked=False, created_at__lt=before
    )
    keys = list(old.unused().order_by("pk").values_list("pk", flat=True)[:CHUNK])
    with transaction.atomic():
        deleted = old.filter(pk__in=keys).unused()
        count = deleted.count()
        deleted.delete()
    Charge.objects.filter(created_at__lt=before).exclude(state=ChargeState.RESERVED).exclude(
        body=""
    ).update(body="")
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What :func:`erase_user` did."""

    deleted: int
    """Pictures that nobody used."""
    anonymised: int
    """Pictures that are in use: they stay, without prompt and person."""
    charges: int
    """Entries of the ledger: amounts stay, without person and request."""
    unfinished: int
    """Pictures still being made: run again when they are finished."""


def erase_user(user: models.Model) -> Erased:
    """Remove what a person typed and who they were; amounts and pictures in use stay."""
    mine = GeneratedImage.objects.filter(requested_by=user.pk)
    finished = mine.filter(status__in=[*FINISHED, Status.DRAFT])
    with transaction.atomic():
        going = finished.unused()
        deleted = going.count()
        going.delete()
        anonymised = finished.update(
            requested_by=None,
            prompt="",
            typed_prompt="",
            negative_prompt="",
            error_detail="",
            reference_image="",
            style_reference_images=[],
            extra={},
        )
        closed = Charge.objects.filter(user=user.pk).exclude(state=ChargeState.RESERVED)
        charges = closed.update(user=None, user_label="", body="")
        unfinished = mine.count()
    return Erased(deleted=deleted, anonymised=anonymised, charges=charges, unfinished=unfinished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where rows and storage differ. Nothing is changed by looking."""

    missing: list[str] = field(default_factory=list)
    """Linked objects that the storage does not have."""
    unlinked: list[str] = field(default_factory=list)
    """Noted and never linked; the sweep will delete them."""
    unknown: list[str] = field(default_factory=list)
    """In the storage under our prefix, and in no row. Never deleted by a machine."""


def report(settings: AppSettings) -> Report:
    """Compare the rows with the storage. Lists the storage, so it takes its time on a large one."""
    storage = storages[settings.STORAGE]
    result = Report()
    known = set()
    for noted in StoredObject.objects.filter(
        deleted_at__isnull=True, storage=settings.STORAGE
    ).iterator():
        known.add(noted.name)
        if noted.linked_at is None:
            result.unlinked.append(noted.name)
        elif not storage.exists(noted.name):
            result.missing.append(noted.name)
    prefix = settings.UPLOAD_TO.split("%")[0].strip("/")
    result.unknown.extend(name for name in _names(storage, prefix) if name not in known)
    return result


def _names(storage: Storage, folder: str) -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{folder}/{name}" if folder else name
    for name in folders:
        yield from _names(storage, f"{folder}/{name}" if folder else name)

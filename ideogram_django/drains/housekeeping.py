"""What crashes and deletions leave behind. Every part is safe to run twice and at once."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, Value
from django.db.models.functions import Now

from ideogram_django.budget import ledger
from ideogram_django.budget.models import Charge
from ideogram_django.conf import AppSettings
from ideogram_django.drains import files
from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.statuses import ChargeState

CHUNK = 100


def sweep(settings: AppSettings) -> int:
    """Delete objects that no picture has, and close charges whose picture is gone; how many."""
    return _sweep_objects(settings) + _sweep_charges()


def ask_for_widths(settings: AppSettings) -> int:
    """Make due every finished picture that lacks a copy which the settings ask for; how many.

    For a site that has changed ``WIDTHS`` or ``FORMATS``. What there is stays; pages use it
    meanwhile.
    """
    finished = GeneratedImage.objects.completed().filter(next_check_at__isnull=True)
    rows = finished.only("file", "width", "height", "renditions").order_by("pk")
    keys = [image.pk for image in rows.iterator() if files.missing_widths(image, settings)]
    asked = 0
    for start in range(0, len(keys), CHUNK):
        asked += finished.filter(pk__in=keys[start : start + CHUNK]).update(
            next_check_at=Now(), checks=0
        )
    return asked


def _sweep_objects(settings: AppSettings) -> int:
    patience = timedelta(seconds=2 * settings.LEASE + settings.DOWNLOAD_DEADLINE)
    old = ExpressionWrapper(Now() - Value(patience), output_field=DateTimeField())
    held = GeneratedImage.objects.filter(
        pk=OuterRef("image_id"), claim=OuterRef("claim"), lease_until__gt=Now()
    )
    unwanted = list(
        StoredObject.objects.filter(deleted_at__isnull=True)
        .filter(
            Q(linked_at__isnull=True, created_at__lt=old)
            | Q(linked_at__isnull=False, image__isnull=True)
        )
        .exclude(Exists(held))
        # Those that the storage would not delete go to the end of the queue.
        .order_by("removals", "pk")[:CHUNK]
    )
    gone = files.remove(unwanted)
    files.forget(gone)
    StoredObject.objects.filter(
        pk__in={noted.pk for noted in unwanted} - {noted.pk for noted in gone}
    ).update(removals=F("removals") + 1)
    return len(gone)


def _sweep_charges() -> int:
    closed = 0
    pictures = GeneratedImage.objects.filter(uuid=OuterRef("image_id"))
    reserved = Charge.objects.filter(~Exists(pictures), state=ChargeState.RESERVED)
    for charge in reserved.order_by("pk")[:CHUNK]:  # as its index has them
        with transaction.atomic():
            if charge.maybe_sent or charge.body:
                closed += ledger.settle(charge, None)
            else:
                closed += ledger.release(charge)
    return closed

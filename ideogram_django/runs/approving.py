"""Proposals: pictures that a run made for records, and what people decide about them.

Picked means approved. A foreign key is pointed at its picture at once; for a file field a drain
copies the file, because no page touches a storage.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models.functions import Now

from ideogram_django import wakeups
from ideogram_django.lifecycle import using
from ideogram_django.runs import targets
from ideogram_django.statuses import IN_PROGRESS, Decision, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.runs.models import Run


def decision(image: GeneratedImage) -> Decision:
    """How it stands with this proposal."""
    if image.attached_at is not None:
        return Decision.USED
    if image.rejected_at is not None:
        return Decision.REJECTED
    if image.status in (Status.FAILED, Status.CANCELLED):
        return Decision.FAILED
    if image.status != Status.COMPLETED:
        return Decision.COMING
    if not image.picked:
        return Decision.OPEN
    return Decision.COPYING if image.next_check_at is not None else Decision.KEPT


def proposals(run: Run) -> Any:
    """The run's pictures that were made for a record, in their order."""
    return run.images.filter(target_type__isnull=False).order_by("pk")


def undecided(run: Run) -> Any:
    """Those that are there and wait for somebody's word."""
    return proposals(run).filter(
        status=Status.COMPLETED,
        picked=False,
        rejected_at__isnull=True,
        attached_at__isnull=True,
    )


def approve(image: GeneratedImage) -> bool:
    """Give the picture to its record. False: the record was changed meanwhile, or is gone.

    A record changes only where its field holds what it held when the picture was asked for.
    """
    target = targets.of(image)
    if target is None:
        return False
    with transaction.atomic():
        rows = _rows(image).filter(status=Status.COMPLETED, attached_at__isnull=True)
        if not rows.update(picked=True, rejected_at=None):
            image.refresh_from_db()
            return image.attached_at is not None  # somebody else said yes a moment ago
        if target.is_relation:
            given = target.unchanged.update(**{target.field.attname: image.pk})
            changes = {"attached_at": Now(), "replaces": _replaced(image, target)}
        else:
            given = target.unchanged.exists()
            changes = {"next_check_at": Now(), "checks": 0}
        if given:
            _rows(image).update(**changes)
        else:
            _rows(image).update(picked=False)
        if given and target.is_relation:
            _tell(image, target)
    if given and not target.is_relation:
        wakeups.wake_after_commit()
    image.refresh_from_db()
    return bool(given)


def reject(image: GeneratedImage) -> bool:
    """The record keeps what it has. False where the picture was given to it, or is being."""
    copying = models.Q(picked=True, next_check_at__isnull=False)
    rows = _rows(image).filter(~copying, attached_at__isnull=True)
    changed = rows.update(picked=False, rejected_at=Now())
    image.refresh_from_db()
    return bool(changed)


def point(images: Iterable[GeneratedImage]) -> None:
    """Point foreign keys at pictures that are still to come; pages show the old ones meanwhile.

    What tries a failed picture again takes the failed one's place.
    """
    for image in images:
        target = targets.of(image)
        if target is None or not target.is_relation:
            continue
        held = [target.before, *([image.parent_id] if image.parent_id else [])]
        for value in held:
            if target.holding(value).update(**{target.field.attname: image.pk}):
                _tell(image, target)
                break


def put_back(images: Iterable[GeneratedImage]) -> None:
    """Give records back what they had before, where they point at what will never be made."""
    for image in images:
        target = targets.of(image)
        if target is not None and target.is_relation:
            held = target.before or None
            target.holding(image.pk).update(**{target.field.attname: held})


def never_made(run: Run) -> Any:
    """Its pictures for records that were not even sent."""
    return proposals(run).exclude(status__in=[*IN_PROGRESS, Status.COMPLETED, Status.FAILED])


def _replaced(image: GeneratedImage, target: targets.Target) -> Any:
    """What the record showed before, to be found again: it is history, and may be gone."""
    if image.replaces_id or not target.before or target.before == str(image.pk):
        return models.F("replaces")
    before = type(image)._base_manager.filter(pk=target.before).values("pk")[:1]
    return models.Subquery(before)


def _tell(image: GeneratedImage, target: targets.Target) -> None:
    for record in target.record:
        using.attached(image, record, target.field.name)


def _rows(image: GeneratedImage) -> Any:
    return type(image)._base_manager.filter(pk=image.pk)

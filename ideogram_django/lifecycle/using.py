"""What it means for a picture that a record of the site uses it.

Guarded UPDATEs like everything here; none of them touches a status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Model

from ideogram_django import signals, usage
from ideogram_django.lifecycle.transitions import announce
from ideogram_django.statuses import IN_PROGRESS

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

_TOGETHER = ("batch", "prompt", "target_type_id", "target_id")
FARTHEST = 50
"""How many steps back a chain of replaced pictures is followed."""


def follow(image: GeneratedImage, shown: GeneratedImage | None) -> bool:
    """Remember ``shown`` as what ``image`` replaces, which pages show until ``image`` is there.

    Only where it replaces nothing yet, and is either unfinished or used by no record: what a
    picture replaced somewhere else is not forgotten. Nothing comes to replace itself, also not
    over others.
    """
    if shown is None or image.replaces_id is not None or _reaches(shown, image):
        return False
    free = _rows(image).filter(replaces__isnull=True)
    if image.status not in IN_PROGRESS:
        free = usage.unused(free)
    if not free.update(replaces=shown):
        return False
    image.replaces = shown
    return True


def _reaches(start: GeneratedImage, end: GeneratedImage) -> bool:
    step: GeneratedImage | None = start
    for _step in range(FARTHEST):
        if step is None:
            return False
        if step.pk == end.pk:
            return True
        step = step.replaces if step.replaces_id else None
    return True  # so long a chain is not made longer


def drafts_of(
    image: GeneratedImage, rows: QuerySet[GeneratedImage] | None = None
) -> QuerySet[GeneratedImage]:
    """The pictures of one request of which one is to be picked, this one too.

    A run over many records shares one ``batch``, but there every record has its own picture, and
    mostly words of its own.
    """
    rows = type(image).objects.all() if rows is None else rows
    if image.batch is None:
        return rows.filter(pk=image.pk)
    return rows.filter(**{name: getattr(image, name) for name in _TOGETHER})


def are_drafts_together(one: GeneratedImage, other: GeneratedImage) -> bool:
    """As :func:`drafts_of`, for pictures that are at hand."""
    return one.batch is not None and all(
        getattr(one, name) == getattr(other, name) for name in _TOGETHER
    )


def pick(image: GeneratedImage) -> None:
    """The one of several drafts that is used counts as picked, and the others do not."""
    drafts = drafts_of(image)
    others = drafts.exclude(pk=image.pk)
    if others.exists():
        others.filter(picked=True).update(picked=False)
        drafts.filter(pk=image.pk, picked=False).update(picked=True)


def unpick(image: GeneratedImage, record: Model) -> None:
    """The record went back to the picture before: this draft is no longer the one that is used.

    Unless another record uses it. The record itself may still point at it in the database.
    """
    users = usage.records(image, most=2)
    if all(one == record for one in users) and drafts_of(image).exclude(pk=image.pk).exists():
        _rows(image).filter(picked=True).update(picked=False)


def attached(image: GeneratedImage, record: Model, field: str) -> None:
    """Tell the site, after the commit, that a record got this picture."""
    announce(image, signals.image_attached, record=record, field=field)


def describe(image: GeneratedImage, *, alt_text: str, decorative: bool) -> bool:
    """Give the picture words, unless somebody changed them since ``image`` was read."""
    words: dict[str, Any] = {"alt_text": alt_text, "decorative": decorative}
    unchanged = _rows(image).filter(alt_text=image.alt_text, decorative=image.decorative)
    if not unchanged.update(**words):
        return False
    image.alt_text, image.decorative = alt_text, decorative
    return True


def _rows(image: GeneratedImage) -> GeneratedImageQuerySet:
    return type(image).objects.filter(pk=image.pk)

"""What it means for a picture that a record of the site uses it.

Guarded UPDATEs like everything here; none of them touches a status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from ideogram_django.statuses import IN_PROGRESS

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage

FARTHEST = 50
"""How many steps back a chain of replaced pictures is followed."""


def follow(image: GeneratedImage, shown: GeneratedImage | None) -> bool:
    """Let pages go on showing ``shown`` until ``image`` is there.

    Only where it is unfinished and replaces nothing yet, and where ``shown`` does not itself
    follow ``image``: nothing may be shown in place of itself.
    """
    if shown is None or image.replaces_id is not None or image.status not in IN_PROGRESS:
        return False
    step: GeneratedImage | None = shown
    for _step in range(FARTHEST):
        if step is None:
            break
        if step.pk == image.pk:
            return False
        step = step.replaces if step.replaces_id else None
    else:
        return False
    followed = _rows(image).filter(replaces__isnull=True, status__in=IN_PROGRESS)
    if not followed.update(replaces=shown):
        return False
    image.replaces = shown
    return True


def drafts_of(image: GeneratedImage) -> QuerySet[GeneratedImage]:
    """The pictures of one request, this one too.

    A run over many records shares one ``batch``, but there every record has words of its own.
    """
    rows = type(image)._base_manager.all()
    if image.batch is None:
        return rows.filter(pk=image.pk)
    return rows.filter(batch=image.batch, prompt=image.prompt)


def pick(image: GeneratedImage) -> None:
    """The one of several drafts that is used counts as picked, and the others do not."""
    drafts = drafts_of(image)
    others = drafts.exclude(pk=image.pk)
    if others.exists():
        others.filter(picked=True).update(picked=False)
        drafts.filter(pk=image.pk, picked=False).update(picked=True)


def describe(image: GeneratedImage, *, alt_text: str, decorative: bool) -> bool:
    """Give the picture words, unless somebody changed them since ``image`` was read."""
    words: dict[str, Any] = {"alt_text": alt_text, "decorative": decorative}
    unchanged = _rows(image).filter(alt_text=image.alt_text, decorative=image.decorative)
    if not unchanged.update(**words):
        return False
    image.alt_text, image.decorative = alt_text, decorative
    return True


def _rows(image: GeneratedImage) -> QuerySet[GeneratedImage]:
    return type(image)._base_manager.filter(pk=image.pk)

"""The pictures around the pictures of a page's fields, fetched together.

A page with ten fields asks as often as a page with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Model, OuterRef, Prefetch, Q, Subquery, prefetch_related_objects

from ideogram_django import wording
from ideogram_django.estimates import typical_seconds
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import MOST_DRAFTS

_ATTRIBUTE = "_ideogram_relatives"


class Relatives:
    """Of some pictures: the other drafts of their requests, and what was to replace them."""

    def __init__(self, pictures: Iterable[GeneratedImage]) -> None:
        self._pictures = list(pictures)
        self._found: list[GeneratedImage] | None = None
        self._pause: str | None = None

    def of(self, picture: GeneratedImage) -> list[GeneratedImage]:
        """Other drafts in their order, then the newest picture made to replace this one, unused."""
        found = [one for one in self._all() if one.pk != picture.pk]
        drafts = [one for one in found if using.are_drafts_together(one, picture)]
        newer = [one for one in found if one.replaces_id == picture.pk and one not in drafts]
        drafts.sort(key=lambda one: one.request_number)
        return [*drafts[: MOST_DRAFTS - 1], *newer[:1]]

    @property
    def pause(self) -> str:
        """Why nothing is sent at the moment, where one of them waits for it."""
        if self._pause is None:
            self._pause = wording.pause_message([*self._pictures, *self._all()])
        return self._pause

    @property
    def typical(self) -> Mapping[str, float]:
        """How long pictures take; not looked up where none is under way."""
        pictures = [*self._pictures, *self._all()]
        return typical_seconds() if any(one.is_in_progress for one in pictures) else {}

    def _all(self) -> list[GeneratedImage]:
        if self._found is None:
            keys = [picture.pk for picture in self._pictures]
            wanted = Q(pk__in=_newer(keys))
            for picture in self._pictures:
                if picture.batch is not None:
                    wanted |= _near(picture)
            rows = GeneratedImage.objects.for_display().filter(wanted)
            self._found = list(rows.order_by("-pk")) if keys else []
        return self._found


def together(records: Sequence[Model], names: Sequence[str]) -> None:
    """Fetch the pictures of these records' foreign keys, so that each knows of the others."""
    pictures: dict[Any, GeneratedImage] = {}
    for name in names:
        prefetch_related_objects(
            records, Prefetch(name, queryset=GeneratedImage.objects.for_display())
        )
        for record in records:
            if (picture := getattr(record, name)) is not None:
                pictures[picture.pk] = picture
    shared = Relatives(pictures.values())
    for record in records:
        for name in names:
            if (picture := getattr(record, name)) is not None:
                picture.__dict__[_ATTRIBUTE] = shared


def relatives_of(picture: GeneratedImage) -> Relatives:
    """Those of the whole page where they were asked for together, else of this one alone."""
    shared = picture.__dict__.get(_ATTRIBUTE)
    return shared if isinstance(shared, Relatives) else Relatives([picture])


def _near(picture: GeneratedImage) -> Q:
    number = picture.request_number
    return Q(
        batch=picture.batch,
        prompt=picture.prompt,
        request_number__range=(max(0, number - MOST_DRAFTS), number + MOST_DRAFTS),
    )


def _newer(keys: Sequence[Any]) -> Any:
    """For each of these pictures the newest one that replaces it, where no record uses that."""
    newest = (
        GeneratedImage.objects.filter(replaces=OuterRef("pk")).unused().order_by("-pk").values("pk")
    )
    pictures = GeneratedImage.objects.filter(pk__in=keys)
    return pictures.values(newest=Subquery(newest[:1]))

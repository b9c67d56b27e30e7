"""Query verbs. Adjectives select, ``generate`` is one line into ``lifecycle``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.functions import Now
from django.db.models.query import ModelIterable

from ideogram_django import hooks, lifecycle, usage
from ideogram_django.lifecycle import uploading
from ideogram_django.statuses import IN_PROGRESS, Status

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.core.files.base import File

    from ideogram_django.models import GeneratedImage

    _Rows = ModelIterable[GeneratedImage]
    _Records = ModelIterable[models.Model]
else:
    _Rows = _Records = ModelIterable

Record = TypeVar("Record", bound=models.Model)

STAND_INS = 5
"""How far back a picture is looked for that can stand in for one that is not there yet."""
ON_PAGES = (
    *("status", "uploaded", "replaces", "parent", "model", "aspect_ratio", "resolution"),
    *("file", "width", "height", "renditions", "color", "alt_text", "decorative"),
)
"""What the tags read of a picture, of its seventy columns."""


def with_pictures(
    records: models.QuerySet[Record], field: str, *more: str
) -> models.QuerySet[Record]:
    """Records with their pictures, in one query, for pages that show them with the tags.

    ``field`` leads to a picture: ``"hero"``, ``"author__portrait"``. Of a picture comes only what
    the tags read, which is much less work than all its columns; whatever else a template wants of
    it, such as its ``uuid`` or its prompt, would be a query for each picture. While a picture is
    unfinished, one more query for each step back finds what stands in for it, whatever the number
    of records.
    """
    paths = (field, *more)
    unread = [
        f"{path}__{column.name}"
        for path in paths
        for column in _picture_model(records.model, path)._meta.concrete_fields
        if column.name not in ON_PAGES and not column.primary_key
    ]
    found = records.select_related(*paths).defer(*unread)
    found._iterable_class = _WithPictures
    return found


def _picture_model(model: type[models.Model], path: str) -> type[models.Model]:
    """Where a path over foreign keys ends. ``FieldError`` where that is no picture."""
    end: Any = model
    for name in path.split("__"):
        end = end._meta.get_field(name).related_model
        if end is None:
            break
    if end is None or not issubclass(end, apps.get_model("ideogram_django", "GeneratedImage")):
        raise FieldError(f"“{path}” of {model._meta.label} leads to no picture.")
    return end  # type: ignore[no-any-return]


class _WithPictures(_Records):
    def __iter__(self) -> Iterator[models.Model]:
        records = list(super().__iter__())
        joined = self.queryset.query.select_related
        if isinstance(joined, dict):
            bring_stand_ins(list(_pictures(records, joined)), using=self.queryset.db)
        return iter(records)


def _pictures(records: Sequence[models.Model], joined: Mapping[str, Any]) -> Iterator[Any]:
    """The pictures among what came with the records."""
    picture = apps.get_model("ideogram_django", "GeneratedImage")
    for name, further in joined.items():
        found = [one for record in records if (one := getattr(record, name, None)) is not None]
        yield from (one for one in found if isinstance(one, picture))
        if further:
            yield from _pictures(found, further)


class _ForDisplay(_Rows):
    def __iter__(self) -> Iterator[GeneratedImage]:
        images = list(super().__iter__())
        bring_stand_ins(images, using=self.queryset.db)
        return iter(images)


def bring_stand_ins(images: Sequence[GeneratedImage], *, using: str) -> None:
    """Fetch what stands in for pictures without a file; one query for each step back.

    Where nothing does, a placeholder has to, in the colour of the picture that it was made from.
    """
    chains = [(image, image) for image in images if not image.has_file]
    bare = []
    for _step in range(STAND_INS):
        _bring([end for _image, end in chains], "replaces", using)
        bare += [image for image, end in chains if end.replaces is None]
        chains = [
            (image, end.replaces)
            for image, end in chains
            if end.replaces is not None and not end.replaces.has_file
        ]
    _bring([image for image in bare if not image.color], "parent", using)


def _bring(images: Sequence[GeneratedImage], name: str, using: str) -> None:
    """Fill a foreign key of several pictures, where it is not filled yet, with one query."""
    if not images:
        return
    field: Any = images[0]._meta.get_field(name)
    wanting = [image for image in images if not field.is_cached(image)]
    keys = {key for image in wanting if (key := getattr(image, field.attname)) is not None}
    found = type(images[0])._base_manager.using(using).in_bulk(keys) if keys else {}
    for image in wanting:
        field.set_cached_value(image, found.get(getattr(image, field.attname)))


class GeneratedImageQuerySet(models.QuerySet["GeneratedImage"]):
    def drafts(self) -> GeneratedImageQuerySet:
        return self.filter(status=Status.DRAFT)

    def completed(self) -> GeneratedImageQuerySet:
        return self.filter(status=Status.COMPLETED)

    def failed(self) -> GeneratedImageQuerySet:
        return self.filter(status=Status.FAILED)

    def in_progress(self) -> GeneratedImageQuerySet:
        return self.filter(status__in=IN_PROGRESS)

    def requested_by(self, user: Any) -> GeneratedImageQuerySet:
        return self.filter(requested_by=user)

    def visible_to(self, user: Any) -> GeneratedImageQuerySet:
        """What this person may look at: all with the permission, else their own.

        Nobody in particular sees none. A site's hooks may hide more; see ``docs/hooks.md``.
        """
        if not getattr(user, "is_authenticated", False) or not user.is_active:
            return self.none()
        site = hooks.current()
        pictures = site.visible(self.all(), user)
        return pictures if site.may(user, "view") else pictures.requested_by(user)

    def used(self, relation: models.ManyToOneRel | None = None) -> GeneratedImageQuerySet:
        """Those that a record of the site points at; see :mod:`ideogram_django.usage`."""
        return usage.used(self, relation)

    def unused(self) -> GeneratedImageQuerySet:
        """Those that no record of the site points at."""
        return usage.unused(self)

    def due(self) -> GeneratedImageQuerySet:
        """Rows that a drain should look at now, by the database's clock, and nobody holds."""
        return self.filter(next_check_at__lte=Now()).filter(
            models.Q(lease_until__isnull=True) | models.Q(lease_until__lte=Now())
        )

    def for_display(self) -> GeneratedImageQuerySet:
        """With what pages show while a picture is unfinished: what it replaces, in any depth.

        One query; a few more while something is unfinished, whatever the number of pictures.
        """
        rows = self.select_related("replaces")
        rows._iterable_class = _ForDisplay
        return rows

    def generate(self, prompt: str, **options: Any) -> GeneratedImage:
        """Make one picture; see :func:`lifecycle.generate`.

        Raises :class:`~django.core.exceptions.ValidationError` before anything is spent.
        """
        return lifecycle.generate(self, prompt, **options)

    def generate_many(
        self,
        requests: Iterable[Mapping[str, Any]],
        *,
        requested_by: AbstractBaseUser | None = None,
        request_id: uuid.UUID | None = None,
        **shared: Any,
    ) -> list[GeneratedImage]:
        """Make many pictures, all or none; see :func:`lifecycle.generate_many`."""
        return lifecycle.generate_many(
            self, requests, requested_by=requested_by, request_id=request_id, **shared
        )

    def from_upload(
        self, file: File[bytes], *, requested_by: Any = None, alt_text: str = ""
    ) -> GeneratedImage:
        """Store somebody's own picture, checked; see :func:`uploading.from_upload`. Free."""
        return uploading.from_upload(self, file, requested_by=requested_by, alt_text=alt_text)

    async def agenerate(self, prompt: str, **options: Any) -> GeneratedImage:
        return await sync_to_async(self.generate)(prompt, **options)

    async def agenerate_many(
        self,
        requests: Iterable[Mapping[str, Any]],
        *,
        requested_by: AbstractBaseUser | None = None,
        request_id: uuid.UUID | None = None,
        **shared: Any,
    ) -> list[GeneratedImage]:
        return await sync_to_async(self.generate_many)(
            requests, requested_by=requested_by, request_id=request_id, **shared
        )

    async def afrom_upload(
        self, file: File[bytes], *, requested_by: Any = None, alt_text: str = ""
    ) -> GeneratedImage:
        return await sync_to_async(self.from_upload)(
            file, requested_by=requested_by, alt_text=alt_text
        )

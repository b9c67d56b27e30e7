"""Query verbs. Adjectives select, ``generate`` is one line into ``lifecycle``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import models
from django.db.models.functions import Now

from ideogram_django import lifecycle, usage
from ideogram_django.lifecycle import uploading
from ideogram_django.statuses import IN_PROGRESS, Status

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.core.files.base import File

    from ideogram_django.models import GeneratedImage


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
        """With what templates need: the picture that an unfinished one replaces."""
        return self.select_related("replaces")

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
        self, requests: Iterable[Mapping[str, Any]], **options: Any
    ) -> list[GeneratedImage]:
        return await sync_to_async(self.generate_many)(requests, **options)

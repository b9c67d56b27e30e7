"""Taking over a finished picture with everything known about it, free of charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.files.base import File
from django.db import transaction
from django.db.models.functions import Now

from ideogram_django import conf
from ideogram_django.lifecycle.columns import SiteColumns
from ideogram_django.lifecycle.uploading import check_upload, insert, store, stored_objects
from ideogram_django.statuses import ObjectKind, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet


def adopt(
    queryset: GeneratedImageQuerySet,
    file: File[bytes],
    *,
    columns: Mapping[str, Any],
    sha256: str,
    stored_as: str = "",
) -> GeneratedImage:
    """A finished picture of a file that was made, and paid for, somewhere else or before.

    ``columns`` as they were there, ``created_at`` and ``finished_at`` too; ``sha256`` is the
    file's, by the caller's own reckoning. The file is checked as any upload. ``stored_as``: it
    lies in this site's storage under that name, and stays there. Raises ``ValidationError``
    before anything is written, ``IntegrityError`` where the uuid is taken.
    """
    found = check_upload(file)
    # Inserting sets this one by itself.
    changes = {name: columns[name] for name in ("created_at",) if columns.get(name) is not None}
    image = queryset.model(
        **SiteColumns(columns.get("requested_by")).under(columns),
        status=Status.COMPLETED,
        adopted=True,
        width=found.width,
        height=found.height,
        format=found.format,
        color=found.color,
        size=file.size,
        sha256=sha256,
    )
    if stored_as:
        with transaction.atomic(using=queryset.db):
            insert(queryset, image, stored_as, **changes)
            stored_objects(queryset).create(
                name=stored_as,
                storage=conf.current().STORAGE,
                kind=ObjectKind.ORIGINAL,
                image=image,
                linked_at=Now(),
            )
    else:
        store(queryset, image, file, extension=found.extension, **changes)
    return image


def can_stay(queryset: GeneratedImageQuerySet, name: str) -> bool:
    """Whether a stored file may become a picture's own without being copied.

    Only under the prefix of our own names, because a picture's file is deleted with it, and only
    where no note says that it belongs to another picture or is about to be swept away.
    """
    settings = conf.current()
    prefix = settings.UPLOAD_TO.split("%")[0]
    if "/" not in prefix or not name.startswith(prefix):
        return False
    noted = stored_objects(queryset).filter(storage=settings.STORAGE, name=name)
    return not noted.exists()

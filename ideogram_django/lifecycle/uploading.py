"""Own work: a picture that somebody uploads. It costs nothing and never meets the provider."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import transaction
from django.db.models.functions import Now
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wakeups
from ideogram_django.exceptions import PictureError
from ideogram_django.lifecycle.columns import SiteColumns
from ideogram_django.statuses import ErrorCode, ObjectKind, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.pictures.verifying import Verified
    from ideogram_django.querysets import GeneratedImageQuerySet


def check_upload(file: File[bytes]) -> Verified:
    """Decode the file once; ``ValidationError`` where it is no picture that this site stores.

    Neither the file's name nor what the browser says about it is believed.
    """
    # Only now: most processes of a site never look into a file.
    from ideogram_django.pictures.verifying import verify

    settings = conf.current()
    if (file.size or 0) > settings.MAX_IMAGE_BYTES:
        raise ValidationError(
            _("This file is larger than %(maximum)s."),
            code=ErrorCode.TOO_LARGE,
            params={"maximum": filesizeformat(settings.MAX_IMAGE_BYTES)},
        )
    try:
        return verify(_binary(file), max_pixels=settings.MAX_IMAGE_PIXELS)
    except PictureError as error:
        if error.code == ErrorCode.TOO_MANY_PIXELS:
            raise ValidationError(
                _("This picture has more than %(maximum)d pixels."),
                code=error.code,
                params={"maximum": settings.MAX_IMAGE_PIXELS},
            ) from error
        raise ValidationError(
            _("This is not a picture that can be used here. Upload a PNG, JPEG or WebP file."),
            code=error.code,
        ) from error


def from_upload(
    queryset: GeneratedImageQuerySet,
    file: File[bytes],
    *,
    requested_by: Any = None,
    alt_text: str = "",
    decorative: bool = False,
    checked: Verified | None = None,
) -> GeneratedImage:
    """Store an uploaded file as a finished picture; the drain makes its smaller widths.

    ``checked`` saves decoding again what :func:`check_upload` has decoded. Raises
    ``ValidationError`` before anything is written. The object is noted before it is written, so
    that a crash in between leaves nothing that the sweep cannot find; inside somebody else's
    transaction that note is rolled back with the rest.
    """
    found = checked or check_upload(file)
    user = requested_by if getattr(requested_by, "pk", None) else None
    image = queryset.model(
        **SiteColumns(user).under({"alt_text": alt_text, "decorative": decorative}),
        status=Status.COMPLETED,
        uploaded=True,
        requested_by=user,
        width=found.width,
        height=found.height,
        format=found.format,
        color=found.color,
        size=file.size,
        sha256=_sha256(file),
        finished_at=timezone.now(),
    )
    store(queryset, image, file, extension=found.extension)
    return image


def store(
    queryset: GeneratedImageQuerySet,
    image: GeneratedImage,
    file: File[bytes],
    *,
    extension: str,
    **changes: Any,
) -> None:
    """Write the checked file of a finished picture and insert its row; see :func:`insert`."""
    alias = conf.current().STORAGE
    field: Any = queryset.model._meta.get_field("file")
    noted = stored_objects(queryset).create(
        name=field.generate_filename(image, f"picture.{extension}"),
        storage=alias,
        kind=ObjectKind.ORIGINAL,
    )
    file.seek(0)
    name = storages[alias].save(noted.name, File(_binary(file), name=noted.name))
    with transaction.atomic(using=queryset.db):
        insert(queryset, image, name, **changes)
        stored_objects(queryset).filter(pk=noted.pk).update(name=name, image=image, linked_at=Now())


def insert(
    queryset: GeneratedImageQuerySet, image: GeneratedImage, name: str, **changes: Any
) -> None:
    """Insert the row of a finished picture whose file is stored; the drain makes its widths.

    ``changes``: what inserting sets by itself and shall be otherwise. Call inside ``atomic()``.
    """
    image.file.name = name
    image.save(using=queryset.db, force_insert=True)
    queryset.model._base_manager.filter(pk=image.pk).update(next_check_at=Now(), **changes)
    wakeups.wake_after_commit(using=queryset.db)


def stored_objects(queryset: GeneratedImageQuerySet) -> Any:
    """The notes about what is in the storage; their model may not be imported here."""
    relation: Any = queryset.model._meta.get_field("objects_stored")
    return relation.related_model._base_manager


def earlier_upload(
    queryset: GeneratedImageQuerySet, file: File[bytes], *, requested_by: Any
) -> GeneratedImage | None:
    """The picture that this person's upload of the very same bytes has become before, if any."""
    if getattr(requested_by, "pk", None) is None:
        return None
    earlier = queryset.filter(requested_by=requested_by, uploaded=True, sha256=_sha256(file))
    return earlier.filter(status=Status.COMPLETED).exclude(file="").order_by("-pk").first()


def _binary(file: File[bytes]) -> Any:
    """What lies under Django's wrapper; the picture checks know nothing of Django."""
    return file.file if getattr(file, "file", None) is not None else file


def _sha256(file: File[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()

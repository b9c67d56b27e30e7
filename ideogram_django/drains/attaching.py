"""Copying a finished picture into a record's own file field, where a run asked for that."""

from __future__ import annotations

import logging
from typing import Any

from django.core.files.storage import Storage, storages
from django.db import InterfaceError, OperationalError, models

from ideogram_django import conf
from ideogram_django.drains import files
from ideogram_django.exceptions import PictureError
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage
from ideogram_django.runs import targets
from ideogram_django.statuses import ErrorCode

logger = logging.getLogger(__name__)


class Copy:
    """One copy, made ready: the record, its field, and the name under its own ``upload_to``."""

    def __init__(self, image: GeneratedImage, record: models.Model, target: targets.Target) -> None:
        self.image = image
        self.record = record
        self.target = target
        self.field: Any = target.field
        suffix = str(image.file.name).rsplit(".", 1)[-1]
        self.name = self._named(f"{image.uuid}.{suffix}")
        self.source: Storage = storages[conf.current().STORAGE]

    def write(self) -> str:
        """In a thread: the name that the field's own storage gave the copy."""
        with files.opened(self.source, str(self.image.file.name)) as file:
            return files.save_copy(
                self.field.storage, self.name, file, max_length=self.field.max_length
            )

    def link(self, name: str) -> bool:
        """Point the record at the copy, unless somebody changed the field meanwhile."""
        changed = self.target.unchanged.update(**self._columns(name))
        if not changed:
            logger.warning("%s was changed meanwhile; it keeps its own picture.", self.record)
            return False
        self.record.refresh_from_db()
        using.attached(self.image, self.record, self.field.name)
        return True

    def remove(self, name: str) -> None:
        """In a thread: delete what :meth:`write` wrote a moment ago and no record points at."""
        try:
            self.field.storage.delete(name)
        except Exception:
            logger.warning("The copy %s could not be deleted again", name, exc_info=True)

    def _named(self, filename: str) -> str:
        """Under the field's own ``upload_to``, which is the site's code."""
        try:
            return str(self.field.generate_filename(self.record, filename))
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("upload_to of %s gives no name", self.field)
            raise PictureError(
                type(error).__name__, code=ErrorCode.STORAGE_FAILED, permanent=False
            ) from error

    def _columns(self, name: str) -> dict[str, Any]:
        columns: dict[str, Any] = {self.field.attname: name}
        for option, value in (("width_field", "width"), ("height_field", "height")):
            column = getattr(self.field, option, None)
            if column:
                columns[column] = getattr(self.image, value)
        return columns


def prepare(image: GeneratedImage) -> Copy | None:
    """What is to be copied where; ``None`` where nothing is wanted.

    Nothing is before somebody has approved the picture, if its run asks; nor where the record is
    gone, or holds something else by now. ``PictureError`` where the copy has no name.
    """
    if image.target_type_id is None or image.attached_at is not None:
        return None
    if image.run is not None and image.run.approve and not image.picked:
        return None
    target = targets.of(image)
    if target is None or target.is_relation:
        return None
    record = target.unchanged.first()
    return None if record is None else Copy(image, record, target)

"""Copying a finished picture into a record's own ``ImageField``, where a run asked for that."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.files.storage import Storage, storages
from django.db import models

from ideogram_django import conf
from ideogram_django.drains import files
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage

logger = logging.getLogger(__name__)


class Copy:
    """One copy, made ready: the record, its field, and the name under its own ``upload_to``."""

    def __init__(
        self, image: GeneratedImage, record: models.Model, field: models.FileField
    ) -> None:
        self.image = image
        self.record = record
        self.field = field
        suffix = str(image.file.name).rsplit(".", 1)[-1]
        self.name = field.generate_filename(record, f"{image.uuid}.{suffix}")
        self.source: Storage = storages[conf.current().STORAGE]

    def write(self) -> str:
        """In a thread: the name that the field's own storage gave the copy."""
        with files.opened(self.source, str(self.image.file.name)) as file:
            return files.save_copy(self.field.storage, self.name, file)

    def link(self, name: str) -> None:
        """Point the record at the copy, unless somebody changed the field meanwhile."""
        attname = self.field.attname
        before = self.image.target_before
        unchanged = models.Q(**{attname: before})
        if not before:
            unchanged |= models.Q(**{f"{attname}__isnull": True})
        records = type(self.record)._base_manager.filter(unchanged, pk=self.record.pk)
        changed = records.update(**self._columns(name))
        if not changed:
            logger.warning("%s was changed meanwhile; it keeps its own picture.", self.record)
            return
        self.record.refresh_from_db()
        using.attached(self.image, self.record, self.field.name)

    def _columns(self, name: str) -> dict[str, Any]:
        columns: dict[str, Any] = {self.field.attname: name}
        for option, value in (("width_field", "width"), ("height_field", "height")):
            column = getattr(self.field, option, None)
            if column:
                columns[column] = getattr(self.image, value)
        return columns


def prepare(image: GeneratedImage) -> Copy | None:
    """What is to be copied where; ``None`` where nothing is wanted, or its record is gone."""
    if image.target_type is None or image.attached_at is not None or not image.target_field:
        return None
    record_class = image.target_type.model_class()
    if record_class is None:
        return None
    try:
        field = record_class._meta.get_field(image.target_field)
    except FieldDoesNotExist:
        logger.warning("%s has no field %s any more", record_class, image.target_field)
        return None
    record = record_class._base_manager.filter(pk=image.target_id).first()
    if record is None or not isinstance(field, models.FileField):
        return None
    return Copy(image, record, field)

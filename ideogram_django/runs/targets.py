"""The record that a picture was made for, and its field: found by the picture's own columns.

Changed by guarded UPDATEs alone: a record that somebody changed meanwhile keeps what it has.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models

if TYPE_CHECKING:
    from django.contrib.contenttypes.models import ContentTypeManager

    from ideogram_django.models import GeneratedImage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """One record's field. The record itself may be gone."""

    model: type[models.Model]
    field: Any
    key: Any
    before: str
    """What the field held when the picture was asked for, as text; empty for nothing."""

    @property
    def is_relation(self) -> bool:
        """It points to a picture; else it is a file field, which holds a copy."""
        return isinstance(self.field, models.ForeignKey)

    @property
    def record(self) -> models.QuerySet[Any]:
        return self.model._base_manager.filter(pk=self.key)

    def holding(self, value: Any) -> models.QuerySet[Any]:
        """The record, if its field holds just this; with nothing, if it holds nothing."""
        if value:
            return self.record.filter(**{self.field.attname: value})
        nothing = models.Q(**{f"{self.field.attname}__isnull": True})
        if not self.is_relation:
            nothing |= models.Q(**{self.field.attname: ""})
        return self.record.filter(nothing)

    @property
    def unchanged(self) -> models.QuerySet[Any]:
        """The record, if its field still holds what it held."""
        return self.holding(self.before)


def _content_types() -> ContentTypeManager:
    """Looked up when needed: our models import this module, and may be loaded before those."""
    manager: ContentTypeManager = apps.get_model("contenttypes", "ContentType").objects
    return manager


def columns(record: models.Model, field: Any) -> dict[str, Any]:
    """What a new picture has to remember of the record that it is made for."""
    return {
        "target_type": _content_types().get_for_model(type(record)),
        "target_id": str(record.pk),
        "target_field": field.name,
        "target_before": str(record.serializable_value(field.attname) or ""),
    }


def of(image: GeneratedImage) -> Target | None:
    """``None`` where it was made for no record, or where its model or field are gone."""
    if image.target_type_id is None or not image.target_field:
        return None
    # Kept by Django, so that a thousand pictures do not ask a thousand times.
    model = _content_types().get_for_id(image.target_type_id).model_class()
    if model is None:
        return None
    try:
        field: Any = model._meta.get_field(image.target_field)
        key = model._meta.pk.to_python(image.target_id)
    except (FieldDoesNotExist, ValidationError):
        logger.warning("%s has no field %s any more", model, image.target_field)
        return None
    if not isinstance(field, (models.FileField, models.ForeignKey)):
        return None
    return Target(model, field, key, image.target_before)

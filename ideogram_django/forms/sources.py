"""What a picture was made from: the values of a record's columns, remembered as digests.

The values, not the template's words: a better template makes no picture out of date. Which columns
they were is remembered with them, so that another template does not either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils import timezone

from ideogram_django.forms import prompts
from ideogram_django.models import GeneratedImage

DIGEST = 16
"""Hexadecimal digits for one column: enough to see that it changed."""


def names(template: str) -> tuple[str, ...]:
    """The columns that a template is filled from, without the filters of its gaps."""
    return tuple(dict.fromkeys(gap.partition("|")[0] for gap in prompts.gaps(template)))


def columns(record: models.Model, template: str, field: Any) -> dict[str, Any]:
    """What a new picture for this field of the record has to remember, as options of generate().

    Nothing but where it belongs for a template that names no column: it is never out of date.
    """
    return {**_target(record, field), **of(record, names(template))}


def of(record: models.Model, wanted: Iterable[str]) -> dict[str, Any]:
    """The fingerprint of these columns' values, and a digest of each."""
    values = {name: _value(record, name) for name in wanted}
    if not values:
        return {}
    return {
        "source_fingerprint": _fingerprint(values),
        "source_digests": {name: _digest(value) for name, value in values.items()},
    }


def changed(image: GeneratedImage | None, record: models.Model, field: str) -> list[str]:
    """The columns that say something else than when this picture was made for this record.

    Empty for a picture that was made for another record, was uploaded, or remembers nothing.
    """
    if image is None or not image.source_fingerprint or not _belongs(image, record, field):
        return []
    try:
        values = {name: _value(record, name) for name in image.source_digests}
    except LookupError:  # the model has no such column any more
        return []
    if _fingerprint(values) == image.source_fingerprint:
        return []
    return [name for name, value in values.items() if _digest(value) != image.source_digests[name]]


def claim(image: GeneratedImage, record: models.Model, template: str, field: Any) -> None:
    """Tie drafts that were made beside a record's form, before it was saved, to the record.

    They say for which field they were made. What the record says now is what they were made from.
    """
    target = _target(record, field)
    if record.pk is None or image.target_id or image.target_field != target["target_field"]:
        return
    if image.target_type_id != target["target_type"].pk:
        return
    rows = GeneratedImage.objects.filter(
        target_type=target["target_type"], target_field=field.name, target_id=""
    )
    together = rows.filter(batch=image.batch) if image.batch else rows.filter(pk=image.pk)
    found = of(record, names(template))
    if not image.source_fingerprint and found:
        together.update(**found)
    else:
        found = {}
    together.update(target_id=target["target_id"])
    for name, value in {**found, "target_id": target["target_id"]}.items():
        setattr(image, name, value)


def column(model: type[models.Model], name: str) -> Any:
    """The column of this name; ``LookupError`` where there is none."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise LookupError(name) from error
    if not field.concrete or field.many_to_many:
        raise LookupError(name)
    return field


def described(model: type[models.Model], changed: Iterable[str]) -> list[str]:
    """What people call the columns: "Title", "Author (name)"."""
    return [prompts.title(model, name) for name in changed]


def _target(record: models.Model, field: Any) -> dict[str, Any]:
    return {
        "target_type": ContentType.objects.get_for_model(type(record)),
        "target_id": "" if record.pk is None else str(record.pk),
        "target_field": field.name,
    }


def _belongs(image: GeneratedImage, record: models.Model, field: str) -> bool:
    return (
        image.target_id == str(record.pk)
        and image.target_field == field
        and image.target_type_id == ContentType.objects.get_for_model(type(record)).pk
    )


def _fingerprint(values: Mapping[str, str]) -> str:
    text = json.dumps(sorted(values.items()), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:DIGEST]


def _value(record: models.Model, name: str) -> str:
    """The column's value as text that is the same whoever reads it, from form and database.

    So not what people read: that depends on their language and time zone.
    """
    first, _dot, rest = name.partition(".")
    field = column(type(record), first)
    if field.is_relation:
        try:
            related = getattr(record, field.name)
        except ObjectDoesNotExist:  # a required foreign key that is not set yet
            related = None
        if related is None:
            return ""
        return _value(related, rest) if rest else " ".join(str(related).split())
    value = field.value_from_object(record)
    if value is None:
        return ""
    with suppress(ValidationError):
        value = field.to_python(value)  # a form or code may have left text there
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value.normalize():f}"
    if isinstance(value, datetime) and timezone.is_aware(value):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, default=str)
    return " ".join(str(value).split())

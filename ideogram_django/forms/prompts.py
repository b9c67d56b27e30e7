"""Prompt templates: ``"{title}, in the style of {author.style}"``.

A gap names a column of the record, over foreign keys with dots, and nothing else: never a
method, never an attribute. ``str.format`` would read whatever an editor writes between braces.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models

_GAP = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\}")


def gaps(template: str) -> tuple[str, ...]:
    """The names between braces, each once, in order."""
    return tuple(dict.fromkeys(_GAP.findall(template)))


def fill(template: str, record: models.Model, allowed: Collection[str] | None = None) -> str:
    """The template with its gaps filled from the record.

    Only names in ``allowed`` are filled (default: the template's own); other braces are text.
    Raises ``LookupError`` for an allowed name that is no column.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if allowed is not None and name not in allowed:
            return match[0]
        return " ".join(_value(record, name).split())

    return _GAP.sub(value, template)


def unknown(template: str, model: type[models.Model]) -> list[str]:
    """The gaps that name no column of this model or of what it points to."""
    return [name for name in gaps(template) if not _is_column(model, name)]


def _is_column(model: type[models.Model], name: str) -> bool:
    for part in name.split("."):
        try:
            field = _column(model, part)
        except LookupError:
            return False
        model = field.related_model  # type: ignore[assignment]
    return True


def _column(model: type[models.Model] | None, name: str) -> models.Field[object, object]:
    try:
        field = model._meta.get_field(name) if model is not None else None
    except FieldDoesNotExist as error:
        raise LookupError(name) from error
    if not isinstance(field, models.Field) or not field.concrete or field.many_to_many:
        raise LookupError(name)
    return field


def _value(record: models.Model, name: str) -> str:
    first, _dot, rest = name.partition(".")
    field = _column(type(record), first)
    try:
        value = getattr(record, field.name)
    except ObjectDoesNotExist:  # a required foreign key that is not set yet
        value = None
    if value is None:
        return ""
    if rest:
        if not isinstance(value, models.Model):
            raise LookupError(name)
        return _value(value, rest)
    display = getattr(record, f"get_{field.name}_display", None)
    return str(display() if field.choices and callable(display) else value)

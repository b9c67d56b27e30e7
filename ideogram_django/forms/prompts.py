"""Prompt templates: ``"{title}, in the style of {author.style}"``.

A gap names a column of the record, over foreign keys with dots, and nothing else: never a
method, never an attribute. ``str.format`` would read whatever an editor writes between braces.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext, ngettext

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


def empty(names: Iterable[str], record: models.Model) -> list[str]:
    """Those of the gaps that this record fills with nothing."""
    return [name for name in names if not _value(record, name).strip()]


def guessed_empty(template: str, text: str) -> list[str]:
    """The gaps that were filled with nothing, if ``text`` is the template with its gaps filled."""
    names = gaps(template)
    parts = _GAP.split(template)  # words, name, words, name, …, words
    pattern = "".join("(.*?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    match = re.fullmatch(pattern, text, re.DOTALL) if names else None
    if match is None:
        return []
    found = dict(zip(parts[1::2], match.groups(), strict=True))
    return [name for name in names if not found[name].strip()]


def title(model: type[models.Model], name: str) -> str:
    """What people call the column: "Title", "Author (name)"."""
    first, *rest = name.split(".")
    column = _column(model, first)
    text = str(capfirst(column.verbose_name))
    if not rest or column.related_model is None:
        return text
    return f"{text} ({title(column.related_model, '.'.join(rest)).lower()})"


def missing(titles: Iterable[str]) -> ValidationError:
    """The sentence for gaps that nothing fills: a prompt with a hole in it is not paid for."""
    names = [gettext("“%(name)s”") % {"name": one} for one in titles]
    sentence = ngettext(
        "The prompt is made from %(names)s, which is empty. Fill it in, or change the prompt.",
        "The prompt is made from %(names)s, which are empty. Fill them in, or change the prompt.",
        len(names),
    )
    return ValidationError(
        sentence % {"names": get_text_list(names, gettext("and"))}, code="empty_gap"
    )


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

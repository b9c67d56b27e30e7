"""Prompt templates: ``"{title|truncatewords:8}, in the style of {author.style}"``.

A gap names a column of the record, over foreign keys with dots, and nothing else: never a
method, never an attribute. ``str.format`` would read whatever an editor writes between braces.
Behind the name may stand some of Django's own text filters: :data:`FILTERS`, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.template import defaultfilters
from django.utils import timezone
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext, ngettext

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_FILTER = r'\|[a-z]+(?::(?:[0-9]{1,4}|"[^"{}|]*"))?'
_GAP = re.compile(rf"\{{({_NAME}(?:{_FILTER})*)\}}")


def _date(value: Any, *pattern: str) -> Any:
    """A moment in the site's or the reader's time zone, as templates show it."""
    if isinstance(value, datetime) and timezone.is_aware(value):
        value = timezone.localtime(value)
    return defaultfilters.date(value, *pattern)


NOTHING, NUMBER, TEXT = r"", r":[0-9]+", r':"[^"]*"'
FILTERS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "capfirst": (defaultfilters.capfirst, NOTHING),
    "date": (_date, f"({TEXT})?"),
    "default": (defaultfilters.default, TEXT),
    "lower": (defaultfilters.lower, NOTHING),
    "striptags": (defaultfilters.striptags, NOTHING),
    "title": (defaultfilters.title, NOTHING),
    "truncatechars": (defaultfilters.truncatechars, NUMBER),
    "truncatewords": (defaultfilters.truncatewords, NUMBER),
    "upper": (defaultfilters.upper, NOTHING),
}
"""The filters of a gap, as in Django's templates, and what each takes behind a colon."""


def gaps(template: str) -> tuple[str, ...]:
    """What stands between braces, each once, in order: a name, perhaps with filters."""
    return tuple(dict.fromkeys(_GAP.findall(template)))


def fill(template: str, record: models.Model, allowed: Collection[str] | None = None) -> str:
    """The template with its gaps filled from the record.

    Only gaps in ``allowed`` are filled (default: the template's own); other braces are text.
    Raises ``LookupError`` for an allowed gap that names no column, or no filter that there is.
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
    parts = _GAP.split(template)  # words, name, words, name, …, words
    names, (first, *between) = parts[1::2], parts[::2]
    if not names or not text.startswith(first):
        return []
    found: dict[str, str] = {}
    # Not as one pattern: with a few gaps, a text that does not match would take it hours.
    rest = text.removeprefix(first)
    for name, words in zip(names[:-1], between[:-1], strict=True):
        found[name], seen, rest = rest.partition(words) if words else ("", " ", rest)
        if not seen:
            return []
    if not rest.endswith(between[-1]):
        return []
    found[names[-1]] = rest.removesuffix(between[-1])
    return [name for name in gaps(template) if not found[name].strip()]


def title(model: type[models.Model], name: str) -> str:
    """What people call the gap's column: "Title", "Author (name)"."""
    first, *rest = name.partition("|")[0].split(".")
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
    """The gaps that name no column of this model or of what it points to, or no filter."""
    return [name for name in gaps(template) if not _is_sound(model, name)]


def _is_sound(model: type[models.Model], gap: str) -> bool:
    name, *filters = gap.split("|")
    try:
        for part in name.split("."):
            model = _column(model, part).related_model  # type: ignore[assignment]
        for one in filters:
            _filter(one)
    except LookupError:
        return False
    return True


def _column(model: type[models.Model] | None, name: str) -> models.Field[object, object]:
    try:
        field = model._meta.get_field(name) if model is not None else None
    except FieldDoesNotExist as error:
        raise LookupError(name) from error
    if not isinstance(field, models.Field) or not field.concrete or field.many_to_many:
        raise LookupError(name)
    if isinstance(model, type) and issubclass(model, AbstractBaseUser) and name == "password":
        raise LookupError(name)  # templates of profiles are written in the admin
    return field


def _value(record: models.Model, gap: str) -> str:
    name, *filters = gap.split("|")
    value = _read(record, name)
    for one in filters:
        try:
            function, argument = _filter(one)
        except LookupError as error:
            raise LookupError(gap) from error
        value = function("" if value is None else value, *argument)
    return "" if value is None else str(value)


def _filter(text: str) -> tuple[Callable[..., Any], list[Any]]:
    """``truncatewords:8`` as a function and what it is given. ``LookupError`` for no such one."""
    name, _colon, given = text.partition(":")
    function, takes = FILTERS.get(name, (None, ""))
    if function is None or not re.fullmatch(takes, text[len(name) :]):
        raise LookupError(text)
    return function, [given[1:-1] if given.startswith('"') else int(given)] if given else []


def _read(record: models.Model, name: str) -> Any:
    """What stands in the column; of a choice what people read."""
    first, _dot, rest = name.partition(".")
    field = _column(type(record), first)
    try:
        value = getattr(record, field.name)
    except ObjectDoesNotExist:  # a required foreign key that is not set yet
        value = None
    if value is None:
        return None
    if rest:
        if not isinstance(value, models.Model):
            raise LookupError(name)
        return _read(value, rest)
    display = getattr(record, f"get_{field.name}_display", None)
    return display() if field.choices and callable(display) else value

"""Reading what shall be made from a CSV file: all lines sound, or every problem by its number."""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext

from ideogram_django import conf
from ideogram_django.lifecycle import PARAMETERS, wishes
from ideogram_django.profiles.applying import Profiles

COLUMNS = ("prompt", "model", "count", *PARAMETERS, "profile", "alt_text")
MOST = 10_000
"""Pictures in one go; a larger number is a slip of the finger."""
MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One prompt to be made ``count`` times, and where it stands, for a sentence."""

    place: str
    options: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    problems: Sequence[str] = ()
    """What cannot be read in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Orders that were checked: one request per picture, and what they cost together."""

    requests: Sequence[Mapping[str, Any]]
    amount: Decimal
    currency: str


def read(content: bytes, name: str, options: Mapping[str, Any], count: int = 1) -> list[Order]:
    """One order per line; ``options`` and ``count`` hold where a line says nothing.

    The first line names the columns. Commas, semicolons and tabs are understood. ``name`` is the
    file's, for sentences. Raises ``ValidationError`` where the file as such makes no sense; a
    line that does not is an order with problems, which :func:`check` tells beside all others.
    """
    # One more than there may be is enough to refuse them, and a million would fill the memory.
    lines = list(itertools.islice(_lines(content, name), MOST + 2))
    if not lines:
        raise ValidationError(
            gettext("%(file)s is empty. Its first line must name the columns: prompt, …")
            % {"file": name}
        )
    if len(lines) > MOST + 1:
        raise _too_many()
    names = _column_names(name, lines[0][1])
    orders = []
    for number, cells in lines[1:]:
        place = gettext("Line %(number)d") % {"number": number}
        if any(cell.strip() for cell in cells[len(names) :]):
            text = gettext(
                "it has %(cells)d cells, but there are %(columns)d columns. Put a prompt that "
                "holds commas in double quotes."
            )
            problem = text % {"cells": len(cells), "columns": len(names)}
            orders.append(Order(place=place, problems=[problem]))
            continue
        # Spaces around a cell are the spreadsheet's, and nobody sees them.
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        given, problems = _typed({name: cell for name, cell in row.items() if cell})
        orders.append(
            Order(
                place=place,
                count=given.pop("count", count),
                options={**options, **given},
                problems=problems,
            )
        )
    if not orders:
        raise ValidationError(gettext("%(file)s has no line with a prompt.") % {"file": name})
    return orders


def check(orders: Sequence[Order]) -> Bill:
    """Check and price every order; ``ValidationError`` with a sentence per problem."""
    if sum(order.count for order in orders) > MOST:
        raise _too_many()
    settings, profiles = conf.current(), Profiles()
    problems: list[str] = []
    requests: list[Mapping[str, Any]] = []
    amount, currency = Decimal(0), settings.CURRENCY
    for order in orders:
        found = [*order.problems, *_problems(order)]
        if order.options or not found:
            try:
                wish = wishes.check(order.options, settings, profiles)
            except ValidationError as error:
                found += _sentences(error)
            else:
                amount += order.count * wish.price.amount
        problems += [f"{order.place}: {one}" if order.place else one for one in found]
        requests += [order.options] * order.count
    refuse(problems)
    return Bill(requests=requests, amount=amount, currency=currency)


def repeated(bill: Bill) -> int:
    """How many of the pictures are asked for a second time in just the same words."""
    # Two pictures of one line are wanted: the line says so.
    seen = {id(one): one for one in bill.requests}
    different = {json.dumps(one, sort_keys=True, default=str) for one in seen.values()}
    return len(seen) - len(different)


def refuse(problems: Sequence[str]) -> None:
    """Raise the first of these sentences and the number of the others, if there are any."""
    if not problems:
        return
    told = list(problems[:MOST_TOLD])
    more = len(problems) - MOST_TOLD
    if more > 0:
        told.append(
            ngettext("… and %(count)d more.", "… and %(count)d more.", more) % {"count": more}
        )
    raise ValidationError(told)


# --- parts --------------------------------------------------------------------------------------


def _too_many() -> ValidationError:
    return ValidationError(gettext("One go makes at most %(most)d pictures.") % {"most": MOST})


def _lines(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold anything, each with the number of its first one in the file."""
    try:
        # Spreadsheets write a byte order mark; it must not become a part of the first name.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(
            gettext("%(file)s is not UTF-8. Save it as “CSV UTF-8”.") % {"file": name}
        ) from error
    before, text, delimiter = _taken_apart(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = before + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            gaps = {"number": number, "file": name, "problem": error}
            raise ValidationError(
                gettext("Line %(number)d of %(file)s is not CSV: %(problem)s.") % gaps
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _taken_apart(text: str) -> tuple[int, str, str]:
    """How many lines stand before the table, the table, and what separates its cells.

    Excel writes "sep=;" in front for itself, and old spreadsheets end lines with a bare CR.
    """
    found = re.match(r"sep=([,;\t])(?:\r\n|\r|\n)", text)
    if found is not None:
        return 1, text[found.end() :], found[1]
    first = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    return 0, text, next((mark for mark in ",;\t" if mark in first), ",")


def _column_names(file: str, cells: Sequence[str]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    while names and not names[-1]:  # columns that were cleared, and are written all the same
        names.pop()
    for name in names:
        if name in COLUMNS:
            continue
        near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.6)
        hint = (
            gettext("Did you mean '%(name)s'?") % {"name": near[0]}
            if near
            else gettext("There are: %(names)s.") % {"names": ", ".join(COLUMNS)}
        )
        text = gettext("%(file)s has a column '%(name)s' that means nothing here.")
        raise ValidationError(f"{text % {'file': file, 'name': name}} {hint}")
    if len(set(names)) < len(names):
        raise ValidationError(gettext("%(file)s has the same column twice.") % {"file": file})
    if "prompt" not in names:
        raise ValidationError(gettext("%(file)s has no column 'prompt'.") % {"file": file})
    return names


def _typed(row: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The cells as values, and what is wrong with those that are none."""
    given: dict[str, Any] = dict(row)
    problems = []
    for name in ("count", "seed"):
        if name not in given:
            continue
        if re.fullmatch(r"[0-9]{1,12}", given[name], re.ASCII):
            given[name] = int(given[name])
        else:
            text = gettext("%(name)s: '%(value)s' is not a whole number.")
            problems.append(text % {"name": name, "value": given.pop(name)})
    if "style_reference_images" in given:
        given["style_reference_images"] = given["style_reference_images"].split()
    return given, problems


def _problems(order: Order) -> list[str]:
    if order.count < 1:
        return [gettext("count: At least one picture must be wanted.")]
    if order.count > 1 and order.options.get("seed") is not None:
        return [
            gettext(
                "seed: The same seed would make the same picture again; leave it out or make one."
            )
        ]
    return []


def _sentences(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return [str(sentence) for sentence in error.messages]
    return [
        f"{name}: {sentence}"
        for name, sentences in error.message_dict.items()
        for sentence in sentences
    ]

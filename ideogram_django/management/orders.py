"""Reading what ``ideogram_generate`` shall make: prompts and CSV lines, all sound or none."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ideogram_django.lifecycle import PARAMETERS, wishes

COLUMNS = ("prompt", "model", "count", *PARAMETERS, "alt_text")
MOST = 10_000
"""Pictures of one command; a larger number is a slip of the finger."""
MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One prompt to be made ``count`` times, and where it stands, for a sentence."""

    place: str
    options: Mapping[str, Any]
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Orders that were checked: one request per picture, and what they cost together."""

    requests: Sequence[Mapping[str, Any]]
    amount: Decimal
    currency: str


def from_prompts(prompts: Sequence[str], options: Mapping[str, Any], count: int) -> list[Order]:
    several = len(prompts) > 1
    return [
        Order(
            place=f"Prompt {number}" if several else "",
            options={**options, "prompt": prompt},
            count=count,
        )
        for number, prompt in enumerate(prompts, start=1)
    ]


def from_csv(path: str, options: Mapping[str, Any], count: int) -> list[Order]:
    """One order per line; ``options`` and ``count`` hold where a line says nothing.

    The first line names the columns. Commas, semicolons and tabs are understood. Raises
    ``CommandError`` with every line that cannot be read.
    """
    lines = list(_lines(path))
    if not lines:
        raise CommandError(f"{path} is empty. Its first line must name the columns: prompt, …")
    names = _column_names(path, lines[0][1])
    orders, problems = [], []
    for number, cells in lines[1:]:
        place = f"Line {number}"
        if len(cells) > len(names):
            problems.append(
                f"{place}: it has {len(cells)} cells, but there are {len(names)} columns. Put a "
                "prompt that holds commas in double quotes."
            )
            continue
        # Spaces around a cell are the spreadsheet's, and nobody sees them.
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        given, sentences = _typed({name: cell for name, cell in row.items() if cell})
        problems += [f"{place}: {sentence}" for sentence in sentences]
        orders.append(
            Order(place=place, count=given.pop("count", count), options={**options, **given})
        )
    _refuse(problems)
    if not orders:
        raise CommandError(f"{path} has no line with a prompt.")
    return orders


def checked(orders: Sequence[Order]) -> Bill:
    """Check and price every order; ``CommandError`` with a sentence per problem, nothing spent."""
    problems: list[str] = []
    requests: list[Mapping[str, Any]] = []
    amount, currency = Decimal(0), ""
    if sum(order.count for order in orders) > MOST:
        raise CommandError(f"One command makes at most {MOST} pictures.")
    for order in orders:
        found = _problems(order)
        try:
            wish = wishes.check(order.options)
        except ValidationError as error:
            found += _sentences(error)
        else:
            amount += order.count * wish.price.amount
            currency = wish.price.currency
        problems += [f"{order.place}: {one}" if order.place else one for one in found]
        requests += [order.options] * order.count
    _refuse(problems)
    return Bill(requests=requests, amount=amount, currency=currency)


def money(amount: Decimal, currency: str) -> str:
    """An amount for people: ``$0.12``, ``0.12 EUR``; more places only where they say something."""
    places = max(2, -int(amount.normalize().as_tuple().exponent)) if amount else 2
    text = f"{amount:,.{places}f}"
    return f"${text}" if currency == "USD" else f"{text} {currency}"


def plural(count: int, noun: str = "picture") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# --- parts --------------------------------------------------------------------------------------


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold anything, each with the number of its first one in the file."""
    try:
        # Spreadsheets write a byte order mark; it must not become a part of the first name.
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8. Save it as “CSV UTF-8”.") from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise CommandError(f"Line {number} of {path} is not CSV: {error}.") from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _column_names(path: str, cells: Sequence[str]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(COLUMNS)}."
            raise CommandError(f"{path} has a column {name!r} that means nothing here. {hint}")
    if len(set(names)) < len(names):
        raise CommandError(f"{path} has the same column twice.")
    if "prompt" not in names:
        raise CommandError(f"{path} has no column 'prompt'.")
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
            problems.append(f"{name}: {given.pop(name)!r} is not a whole number.")
    if "style_reference_images" in given:
        given["style_reference_images"] = given["style_reference_images"].split()
    return given, problems


def _problems(order: Order) -> list[str]:
    if order.count < 1:
        return ["count: At least one picture must be wanted."]
    if order.count > 1 and order.options.get("seed") is not None:
        return ["seed: The same seed would make the same picture again; leave it out or make one."]
    return []


def _sentences(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return [str(sentence) for sentence in error.messages]
    return [
        f"{name}: {sentence}"
        for name, sentences in error.message_dict.items()
        for sentence in sentences
    ]


def _refuse(problems: Sequence[str]) -> None:
    if not problems:
        return
    told = list(problems[:MOST_TOLD])
    if len(problems) > MOST_TOLD:
        told.append(f"… and {len(problems) - MOST_TOLD} more.")
    told.append("Nothing was made and nothing was spent.")
    raise CommandError("\n".join(told))

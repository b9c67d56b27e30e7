"""What ``ideogram_generate`` shall make: prompts and CSV lines, all sound or none."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ideogram_django.runs import spreadsheets
from ideogram_django.runs.spreadsheets import COLUMNS, Bill, Order

__all__ = ["COLUMNS", "Bill", "Order", "checked", "from_csv", "from_prompts", "money", "plural"]

NOTHING_SPENT = "Nothing was made and nothing was spent."


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
    """One order per line, as :func:`spreadsheets.read` reads them; ``CommandError`` otherwise."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    with _told():
        return spreadsheets.read(content, path, options, count)


def checked(orders: Sequence[Order]) -> Bill:
    """Check and price every order; ``CommandError`` with a sentence per problem, nothing spent."""
    with _told():
        return spreadsheets.check(orders)


def money(amount: Decimal, currency: str) -> str:
    """An amount for people: ``$0.12``, ``0.12 EUR``; more places only where they say something."""
    places = max(2, -int(amount.normalize().as_tuple().exponent)) if amount else 2
    text = f"{amount:,.{places}f}"
    return f"${text}" if currency == "USD" else f"{text} {currency}"


def plural(count: int, noun: str = "picture") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except ValidationError as error:
        raise CommandError("\n".join([*error.messages, NOTHING_SPENT])) from error

"""JSON from strangers, and values out of it that are safe to keep and to show.

The readers never raise: where a value is not of the wanted kind they give the empty value of
that kind, and the caller decides whether it can do without. A database refuses NUL and lone
surrogates, a number may not fit its column, a sentence may be a megabyte: all of that ends here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from ideogram_django.exceptions import InvalidPayloadError

MAX_DEPTH = 32
"""Levels of nesting; the documented shapes have four."""
MAX_TEXT = 500
"""Characters kept of a sentence."""
MAX_URL = 2000
"""Characters; a longer address is no address, since a shortened one would lead elsewhere."""
MAX_INTEGER = 2**31 - 1
"""What the database's integer columns hold."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def parse_json(raw: bytes) -> object:
    """The value of one JSON text in UTF-8. Raises ``InvalidPayloadError`` and nothing else.

    Stricter than :func:`json.loads`: no NaN or infinities (nor numbers too large for a float),
    no other encoding, no key twice in one object, no more than ``MAX_DEPTH`` levels.
    """
    try:
        value: object = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"This is not strict JSON ({type(error).__name__}).") from None
    _check_depth(value)
    return value


def text(value: object, limit: int = MAX_TEXT) -> str:
    """One line of at most ``limit`` characters, free of control characters; else ``""``."""
    if not isinstance(value, str):
        return ""
    # A generous cut first: the rest of a huge text need not be looked at.
    value = value[: limit * 4]
    if not value.isprintable():
        safe = value.encode("utf-8", "replace").decode("utf-8")
        value = "".join(char if char.isprintable() else " " for char in safe)
    return " ".join(value.split())[:limit]


def integer(value: object, *, maximum: int = MAX_INTEGER) -> int | None:
    """A whole number from 0 to ``maximum``, also when written as ``3.0``; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= maximum or value != int(value):
        return None
    return int(value)


def number(value: object) -> float | None:
    """A number from 0 to ``MAX_INTEGER``; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_INTEGER else None


def moment(value: object) -> datetime | None:
    """An ISO 8601 time as an aware datetime in UTC (UTC is assumed where none is told)."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def url(value: object) -> str:
    """Text that can be an address, unjudged otherwise: printable, no blanks; else ``""``."""
    if not isinstance(value, str) or len(value) > MAX_URL:
        return ""
    return value if value.isprintable() and " " not in value else ""


def urls(values: object, *, limit: int = 20) -> tuple[str, ...]:
    """The addresses among the values of a list, at most ``limit`` of them."""
    if not isinstance(values, list):
        return ()
    return tuple(found for found in map(url, values[:limit]) if found)


def job_id(value: object) -> str:
    """A UUID in its canonical form of 36 characters, lower-cased; else ``""``."""
    return value.lower() if isinstance(value, str) and _UUID.fullmatch(value) else ""


def _without_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise InvalidPayloadError("This JSON is nested too deeply.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_constant=_refuse_constant,
    parse_float=_finite,
)

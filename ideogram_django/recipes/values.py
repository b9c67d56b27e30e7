"""The values of a recipe, read without believing anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.utils import validate_file_name
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from ideogram_django.lifecycle import PARAMETERS
from ideogram_django.statuses import Status

FIRST_YEAR, LAST_YEAR = 2000, 2999
"""Moments at the very ends of the calendar break in some time zones, long after the import."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BadLineError(ValueError):
    """A line that is no recipe, with a sentence that says why."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadLineError("It must be text.")
    # A database refuses both.
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise BadLineError("It holds characters that are none.")
    return value


def _status(value: object) -> str:
    if value not in Status.values:
        raise BadLineError(f"There is no status {shown(value)}.")
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadLineError("It must be true or false.")
    return value


def _number(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadLineError("It must be a whole number.")
    return value


def _uuid(value: object) -> UUID:
    try:
        return UUID(_text(value))
    except ValueError:
        raise BadLineError(f"{shown(value)} is no UUID.") from None


def _reference(value: object) -> UUID | None:
    return None if value is None else _uuid(value)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        found = parse_datetime(_text(value))
    except ValueError:
        found = None
    if found is None or is_naive(found):
        raise BadLineError(f"{shown(value)} is no time with a zone.")
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadLineError(f"{shown(value)} is no time at which a picture was made.")
    return found


def _sha256(value: object) -> str:
    digest = _text(value)
    if digest and not _SHA256.fullmatch(digest):
        raise BadLineError(f"{shown(value)} is no SHA-256 in small hexadecimal digits.")
    return digest


def _file_name(value: object) -> str:
    """A name that stays inside its folder, on every operating system."""
    name = _text(value)
    try:
        if name:
            validate_file_name(name, allow_relative_path=True)
    except SuspiciousFileOperation:
        raise BadLineError(f"{shown(name)} leads out of its folder.") from None
    if "\\" in name or ":" in name or not name.isprintable() or len(name) > 255:
        raise BadLineError(f"{shown(name)} cannot be the name of a stored file.")
    return name


def _parameters(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadLineError("It must be an object.")
    found: dict[str, Any] = {}
    for name, one in value.items():
        if name not in PARAMETERS:
            raise BadLineError(f"There is no parameter {shown(name)}.")
        if name == "seed":
            found[name] = _number(one)
        elif name == "style_reference_images":
            if not isinstance(one, list):
                raise BadLineError(f"{name} must be a list.")
            found[name] = [_text(text) for text in one]
        else:
            found[name] = _text(one)
    return found


def shown(value: object) -> str:
    return repr(value if len(repr(value)) <= 60 else f"{str(value)[:59]}…")


READERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(
        (
            *("prompt", "typed_prompt", "profile", "model", "alt_text"),
            *("requested_by", "format"),
        ),
        _text,
    ),
    **dict.fromkeys(("decorative", "picked", "uploaded"), _flag),
    **dict.fromkeys(("profile_version", "size", "width", "height"), _number),
    **dict.fromkeys(("batch", "parent", "replaces"), _reference),
    **dict.fromkeys(("created_at", "finished_at"), _moment),
    "uuid": _uuid,
    "status": _status,
    "parameters": _parameters,
    "file": _file_name,
    "sha256": _sha256,
}

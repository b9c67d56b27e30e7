"""The format: a header, then one picture a line. Reading believes nothing.

A line holds what the picture's row holds, by the same names, but for keys that mean something in
one database alone. Names and meaning only change together with :data:`VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.core.exceptions import ValidationError

from ideogram_django.apiframe.strict_json import parse_json
from ideogram_django.exceptions import InvalidPayloadError
from ideogram_django.lifecycle import PARAMETERS
from ideogram_django.models import GeneratedImage
from ideogram_django.recipes.values import READERS, BadLineError, shown
from ideogram_django.statuses import IN_PROGRESS, Status

FORMAT = "ideogram_django recipes"
VERSION = 1
MAX_LINE = 256 * 1024
"""Bytes. A real line has a few thousand."""
CONTENT_FIELDS = (
    *("prompt", "typed_prompt", "profile", "profile_version", "model", "alt_text", "decorative"),
    *("picked", "uploaded", "batch"),
)
"""Columns that a line holds as they are, beside the parameters."""


class BadFileError(ValueError):
    """A file that holds no recipes, or none that can be read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One picture as a line tells it, checked for form alone."""

    uuid: UUID
    status: str
    prompt: str = ""
    typed_prompt: str = ""
    profile: str = ""
    profile_version: int | None = None
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    alt_text: str = ""
    decorative: bool = False
    picked: bool = False
    uploaded: bool = False
    batch: UUID | None = None
    """Shared by the drafts of one request."""
    parent: UUID | None = None
    replaces: UUID | None = None
    requested_by: str = ""
    """A username."""
    created_at: datetime | None = None
    finished_at: datetime | None = None
    file: str = ""
    """The original's name in the storage that it comes from."""
    sha256: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    format: str = ""

    @property
    def is_draft(self) -> bool:
        """Nothing had come of it yet."""
        return self.status == Status.DRAFT or self.status in IN_PROGRESS

    @property
    def is_finished(self) -> bool:
        """There is, or was, a file."""
        return self.status == Status.COMPLETED

    @property
    def columns(self) -> dict[str, Any]:
        """What a new row takes from it as it stands."""
        return {
            **{name: getattr(self, name) for name in CONTENT_FIELDS},
            **self.parameters,
            "uuid": self.uuid,
        }

    @property
    def request(self) -> dict[str, Any]:
        """What is asked for when it is made again."""
        given = {
            "typed_prompt": self.typed_prompt,
            "alt_text": self.alt_text,
            "decorative": self.decorative,
        }
        if self.profile:
            given |= {"profile": self.profile, "profile_version": self.profile_version}
        return {"prompt": self.prompt, "model": self.model, **self.parameters, **given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line with its number in the file: a recipe, or what is wrong with it."""

    number: int
    raw: bytes
    recipe: Recipe | None = None
    problem: str = ""


# --- writing ------------------------------------------------------------------------------------


def header() -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION}


def written(entry: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """One line, without its end."""
    return json.dumps(entry, ensure_ascii=ascii_only, separators=(", ", ": "))


# --- reading ------------------------------------------------------------------------------------


def read(file: BinaryIO) -> Iterator[Line]:
    """Every line from the file's beginning, in memory for one line.

    Raises :class:`BadFileError` where the first line is no header that is understood here.
    """
    file.seek(0)
    numbered = _lines(file)
    _number, first = next(numbered, (0, None))
    if first is None:
        raise BadFileError("It is empty.")
    _check_header(first)
    yield from _body(numbered)


def read_body(file: BinaryIO) -> Iterator[Line]:
    """As :func:`read`, of lines without a header."""
    file.seek(0)
    yield from _body(_lines(file))


def _body(numbered: Iterator[tuple[int, bytes]]) -> Iterator[Line]:
    for number, raw in numbered:
        try:
            entry = _entry(raw)
            if "format" in entry and "uuid" not in entry:  # exports put one after another
                _check_header(raw)
                continue
            yield Line(number=number, raw=raw, recipe=recipe_of(entry))
        except (BadLineError, BadFileError) as error:
            yield Line(number=number, raw=raw[:MAX_LINE], problem=str(error))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that hold anything; of one that is too long its beginning, itself too long."""
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        whole = raw.endswith(b"\n")
        while not whole and (rest := file.readline(MAX_LINE)):
            whole = rest.endswith(b"\n")
        if raw.strip():
            yield number, raw


def _check_header(raw: bytes) -> None:
    try:
        entry = _entry(raw)
    except BadLineError:
        entry = {}
    version = entry.get("version")
    if entry.get("format") != FORMAT or type(version) is not int:
        raise BadFileError("It does not begin as an export of this package does.")
    if version > VERSION:
        raise BadFileError(
            f"It was written by a newer version of this package (format {version}, here "
            f"{VERSION}). Upgrade this site first."
        )


def _entry(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_LINE:
        raise BadLineError(f"It is longer than {MAX_LINE // 1024} KiB.")
    try:
        entry = parse_json(raw)
    except InvalidPayloadError as error:
        raise BadLineError(str(error)) from None
    if not isinstance(entry, dict):
        raise BadLineError("It is not a JSON object.")
    return entry


def recipe_of(entry: Mapping[str, Any]) -> Recipe:
    """The recipe of one object. Raises :class:`BadLineError`."""
    for name in entry:
        if name not in READERS:
            raise BadLineError(f"{shown(name)}: There is no such key.")
    for name in ("uuid", "status"):
        if name not in entry:
            raise BadLineError(f"{name}: It is missing.")
    values = {}
    for name, value in entry.items():
        try:
            values[name] = READERS[name](value)
        except BadLineError as error:
            raise BadLineError(f"{name}: {error}") from None
    recipe = Recipe(**values)
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    """What one value alone does not tell."""
    if recipe.uuid in (recipe.parent, recipe.replaces):
        raise BadLineError("It cannot be made from itself, or replace itself.")
    if bool(recipe.profile) != (recipe.profile_version is not None):
        raise BadLineError("profile: A profile and its version belong together.")
    if recipe.uploaded and not recipe.is_finished:
        raise BadLineError("status: Own work is always completed.")
    columns: Any = GeneratedImage(status=recipe.status, **recipe.columns)
    checked = {"uuid", *CONTENT_FIELDS, *PARAMETERS}
    optional = {"prompt", "model"} if recipe.uploaded else set()
    names = {one.name for one in GeneratedImage._meta.fields}
    try:
        columns.clean_fields(exclude=names - checked | optional)
    except ValidationError as error:
        raise BadLineError(
            "; ".join(f"{name}: {' '.join(told)}" for name, told in error.message_dict.items())
        ) from None

"""Writing recipes: constant memory, one query for every few hundred pictures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.core.files.storage import storages

from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle import PARAMETERS
from ideogram_django.lifecycle.references import REFERENCES
from ideogram_django.pictures.verifying import EXTENSIONS
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.recipes.lines import CONTENT_FIELDS
from ideogram_django.statuses import Status

BATCH = 500
"""Rows of one query. By key, not by a cursor, which would stay open while files are copied."""
CHUNK = 64 * 1024


class NotCopiedError(Exception):
    """An original that could not be copied, with a sentence."""


def entries(images: GeneratedImageQuerySet, settings: AppSettings) -> Iterator[dict[str, Any]]:
    """What is told of each picture, the oldest first. No secrets, no address of the provider."""
    username = f"requested_by__{get_user_model().USERNAME_FIELD}"
    rows = images.order_by("pk").values(
        *CONTENT_FIELDS,
        *PARAMETERS,
        *("pk", "uuid", "status", "parent__uuid", "replaces__uuid", username),
        *("created_at", "finished_at", "file", "sha256", "size", "width", "height", "format"),
    )
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        for row in batch:
            yield _entry(row, row[username] or "", settings)
        last = batch[-1]["pk"]


def _entry(row: Mapping[str, Any], username: str, settings: AppSettings) -> dict[str, Any]:
    finished = row["status"] == Status.COMPLETED
    return {
        "uuid": str(row["uuid"]),
        "status": row["status"],
        "prompt": row["prompt"],
        "typed_prompt": row["typed_prompt"],
        "profile": row["profile"],
        "profile_version": row["profile_version"],
        "model": row["model"],
        "parameters": _parameters(row, settings),
        "alt_text": row["alt_text"],
        "decorative": row["decorative"],
        "picked": row["picked"],
        "uploaded": row["uploaded"],
        "batch": _text(row["batch"]),
        "parent": _text(row["parent__uuid"]),
        "replaces": _text(row["replaces__uuid"]),
        "requested_by": str(username),
        "created_at": _moment(row["created_at"]),
        "finished_at": _moment(row["finished_at"]) if finished else None,
        "file": row["file"] if finished else "",
        "sha256": row["sha256"] if finished else "",
        "size": row["size"],
        "width": row["width"],
        "height": row["height"],
        "format": row["format"],
    }


def _parameters(row: Mapping[str, Any], settings: AppSettings) -> dict[str, Any]:
    """Only what was set, without references that lie at the provider: they are gone by now."""
    found = {name: row[name] for name in PARAMETERS if row[name] not in ("", None, [])}
    for name in REFERENCES:
        value = found.get(name)
        if isinstance(value, list):
            found[name] = [one for one in value if not _at_provider(one, settings)]
        if value and (not found[name] or _at_provider(value, settings)):
            del found[name]
    return found


def _at_provider(reference: object, settings: AppSettings) -> bool:
    try:
        host = urlsplit(reference).hostname or "" if isinstance(reference, str) else ""
    except ValueError:
        return False
    known = [*settings.RESULT_HOSTS, urlsplit(settings.API_BASE_URL).hostname or ""]
    return any(host == one or host.endswith(f".{one}") for one in known if one)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(value: Any) -> str | None:
    return None if value is None else value.isoformat()


# --- the files ----------------------------------------------------------------------------------


def copy_name(entry: Mapping[str, Any]) -> str:
    """The name of a copied original: told by its content, so that it is safe everywhere."""
    return f"{entry['sha256']}.{EXTENSIONS.get(entry['format'], 'bin')}"


def copy_original(entry: Mapping[str, Any], folder: Path, settings: AppSettings) -> bool:
    """Copy a picture's file into ``folder``, checked against its hash; False: nothing to copy.

    What lies there already stays: a broken-off export is taken up where it stopped. Raises
    :class:`NotCopiedError` where the storage does not give the file as the row tells it.
    """
    if not entry["file"]:
        return False
    path = folder / copy_name(entry)
    if path.exists() and path.stat().st_size == entry["size"]:
        return True
    digest = hashlib.sha256()
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        with open(handle, "wb") as target:
            for chunk in _chunks(entry, settings):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != entry["sha256"]:
            raise NotCopiedError(
                f"{entry['file']} is not the file that {entry['uuid']} was saved with."
            )
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    return True


def _chunks(entry: Mapping[str, Any], settings: AppSettings) -> Iterator[bytes]:
    try:
        with storages[settings.STORAGE].open(entry["file"], "rb") as source:
            yield from source.chunks(CHUNK)
    except Exception as error:  # a storage is a plugin and raises what its libraries raise
        raise NotCopiedError(f"{entry['file']} cannot be read ({type(error).__name__}).") from error

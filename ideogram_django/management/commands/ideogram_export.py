"""``manage.py ideogram_export``: the library's recipes, and its originals where they are wanted."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ideogram_django import conf
from ideogram_django.management.orders import plural
from ideogram_django.models import GeneratedImage
from ideogram_django.recipes import exporting, lines
from ideogram_django.statuses import Status

MOST_TOLD = 20


class Command(BaseCommand):
    help = (
        "Write everything needed to make the library again as JSON Lines: one picture a line, "
        "the oldest first. ideogram_import takes it in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="Only some pictures; may be repeated, and all must hold: "
            + "; ".join(CONDITIONS_HELP)
            + ".",
        )
        parser.add_argument("--out", metavar="FILE", help="Instead of the terminal's output.")
        parser.add_argument(
            "--files", metavar="DIR", help="Copy the originals there, named by their content."
        )

    def handle(self, **options: Any) -> None:
        images = GeneratedImage.objects.filter(*map(_condition, options["where"]))
        folder = self._folder(options["files"])
        settings = conf.current()
        count = copied = 0
        failed: list[str] = []
        with self._output(options["out"]) as out:
            ascii_only = (getattr(out, "encoding", None) or "").lower().replace("-", "") != "utf8"
            out.write(lines.written(lines.header()) + "\n")
            for entry in exporting.entries(images, settings):
                out.write(lines.written(entry, ascii_only=ascii_only) + "\n")
                count += 1
                if folder is not None:
                    try:
                        copied += exporting.copy_original(entry, folder, settings)
                    except exporting.NotCopiedError as error:
                        failed.append(str(error))
                    except OSError as error:
                        raise CommandError(
                            f"Nothing can be written to {folder}: {error.strerror}."
                        ) from error
        self._tell(count, copied, failed, folder)

    def _tell(self, count: int, copied: int, failed: list[str], folder: Path | None) -> None:
        self.stderr.style_func = None  # this is no error
        files = "" if folder is None else f", {plural(copied, 'original')} in {folder}"
        self.stderr.write(f"{plural(count, 'recipe')}{files}.")
        if failed:
            shown = failed[:MOST_TOLD]
            more = len(failed) - len(shown)
            raise CommandError(
                "\n".join(
                    [
                        *shown,
                        *([f"… and {more} more."] if more else []),
                        f"{plural(len(failed), 'original')} could not be copied. "
                        "The recipes are complete.",
                    ]
                )
            )

    def _folder(self, name: str | None) -> Path | None:
        if name is None:
            return None
        folder = Path(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"Nothing can be written to {folder}: {error.strerror}.") from error
        return folder

    @contextlib.contextmanager
    def _output(self, name: str | None) -> Iterator[Any]:
        """Standard output, or a file that is there when it is complete and not before."""
        if name is None:
            yield _Output(self.stdout)
            return
        path = Path(name)
        try:
            handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            with open(handle, "w", encoding="utf-8", newline="\n") as file:
                yield file
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
            raise


class _Output:
    """Django's wrapper, which adds a line end of its own unless it is told otherwise."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self.encoding = getattr(out, "encoding", None)

    def write(self, text: str) -> None:
        self._out.write(text, ending="")


# --- conditions ---------------------------------------------------------------------------------


def _condition(text: str) -> Q:
    name, equals, value = text.partition("=")
    if not equals or name not in CONDITIONS:
        raise CommandError(f"--where {text}: Give one of {', '.join(CONDITIONS)}, “=” and a value.")
    return CONDITIONS[name](value)


def _status(value: str) -> Q:
    wanted = value.split(",")
    for one in wanted:
        if one not in Status.values:
            raise CommandError(
                f"There is no status {one!r}. There are: {', '.join(Status.values)}."
            )
    return Q(status__in=wanted)


def _picked(value: str) -> Q:
    if value not in ("yes", "no"):
        raise CommandError(f"picked is yes or no, not {value!r}.")
    return Q(picked=value == "yes")


def _profile(value: str) -> Q:
    name, colon, version = value.partition(":")
    if not colon:
        return Q(profile=name)
    if not (version.isascii() and version.isdigit()):
        raise CommandError(f"{version!r} is no version of a profile: write {name}:3.")
    return Q(profile=name, profile_version=int(version))


def _since(value: str) -> Q:
    return Q(created_at__gte=_moment(value))


def _until(value: str) -> Q:
    return Q(created_at__lt=_moment(value))


def _moment(value: str) -> datetime:
    """A day, which begins at midnight in the site's time zone, or a time."""
    try:
        day = parse_date(value)
        found = datetime.combine(day, time()) if day is not None else parse_datetime(value)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{value!r} is no day and no time: write 2026-11-01.")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


CONDITIONS: dict[str, Callable[[str], Q]] = {
    "status": _status,
    "picked": _picked,
    "profile": _profile,
    "since": _since,
    "until": _until,
}
CONDITIONS_HELP = (
    "status=completed,draft",
    "picked=yes or no",
    "profile=NAME or NAME:VERSION",
    "since=DAY (made on this day or later)",
    "until=DAY (made before this day)",
)

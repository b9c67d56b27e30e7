"""Finding the files that recipes tell of: in a folder that came along, or in the storage."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import storages

from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle import adopting
from ideogram_django.models import GeneratedImage
from ideogram_django.pictures.verifying import EXTENSIONS
from ideogram_django.recipes.lines import Recipe

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A private copy of the bytes that the recipe's hash vouches for."""

    file: File[bytes]
    stored_as: str = ""
    """The name under which it lies in this site's storage and may stay; or empty."""


class Originals:
    def __init__(self, folder: Path | None, settings: AppSettings) -> None:
        self._folder = None if folder is None else folder.resolve()
        self._settings = settings

    @contextmanager
    def of(self, recipe: Recipe) -> Iterator[tuple[Original | None, str]]:
        """The recipe's file; or none, with a sentence where one was there and is another."""
        told = ""
        for where, opened, stored_as in self._candidates(recipe):
            with tempfile.TemporaryFile() as copy:
                problem = self._take(opened, copy, recipe)
                if not problem:
                    yield Original(file=File(copy, name="original"), stored_as=stored_as), ""
                    return
            told = told or f"{where} {problem}"
        yield None, told

    def _candidates(self, recipe: Recipe) -> Iterator[tuple[str, Callable[[], IO[Any]], str]]:
        if not recipe.sha256:
            return
        if self._folder is not None:
            copies = [f"{recipe.sha256}.{extension}" for extension in EXTENSIONS.values()]
            for name in [*copies, *filter(None, [recipe.file])]:
                path = (self._folder / name).resolve()
                # A link may lead out of the folder although the name does not.
                if path.is_relative_to(self._folder) and path.is_file():
                    yield str(path), lambda path=path: path.open("rb"), ""  # type: ignore[misc]
        storage = storages[self._settings.STORAGE]
        name = recipe.file
        try:
            there = bool(name) and storage.exists(name)
        except (OSError, SuspiciousOperation):
            there = False
        if there:
            stays = adopting.can_stay(GeneratedImage.objects.all(), name)
            yield name, lambda: storage.open(name, "rb"), name if stays else ""

    def _take(self, opened: Callable[[], IO[Any]], copy: IO[bytes], recipe: Recipe) -> str:
        """Copy the file as long as it may be right; what is wrong with it, or nothing."""
        digest = hashlib.sha256()
        size = 0
        try:
            with opened() as source:
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    if size > self._settings.MAX_IMAGE_BYTES:
                        return "is larger than this site allows."
                    digest.update(chunk)
                    copy.write(chunk)
        except OSError as error:
            return f"cannot be read: {error.strerror or type(error).__name__}."
        if digest.hexdigest() != recipe.sha256:
            return "is another file: its hash differs."
        copy.seek(0)
        return ""

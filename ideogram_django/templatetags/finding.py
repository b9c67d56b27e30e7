"""Where the files of a page's pictures are."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

from django.core.files.storage import FileSystemStorage, storages

from ideogram_django import conf
from ideogram_django.models import GeneratedImage
from ideogram_django.pictures.formats import AVIF, WEBP, srcset

logger = logging.getLogger(__name__)

_DJANGO_URL, _DJANGO_PATH = FileSystemStorage.url, FileSystemStorage.path
_AS_IT_IS = re.compile(r"[A-Za-z0-9_-]++(?:[./][A-Za-z0-9_-]++)*+").fullmatch
"""Names in which an address quotes nothing, and which lead nowhere but into the folder."""
_WIDTH = itemgetter("width")


@dataclass(slots=True)
class Files:
    """Addresses of a picture, ready for HTML; those in ``plain`` with their widths."""

    src: str
    srcset: str
    """Of ``<img>``: WebP copies and the original, which comes last. Empty where it has one file."""
    newer: str
    """Of ``<source>``: the formats that not every browser takes."""
    plain: list[tuple[str, int]] = field(default_factory=list)
    """What ``<img>`` gets, the narrowest first."""


class Finder:
    """Finds files; one for a page, so that what holds for all of them is asked once.

    Django's own storage for files on this machine puts a name behind its address and its folder.
    For names in which it changes nothing that is done here, without its ten steps for each.
    """

    def files(self, image: GeneratedImage) -> Files | None:
        """The files of a finished picture; None where there is none to show."""
        try:
            plain, newer = self._found(image)
        except Exception:
            # A storage is a plugin and raises what its client library raises; a page is worth more
            # than the picture on it.
            logger.exception("The address of picture %s cannot be told", _called(image))
            return None
        shown = plain or newer
        if not shown:
            return None
        return Files(
            src=shown[-1][0],
            srcset=srcset(shown) if len(shown) > 1 else "",
            newer=srcset(newer) if newer else "",
            plain=shown,
        )

    def _found(self, image: GeneratedImage) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        formats, address, name = self._formats, self._address, image.file_name
        gone = self._is_gone(name)
        plain: list[tuple[str, int]] = []
        newer: list[tuple[str, int]] = []
        for one in sorted(image.renditions, key=_WIDTH):
            copy, format = one["name"], one.get("format", WEBP)
            if format in formats and not (gone and self._is_gone(copy)):
                (newer if format == AVIF else plain).append((address(copy), one["width"]))
        if gone:
            logger.warning("The file of picture %s is gone", _called(image))
        else:
            plain.append((address(name), image.width or 0))
        return plain, newer

    def _is_gone(self, name: str) -> bool:
        """Whether the storage keeps its files on this machine, and this one is not among them.

        Where its folder is missing too, or is the storage's own, which always exists, the files may
        be another machine's to serve.
        """
        if "/" not in name:
            return False
        try:
            path = self._path(name)
        except NotImplementedError:
            return False
        # At half the price of os.path.exists(), which also asks for size and times.
        return not os.access(path, os.F_OK) and os.path.isdir(os.path.dirname(path))

    # --- what holds for all pictures of a page ----------------------------------------------------

    @cached_property
    def _formats(self) -> Sequence[str]:
        return conf.current().FORMATS

    @cached_property
    def _storage(self) -> Any:
        return storages[conf.current().STORAGE]

    @cached_property
    def _address(self) -> Callable[[str], str]:
        address: Callable[[str], str] = self._storage.url
        if getattr(address, "__func__", None) is not _DJANGO_URL:
            return address
        before = address("name").removesuffix("name")
        return lambda name: before + name if _AS_IT_IS(name) else address(name)

    @cached_property
    def _path(self) -> Callable[[str], str]:
        path: Callable[[str], str] = self._storage.path
        if getattr(path, "__func__", None) is not _DJANGO_PATH:
            return path
        folder = str(self._storage.location).rstrip(os.sep)
        return lambda name: f"{folder}/{name}" if _AS_IT_IS(name) else path(name)


def _called(image: GeneratedImage) -> Any:
    """What the log calls it; never worth a query."""
    return vars(image).get("uuid") or image.pk

"""Where the files of a page's pictures are."""

from __future__ import annotations

import logging
import os
import re
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
_AS_IT_IS = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*").fullmatch
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
            logger.exception("The address of picture %s cannot be told", image.uuid)
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
        formats = self._formats
        plain: list[tuple[str, int]] = []
        newer: list[tuple[str, int]] = []
        for one in sorted(image.renditions, key=_WIDTH):
            format = one.get("format", WEBP)
            if format in formats:
                (newer if format == AVIF else plain).append((one["name"], one["width"]))
        name = str(image.file.name)
        if self._is_gone(name):
            logger.warning("The file of picture %s is gone", image.uuid)
            plain = [one for one in plain if not self._is_gone(one[0])]
            newer = [one for one in newer if not self._is_gone(one[0])]
        else:
            plain.append((name, image.width or 0))
        address = self._address
        return [(address(name), width) for name, width in plain], [
            (address(name), width) for name, width in newer
        ]

    def _address(self, name: str) -> str:
        if self._before_names is not None and _AS_IT_IS(name):
            return self._before_names + name
        return str(self._storage.url(name))

    def _is_gone(self, name: str) -> bool:
        """Whether the storage keeps its files on this machine, and this one is not among them.

        Where its folder is missing too, or is the storage's own, which always exists, the files may
        be another machine's to serve.
        """
        if "/" not in name:
            return False
        if self._folder is not None and _AS_IT_IS(name):
            path = f"{self._folder}/{name}"
        else:
            try:
                path = self._storage.path(name)
            except NotImplementedError:
                return False
        return not os.path.exists(path) and os.path.isdir(os.path.dirname(path))

    # --- what holds for all pictures of a page ----------------------------------------------------

    @cached_property
    def _formats(self) -> Any:
        return conf.current().FORMATS

    @cached_property
    def _storage(self) -> Any:
        return storages[conf.current().STORAGE]

    @cached_property
    def _before_names(self) -> str | None:
        """What the storage puts before a name; None for one that does more than that."""
        if getattr(self._storage.url, "__func__", None) is not _DJANGO_URL:
            return None
        return str(self._storage.url("name")).removesuffix("name")

    @cached_property
    def _folder(self) -> str | None:
        if getattr(self._storage.path, "__func__", None) is not _DJANGO_PATH:
            return None
        return str(self._storage.location).rstrip(os.sep)

"""Storages that stop, fail, hang, rename, overwrite, or live nowhere near a file system.

All keep their files under ``MEDIA_ROOT``, so that the oracle can look at what is really there.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from tests.reliability.stops import stop_at


def kind(name: str) -> str:
    """``width`` for a smaller width, ``original`` for the picture itself."""
    return "width" if name.endswith(".webp") else "original"


class StoppingStorage(FileSystemStorage):
    """Stops before a write, after it and before its return, and before a read."""

    def _save(self, name: str, content: File[Any]) -> str:
        stop_at(f"{kind(name)}.before")
        saved = super()._save(name, content)
        stop_at(f"{kind(name)}.after")
        return saved

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        stop_at("open")
        return super()._open(name, mode)


class FailingStorage(FileSystemStorage):
    """Refuses the first writes, then works. ``half`` leaves half a file at each refusal."""

    left: dict[str, int] = {"original": 0, "width": 0}
    half = False
    refused = 0

    @classmethod
    def fail(cls, *, original: int = 0, width: int = 0, half: bool = False) -> None:
        cls.left = {"original": original, "width": width}
        cls.half = half
        cls.refused = 0

    def _save(self, name: str, content: File[Any]) -> str:
        if self.left[kind(name)] > 0:
            self.left[kind(name)] -= 1
            type(self).refused += 1
            if self.half:
                path = Path(self.path(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"half a file")
            raise RuntimeError("The bucket is out of order")
        return super()._save(name, content)


class HangingStorage(FileSystemStorage):
    """Every write takes longer than a claim holds."""

    seconds = 0.0

    def _save(self, name: str, content: File[Any]) -> str:
        time.sleep(self.seconds)
        return super()._save(name, content)


class RenamingStorage(FileSystemStorage):
    """Never uses the name that it is given, as storages that add a hash do; may fail as well."""

    fail_widths_after: int | None = None

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        path = Path(name)
        return super().get_available_name(
            str(path.with_name(f"{path.stem}.renamed{path.suffix}")), max_length
        )

    def _save(self, name: str, content: File[Any]) -> str:
        cls = type(self)
        if kind(name) == "width" and cls.fail_widths_after is not None:
            if cls.fail_widths_after == 0:
                cls.fail_widths_after = None
                raise RuntimeError("The bucket is out of order")
            cls.fail_widths_after -= 1
        saved = super()._save(name, content)
        stop_at(f"{kind(name)}.after")
        return saved


class OverwritingStorage(FileSystemStorage):
    """Writes over whatever has the name, as S3 does."""

    def __init__(self) -> None:
        super().__init__(allow_overwrite=True)


class DistantStorage(Storage):
    """No ``path``, no listing: an object store as Django's storage API sees it."""

    def __init__(self) -> None:
        self._inner = FileSystemStorage()

    def _save(self, name: str, content: File[Any]) -> str:
        stop_at(f"{kind(name)}.before")
        saved = self._inner._save(name, content)
        stop_at(f"{kind(name)}.after")
        return saved

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        return self._inner._open(name, mode)

    def delete(self, name: str) -> None:
        self._inner.delete(name)

    def exists(self, name: str) -> bool:
        return self._inner.exists(name)

    def url(self, name: str | None) -> str:
        return self._inner.url(name)

"""Writing to the site's storage so that every object is named by a row before it exists."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.db.models.functions import Now

from ideogram_django.conf import AppSettings
from ideogram_django.exceptions import IdeogramError, PictureError
from ideogram_django.models import GeneratedImage, StoredObject, picture_path
from ideogram_django.pictures import renditions
from ideogram_django.pictures.formats import WEBP
from ideogram_django.statuses import ErrorCode, ObjectKind

logger = logging.getLogger(__name__)


def note_originals(images: Iterable[GeneratedImage], alias: str) -> list[StoredObject]:
    """Write down the names of the files that are about to be fetched."""
    return StoredObject.objects.bulk_create(
        [
            StoredObject(
                image=image,
                name=picture_path(image, "picture.png"),
                storage=alias,
                kind=ObjectKind.ORIGINAL,
                claim=image.claim,
            )
            for image in images
        ]
    )


def stored_widths(image: GeneratedImage) -> list[tuple[str, int]]:
    """Format and width of each copy that a picture has."""
    # Pictures that are older than the second format do not name theirs.
    return [(one.get("format", WEBP), one["width"]) for one in image.renditions]


def missing_widths(image: GeneratedImage, settings: AppSettings) -> bool:
    """Whether the settings ask for copies that this finished picture does not have."""
    if not (image.file and image.width and image.height):
        return False
    plan = renditions.planned((image.width, image.height), settings.WIDTHS, settings.FORMATS)
    formats = {format for format in settings.FORMATS if renditions.can_write(format)}
    return bool({one for one in plan if one[0] in formats}.difference(stored_widths(image)))


def note_widths(
    image: GeneratedImage, original: str, alias: str, copies: Iterable[renditions.Rendition]
) -> list[StoredObject]:
    """Write down the names of the smaller widths, beside the original."""
    stem = PurePosixPath(original).with_suffix("")
    return StoredObject.objects.bulk_create(
        [
            StoredObject(
                image=image,
                # The random part keeps a repeated attempt from meeting the leftovers of another.
                name=f"{stem}-{one.width}w-{uuid.uuid4().hex[:8]}.{one.format}",
                storage=alias,
                kind=ObjectKind.WIDTH,
                width=one.width,
                claim=image.claim,
            )
            for one in copies
        ]
    )


def rename(noted: StoredObject, extension: str) -> None:
    """Give the noted name the extension of what was really found, before it is written."""
    name = str(PurePosixPath(noted.name).with_suffix(f".{extension}"))
    if name != noted.name:
        noted.name = name
        noted.save(update_fields=["name"])


def take_names(objects: Iterable[StoredObject], names: Iterable[str]) -> None:
    """Note the names that the storage chose, so that what is not linked can be found again."""
    for noted, name in zip(objects, names, strict=True):
        if noted.name != name:
            noted.name = name
            noted.save(update_fields=["name"])


def leftovers(images: Sequence[GeneratedImage]) -> dict[int, list[StoredObject]]:
    """Objects that earlier, dead claims on these pictures noted and never linked."""
    found: dict[int, list[StoredObject]] = {image.pk: [] for image in images}
    for noted in StoredObject.objects.filter(
        image__in=images, linked_at__isnull=True, deleted_at__isnull=True
    ).exclude(claim__in={image.claim for image in images}):
        found[noted.image_id or 0].append(noted)
    return found


def link(objects: Iterable[StoredObject]) -> None:
    """Link what was written, under the names that were taken."""
    keys = [noted.pk for noted in objects]
    StoredObject.objects.filter(pk__in=keys).update(linked_at=Now())


def forget(objects: Iterable[StoredObject]) -> None:
    """Tombstone objects that are gone from the storage."""
    StoredObject.objects.filter(pk__in=[noted.pk for noted in objects]).update(deleted_at=Now())


# --- in a thread: no database -------------------------------------------------------------------


class _LocalFile(File):  # type: ignore[type-arg]  # not subscriptable in Django itself
    """A finished file that a file-system storage may move into place instead of copying."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def part_path(storage: Storage, name: str) -> str | None:
    """Where the unfinished file lies on a local storage: a hidden name made from the noted one.

    ``None`` where the storage is not a local file system.
    """
    try:
        return storage.path(f".{PurePosixPath(name).stem}.part")
    except NotImplementedError:
        return None


@contextlib.contextmanager
def private_file(storage: Storage, name: str) -> Iterator[BinaryIO]:
    """A file that nobody else can read, for the unfinished download.

    On a file system it lies on the storage's own disk, so that storing it is a rename, under a
    name that the note gives away, so that a later pass can remove it. Elsewhere it has no name
    and vanishes with the process.
    """
    path = part_path(storage, name)
    if path is None:
        with tempfile.TemporaryFile() as file:
            yield file
        return
    with _open_private(path) as file:
        try:
            yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _open_private(path: str) -> BinaryIO:
    def opener(path: str, flags: int) -> int:
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:  # the first of this month
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, flags, 0o600)

    return open(path, "w+b", opener=opener)


class Keeper:
    """Holds a private file open beyond the block that filled it, until it is stored."""

    def __init__(self, file: BinaryIO, stack: contextlib.ExitStack) -> None:
        self.file = file
        self._stack = stack
        self._later: contextlib.ExitStack | None = None

    def keep(self) -> None:
        self._later = self._stack.pop_all()

    def close(self) -> None:
        if self._later is not None:
            self._later.close()


@contextlib.contextmanager
def kept(source: contextlib.AbstractContextManager[BinaryIO]) -> Iterator[Keeper]:
    """A private file that is removed with the block, unless the block keeps it.

    A full or broken disk is our storage's failure, not the picture's.
    """
    try:
        with contextlib.ExitStack() as stack:
            yield Keeper(stack.enter_context(source), stack)
    except IdeogramError:
        raise
    except OSError as error:
        logger.exception("No room for the unfinished file")
        raise PictureError(
            error.strerror or "", code=ErrorCode.STORAGE_FAILED, permanent=False
        ) from error


@contextlib.contextmanager
def opened(storage: Storage, name: str) -> Iterator[BinaryIO]:
    """A stored file for reading; what the storage raises becomes a PictureError, see ``_save``."""
    try:
        file = storage.open(name, "rb")
    except Exception as error:
        logger.exception("The storage would not open %s", name)
        raise PictureError(
            type(error).__name__, code=ErrorCode.STORAGE_FAILED, permanent=False
        ) from error
    with file:
        yield cast(BinaryIO, file)


def save_copy(storage: Storage, name: str, file: BinaryIO, *, max_length: int | None) -> str:
    """Copy a file into another storage; the name that it got there."""
    return _save(storage, name, File(file, name=name), max_length=max_length)


def save_original(storage: Storage, name: str, file: BinaryIO) -> str:
    """Store the finished file; the name that the storage gave it."""
    file.flush()
    file.seek(0)
    local = part_path(storage, name) is not None
    content: File[Any] = _LocalFile(file, name=file.name) if local else File(file, name=name)
    return _save(storage, name, content)


def save_widths(
    storage: Storage, names: Iterable[str], copies: Iterable[renditions.Rendition]
) -> list[str]:
    """Store all, or none under a name that nobody has noted."""
    saved: list[str] = []
    try:
        for name, one in zip(names, copies, strict=True):
            saved.append(_save(storage, name, ContentFile(one.content)))
    except PictureError:
        for name in saved:
            with contextlib.suppress(Exception):  # the sweep deletes those with noted names
                storage.delete(name)
        raise
    return saved


def _save(storage: Storage, name: str, content: File[Any], *, max_length: int | None = None) -> str:
    # A storage is a plugin: S3, Azure and the rest raise what their client libraries raise, so
    # this is the one place that must take any exception for an answer. Nothing is lost by it:
    # the error is logged and kept as the cause, and the picture is tried again.
    try:
        return storage.save(name, content, max_length=max_length)
    except Exception as error:
        logger.exception("The storage refused %s", name)
        raise PictureError(
            type(error).__name__, code=ErrorCode.STORAGE_FAILED, permanent=False
        ) from error


def remove(objects: Iterable[StoredObject]) -> list[StoredObject]:
    """Delete objects, and what is left of their download; those that are gone now."""
    gone = []
    for noted in objects:
        try:
            storage = storages[noted.storage]
            path = part_path(storage, noted.name)
            if path is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            storage.delete(noted.name)
        except SuspiciousOperation:
            logger.exception("The name %s cannot be ours", noted.name)
        except Exception:  # see _save
            logger.exception("The storage would not delete %s", noted.name)
        else:
            gone.append(noted)
    return gone

"""Bringing a finished picture home: download, check, store, widths, the record's own field."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.files.storage import storages
from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from ideogram_django.drains import attaching, files
from ideogram_django.drains.tasks import Answer, Task
from ideogram_django.drains.tools import Tools, task_for
from ideogram_django.exceptions import PictureError
from ideogram_django.lifecycle import settling
from ideogram_django.lifecycle.sending import backoff
from ideogram_django.lifecycle.transitions import let_go
from ideogram_django.lifecycle.watching import age
from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.pictures import fetching, verifying
from ideogram_django.statuses import ErrorCode

logger = logging.getLogger(__name__)

EXPIRED_TRIES = 4
STORAGE_TRIES = 6


class Saving:
    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    def fetch(self, image: GeneratedImage) -> Iterable[Task]:
        """Bring the file home: note a name, download and check, store, link, then the widths."""
        return self.fetch_all([image])

    def fetch_all(self, images: Sequence[GeneratedImage]) -> list[Task]:
        """:meth:`fetch` for several, with one note for them all."""
        old = files.leftovers(images)
        noted = files.note_originals(images, self.tools.settings.STORAGE)
        return [
            self._download(image, one, old[image.pk])
            for image, one in zip(images, noted, strict=True)
        ]

    def _download(
        self, image: GeneratedImage, noted: StoredObject, old: Sequence[StoredObject]
    ) -> Task:
        storage = storages[self.tools.settings.STORAGE]
        settings, url = self.tools.settings, image.result_url

        def run() -> _Download:
            gone = files.remove(old)
            with files.kept(files.private_file(storage, noted.name)) as keeper:
                fetched = fetching.fetch(self.tools.downloads, url, keeper.file, self.tools.rules)
                verified = verifying.verify(
                    keeper.file,
                    max_pixels=settings.MAX_IMAGE_PIXELS,
                    widths=settings.WIDTHS,
                    formats=settings.FORMATS,
                )
                keeper.keep()
            return _Download(
                noted=noted, gone=gone, fetched=fetched, verified=verified, keeper=keeper
            )

        return task_for(image, run, partial(self._downloaded, image))

    def _downloaded(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            self._fetch_failed(image, answer)
            return []
        files.forget(answer.gone)
        files.rename(answer.noted, answer.verified.extension)
        storage = storages[answer.noted.storage]

        def run() -> _Stored:
            try:
                name = files.save_original(storage, answer.noted.name, answer.keeper.file)
            finally:
                answer.keeper.close()
            return _Stored(
                noted=answer.noted,
                name=name,
                verified=answer.verified,
                facts={
                    "width": answer.verified.width,
                    "height": answer.verified.height,
                    "format": answer.verified.format,
                    "size": answer.fetched.size,
                    "sha256": answer.fetched.sha256,
                    "color": answer.verified.color,
                },
            )

        return [task_for(image, run, partial(self._stored, image), self._stored_together)]

    def _stored_together(self, answers: Sequence[Answer]) -> Iterable[Task]:
        """Most files are simply there: those are linked at once, the others one by one."""
        linked: set[int] = set()
        tasks: list[Task] = []
        for last in (True, False):
            there = [
                (image, one)
                for image, one in answers
                if isinstance(one, _Stored) and self._is_last(image, one) == last
            ]
            if len(there) > 1 and self._link_together(there, last=last):
                linked |= {image.pk for image, _one in there}
                for image, one in there if not last else ():
                    tasks += self._follow(image, one)
        for image, answer in answers:
            if image.pk not in linked:
                tasks += self._stored(image, answer)
        return tasks

    def _link_together(self, there: Sequence[Answer], *, last: bool) -> bool:
        noted = [one.noted for _image, one in there]
        files.take_names(noted, [one.name for _image, one in there])
        facts = [(image, {"name": one.name, **one.facts}) for image, one in there]
        with transaction.atomic():
            done = settling.completed_together(facts, last=last)
            if done:
                files.link(noted)
        return done

    def _is_last(self, image: GeneratedImage, stored: _Stored) -> bool:
        """Whether nothing follows: no widths, and no record that is to have a copy."""
        return not stored.verified.renditions and image.target_type_id is None

    def _follow(self, image: GeneratedImage, stored: _Stored) -> Iterable[Task]:
        image.refresh_from_db()
        return self._store_widths(image, stored.verified)

    def _stored(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            self._fetch_failed(image, answer)
            return []
        noted = answer.noted
        files.take_names([noted], [answer.name])
        with transaction.atomic():
            done = settling.completed(image, name=answer.name, **answer.facts)
            if done:
                files.link([noted])
        if not done:
            if StoredObject.objects.filter(pk=noted.pk, linked_at__isnull=False).exists():
                # Done before: the commit went through and only its confirmation was lost.
                return []
            # Another claim took over: what this one wrote belongs to nobody.
            return [self._remove(image, [noted])]
        return self._follow(image, answer)

    def _fetch_failed(self, image: GeneratedImage, error: PictureError) -> None:
        tries = image.checks + 1
        expired = error.code == ErrorCode.RESULT_EXPIRED and tries >= EXPIRED_TRIES
        unstorable = error.code == ErrorCode.STORAGE_FAILED and tries >= STORAGE_TRIES
        too_old = tries >= EXPIRED_TRIES and age(image) > self.tools.settings.GIVE_UP_AFTER
        if error.permanent or expired or unstorable:
            settling.unusable(image, ErrorCode(error.code), error.detail)
        elif too_old:
            settling.unusable(image, ErrorCode.GAVE_UP, error.detail)
        else:
            let_go(image, after=backoff(tries))

    def finish(self, image: GeneratedImage) -> Iterable[Task]:
        """A finished picture with something left to do: the widths, then its record's own field."""
        if not files.missing_widths(image, self.tools.settings):
            return self._attach(image)
        storage = storages[self.tools.settings.STORAGE]
        name, settings = str(image.file.name), self.tools.settings
        there = files.stored_widths(image)

        def run() -> verifying.Verified:
            with files.opened(storage, name) as file:
                return verifying.verify(
                    file,
                    max_pixels=settings.MAX_IMAGE_PIXELS,
                    widths=settings.WIDTHS,
                    formats=settings.FORMATS,
                    there=there,
                )

        return [task_for(image, run, partial(self._widths_made, image))]

    def _widths_made(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            if answer.permanent or image.checks + 1 >= STORAGE_TRIES:
                logger.error("No smaller widths for %s: %s", image.uuid, answer)
                return self._attach(image)
            let_go(image, after=backoff(image.checks + 1))
            return []
        return self._store_widths(image, answer)

    def _store_widths(self, image: GeneratedImage, verified: verifying.Verified) -> Iterable[Task]:
        renditions = verified.renditions
        if not renditions:
            return self._attach(image)
        old = files.leftovers([image])[image.pk]
        noted = files.note_widths(
            image,
            str(image.file.name),
            self.tools.settings.STORAGE,
            renditions,
        )
        storage = storages[self.tools.settings.STORAGE]

        def run() -> tuple[list[StoredObject], list[str]]:
            gone = files.remove(old)
            return gone, files.save_widths(storage, [one.name for one in noted], renditions)

        return [task_for(image, run, partial(self._widths_stored, image, noted, verified))]

    def _widths_stored(
        self,
        image: GeneratedImage,
        noted: Sequence[StoredObject],
        verified: verifying.Verified,
        answer: Any,
    ) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            if image.checks + 1 >= STORAGE_TRIES:
                return self._attach(image)
            let_go(image, after=backoff(image.checks + 1))
            return []
        gone, names = answer
        files.forget(gone)
        files.take_names(noted, names)
        new = [
            {"name": name, "width": one.width, "height": one.height, "format": one.format}
            for name, one in zip(names, verified.renditions, strict=True)
        ]
        with transaction.atomic():
            mine = settling.widths_stored(image, new, color=verified.color)
            if mine:
                files.link(noted)
        return self._attach(image) if mine else [self._remove(image, noted)]

    def _attach(self, image: GeneratedImage) -> Iterable[Task]:
        # Somebody may have approved it since it was claimed.
        image.refresh_from_db(fields=["picked", "attached_at"])
        try:
            copy = attaching.prepare(image)
        except PictureError:
            self._not_attached(image)
            return []
        if copy is None:
            if not settling.nothing_left(image):
                let_go(image, after=0)
            return []
        return [task_for(image, copy.write, partial(self._attached, image, copy))]

    def _attached(self, image: GeneratedImage, copy: attaching.Copy, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            self._not_attached(image)
            return []
        linked = False
        try:
            with transaction.atomic():
                # First, so that of two who copied only one can link.
                mine = settling.nothing_left(image)
                if mine and copy.link(answer):
                    settling.given(image)
                    linked = True
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:
            logger.exception("A record's table does not take the copy of %s", image.uuid)
            self._not_attached(image)
        return [] if linked else [task_for(image, partial(copy.remove, answer), _nothing)]

    def _not_attached(self, image: GeneratedImage) -> None:
        """Try again, a few times: a copy that can never be made is not to be made for ever."""
        if image.checks + 1 < STORAGE_TRIES:
            let_go(image, after=backoff(image.checks + 1))
        else:
            logger.error("The file of %s could not be copied to its record", image.uuid)
            settling.nothing_left(image)

    def _remove(self, image: GeneratedImage, objects: Sequence[StoredObject]) -> Task:
        return task_for(image, lambda: files.remove(objects), lambda gone: files.forget(gone))


def _nothing(answer: Any) -> None:
    """What follows a step that nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    """A checked file on its way from the network into the storage."""

    noted: StoredObject
    gone: list[StoredObject]
    fetched: fetching.Fetched
    verified: verifying.Verified
    keeper: files.Keeper


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A file in the storage that no row points at yet."""

    noted: StoredObject
    name: str
    verified: verifying.Verified
    facts: Mapping[str, Any]

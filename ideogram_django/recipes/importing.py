"""Taking recipes in. Nothing here spends anything, but for :meth:`Import.make`.

Three readings of the file, each in memory for a few hundred lines: what is wrong with it, then the
pictures, then what links them. A picture is written whole or not at all, in a transaction of its
own, so an import that breaks off is simply done again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max

from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle import adopting, draft_many, references, wishes
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.recipes import lines
from ideogram_django.recipes.family import Family
from ideogram_django.recipes.lines import Line, Recipe
from ideogram_django.recipes.originals import Original, Originals
from ideogram_django.recipes.reporting import Report

BATCH = 200


class Import:
    """One file of recipes on its way into this site."""

    def __init__(self, file: BinaryIO, *, folder: Path | None, settings: AppSettings) -> None:
        self._file = file
        self._settings = settings
        self._originals = Originals(folder, settings)
        self._missing: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        self._found: set[UUID] = set()
        """Pictures that would be here by now, were this not only a look."""
        self._last_before = GeneratedImage.objects.aggregate(last=Max("pk"))["last"] or 0
        self._family = Family(self._last_before)
        self.report = Report(currency=settings.CURRENCY)

    def close(self) -> None:
        self._missing.close()

    def bad_lines(self) -> Iterator[Line]:
        """The lines that are no recipes. Raises :class:`lines.BadFileError`."""
        return (line for line in lines.read(self._file) if line.recipe is None)

    # --- the pictures ---------------------------------------------------------------------------

    def take_over(self, *, write: bool = True) -> Report:
        """Bring in what can be brought in for nothing; without ``write`` only look.

        Bad lines are passed over. Call once; :attr:`report` tells what happened.
        """
        with tempfile.TemporaryFile() as missing:
            for batch in _batches(lines.read(self._file)):
                self._take_over(batch, missing, write=write)
            for batch in _batches(lines.read_body(missing)):
                self._count_missing(batch)
        if write:
            self._link()
        return self.report

    def _take_over(self, batch: Sequence[Line], missing: BinaryIO, *, write: bool) -> None:
        recipes = [line.recipe for line in batch if line.recipe is not None]
        here = _uuids_here(recipes)
        same = self._same_files(recipes)
        users = _users(recipes)
        drafts: list[tuple[Recipe, Any]] = []
        for line in batch:
            recipe = line.recipe
            if recipe is None:
                continue
            if recipe.uuid in here:
                self.report.here += 1
            elif recipe.is_finished and recipe.sha256 in same:
                self._family.known_as[recipe.uuid] = same[recipe.sha256]
                self.report.same_file += 1
            elif recipe.is_draft:
                if self._price(recipe) is not None:
                    drafts.append((recipe, users.get(recipe.requested_by)))
            elif not recipe.is_finished:
                self.report.left_out += 1
            else:
                user = users.get(recipe.requested_by)
                if not self._found_file(recipe, user, write=write):
                    missing.write(line.raw.rstrip(b"\r\n") + b"\n")
            here.add(recipe.uuid)
        self.report.drafts += len(drafts)
        if write and drafts:
            _save_drafts(drafts)

    def _found_file(self, recipe: Recipe, user: Any, *, write: bool) -> bool:
        with self._originals.of(recipe) as (original, told):
            if original is not None:
                told = self._adopt(recipe, original, user) if write else ""
                if not told:
                    self.report.adopted += 1
                    if not write:
                        self._found.add(recipe.uuid)
                    return True
        if told:
            self.report.tell(recipe, told)
        return False

    def _count_missing(self, batch: Sequence[Line]) -> None:
        """Price what can be made now, and keep it for :meth:`make`.

        Only now is it known which pictures are here that others are made from: a reference that is
        not would fail, and to make both at once is no way either.
        """
        recipes = [line.recipe for line in batch if line.recipe is not None]
        wanted = {self._family.here(one) for recipe in recipes for one in _made_from(recipe)}
        here = GeneratedImage.objects.completed().filter(uuid__in=wanted).exclude(file="")
        there = {*here.values_list("uuid", flat=True), *(wanted & self._found)}
        for line in batch:
            recipe = line.recipe
            if recipe is None:
                continue
            if recipe.uploaded:
                self.report.lost += 1
                self.report.tell(
                    recipe, "Its file was not found, and own work cannot be made again."
                )
            elif (price := self._price(recipe)) is not None:
                if all(self._family.here(one) in there for one in _made_from(recipe)):
                    self.report.missing += 1
                    self.report.amount += price
                    self._missing.write(line.raw)
                else:
                    self.report.waiting += 1

    def _adopt(self, recipe: Recipe, original: Original, user: Any) -> str:
        """Take the picture over; a sentence where its file is no picture for this site."""
        columns = {
            **recipe.columns,
            "requested_by": user,
            "created_at": recipe.created_at,
            "finished_at": recipe.finished_at or recipe.created_at,
        }
        try:
            adopting.adopt(
                GeneratedImage.objects.all(),
                original.file,
                columns=columns,
                sha256=recipe.sha256,
                stored_as=original.stored_as,
            )
        except ValidationError as error:
            return " ".join(error.messages)
        except IntegrityError:
            if not GeneratedImage.objects.filter(uuid=recipe.uuid).exists():
                raise
            return ""  # another import was faster
        return ""

    def _price(self, recipe: Recipe) -> Decimal | None:
        """What making it costs; None, with a sentence in the report, where it cannot be made."""
        try:
            return wishes.check(recipe.request, self._settings).price.amount
        except ValidationError as error:
            told = " ".join(error.messages)
            self.report.lost += 1
            self.report.tell(recipe, f"It cannot be made here. {told}")
            return None

    def _same_files(self, recipes: Sequence[Recipe]) -> dict[str, UUID]:
        """Finished pictures with the same files, of those that were here before this import.

        Two pictures of one library may share a file and shall still be two afterwards.
        """
        hashes = {recipe.sha256 for recipe in recipes if recipe.sha256}
        found = GeneratedImage.objects.completed().filter(
            sha256__in=hashes, pk__lte=self._last_before
        )
        # As their index wants it: told that none is empty, and not asked for an order.
        rows = found.exclude(sha256="").exclude(file="").order_by()
        newest_first = sorted(rows.values_list("pk", "sha256", "uuid"), reverse=True)
        return {sha256: uuid for _pk, sha256, uuid in newest_first}

    def _link(self) -> None:
        """Join up what this import, or an earlier one, has brought here."""
        for batch in _batches(lines.read(self._file)):
            recipes = [line.recipe for line in batch if line.recipe is not None]
            self.report.linked += self._family.link(recipes)

    # --- the rest -------------------------------------------------------------------------------

    def missing(self) -> Iterator[tuple[Recipe, Decimal]]:
        """What could be made again, with its price."""
        for recipe in self._missing_recipes():
            yield recipe, wishes.check(recipe.request, self._settings).price.amount

    def make(self, *, name: str, source: str, user: Any, ceiling: Decimal | None) -> Run:
        """Have the missing ones made, as a bulk run under their own uuids. This spends money.

        All or none: ``ValidationError``, and ``IntegrityError`` where one came here meanwhile.
        """
        recipes = list(self._missing_recipes())
        with transaction.atomic():
            run = Run.objects.prepare(
                [recipe.request for recipe in recipes],
                name=name,
                source=source,
                requested_by=user,
                ceiling=ceiling,
            )
            images = list(run.pictures)
            for image, recipe in zip(images, recipes, strict=True):
                image.uuid = recipe.uuid
                image.picked = recipe.picked
            GeneratedImage.objects.bulk_update(images, ["uuid", "picked"], batch_size=BATCH)
            self._link()
            run.start()
        return run

    def _missing_recipes(self) -> Iterator[Recipe]:
        for line in lines.read_body(self._missing):
            if line.recipe is not None:
                yield line.recipe


def _save_drafts(drafts: Sequence[tuple[Recipe, Any]]) -> None:
    """All of a batch, or none where one of them came here meanwhile."""
    with transaction.atomic():
        images = draft_many(
            GeneratedImage.objects.all(),
            [{**recipe.request, "batch": recipe.batch} for recipe, _user in drafts],
            bulk=False,
        )
        for image, (recipe, user) in zip(images, drafts, strict=True):
            image.uuid = recipe.uuid
            image.picked = recipe.picked
            image.requested_by = user
            image.created_at = recipe.created_at or image.created_at
        GeneratedImage.objects.bulk_update(
            images, ["uuid", "picked", "requested_by", "created_at"], batch_size=BATCH
        )


def _made_from(recipe: Recipe) -> list[UUID]:
    """The pictures of the library that it is made from; none where a reference is nonsense."""
    try:
        return references.own_pictures(recipe.parameters)
    except ValueError:
        return []


def _uuids_here(recipes: Sequence[Recipe]) -> set[UUID]:
    found = GeneratedImage.objects.filter(uuid__in=[recipe.uuid for recipe in recipes])
    return set(found.values_list("uuid", flat=True))


def _users(recipes: Sequence[Recipe]) -> dict[str, Any]:
    """Who of the people named is here."""
    model: Any = get_user_model()
    names = {recipe.requested_by for recipe in recipes} - {""}
    if not names:
        return {}
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names})
    return {str(user.get_username()): user for user in found}


def _batches(found: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in found:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

"""``manage.py ideogram_import``: what ``ideogram_export`` wrote, taken into this site."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from ideogram_django import conf
from ideogram_django.management import asking
from ideogram_django.management.orders import money, plural
from ideogram_django.models import Run
from ideogram_django.recipes.importing import Import
from ideogram_django.recipes.lines import BadFileError
from ideogram_django.recipes.reporting import Report

MOST_TOLD = 20


class Command(BaseCommand):
    help = (
        "Take in recipes. What is here stays as it is, and what is found is taken over, free of "
        "charge. What is missing is listed with its price; nothing is spent without --make-missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="What ideogram_export wrote; - for standard input.")
        parser.add_argument(
            "--files", metavar="DIR", help="Look for originals there, as ideogram_export left them."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Tell what would happen; change nothing."
        )
        parser.add_argument(
            "--skip-bad-lines",
            action="store_true",
            help="Pass over lines that are no recipes. Without it one of them stops everything.",
        )
        parser.add_argument(
            "--make-missing",
            action="store_true",
            help="Have the missing pictures made, as a bulk run. Tells the price and asks first.",
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask, spend.")
        parser.add_argument(
            "--ceiling",
            type=asking.amount,
            metavar="AMOUNT",
            help="Money that the run never commits more than.",
        )
        parser.add_argument(
            "--user", metavar="USERNAME", help="Who asks for what is made; their limits count."
        )

    def handle(self, *, file: str, **options: Any) -> None:
        if options["make_missing"] and options["dry_run"]:
            raise CommandError("Give either --dry-run or --make-missing.")
        if options["make_missing"] and file == "-" and not options["yes"]:
            raise CommandError("Recipes from standard input leave no way to ask: add --yes.")
        folder = _folder(options["files"])
        user, ceiling = asking.user_named(options["user"]), options["ceiling"]
        with (
            _opened(file) as source,
            contextlib.closing(Import(source, folder=folder, settings=conf.current())) as recipes,
        ):
            self._refuse_bad_lines(recipes, file, skip=options["skip_bad_lines"])
            self._tell(recipes.take_over(write=not options["dry_run"]), options["dry_run"])
            if recipes.report.missing:
                self._list_missing(recipes, all_of_them=options["verbosity"] > 1)
                if options["make_missing"]:
                    if not options["yes"]:
                        asking.confirm(self.stdout)
                    self._make(recipes, file, user, ceiling)

    def _refuse_bad_lines(self, recipes: Import, file: str, *, skip: bool) -> None:
        told: list[str] = []
        count = 0
        try:
            for line in recipes.bad_lines():
                count += 1
                if len(told) < MOST_TOLD:
                    told.append(f"Line {line.number}: {line.problem}")
        except BadFileError as error:
            raise CommandError(f"{file} cannot be taken in. {error}") from error
        if not count:
            return
        if count > len(told):
            told.append(f"… and {count - len(told)} more.")
        if not skip:
            raise CommandError("\n".join([*told, "Nothing was changed."]))
        self.stderr.write("\n".join([*told, f"{plural(count, 'line')} passed over."]))

    def _tell(self, report: Report, dry_run: bool) -> None:
        for count, what in (
            (report.here, "here already"),
            (report.same_file, "here already, under another id: the same file"),
            (report.adopted, "taken over, free of charge"),
            (report.drafts, "saved as drafts: there was no file yet"),
            (report.left_out, "left out: failed or cancelled where they come from"),
            (report.lost, "lost: the file was not found, and they cannot be made again"),
            (report.missing, "missing: the file was not found"),
            (
                report.waiting,
                "missing, and made from reference pictures that are not here: take the same "
                "recipes in again once those are",
            ),
        ):
            if count:
                self.stdout.write(f"{count:>7} {what}")
        for sentence in report.told[:MOST_TOLD]:
            self.stdout.write(f"  {sentence}")
        more = report.untold + len(report.told[MOST_TOLD:])
        if more:
            self.stdout.write(f"  … and {more} more.")
        if report.linked:
            self.stdout.write(f"{plural(report.linked)} linked to their family.")
        if dry_run:
            self.stdout.write("Nothing was changed.")

    def _list_missing(self, recipes: Import, *, all_of_them: bool) -> None:
        report = recipes.report
        for number, (recipe, price) in enumerate(recipes.missing()):
            if number == MOST_TOLD and not all_of_them:
                self.stdout.write(f"  … and {report.missing - number} more; -v 2 lists all.")
                break
            prompt = " ".join(recipe.prompt.split())
            short = prompt if len(prompt) <= 60 else f"{prompt[:59]}…"
            self.stdout.write(f"  {recipe.uuid}  {money(price, report.currency)}  {short}")
        self.stdout.write(
            f"To make what is missing: {plural(report.missing)} · "
            f"{money(report.amount, report.currency)}."
        )

    # --- making ---------------------------------------------------------------------------------

    def _make(self, recipes: Import, file: str, user: Any, ceiling: Decimal | None) -> Run:
        source = "standard input" if file == "-" else Path(file).name[:150]
        try:
            run = recipes.make(
                name=f"Import of {source}", source=source, user=user, ceiling=ceiling
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(
                "Some of these pictures came here this very moment. Nothing was spent; run this "
                "again."
            ) from error
        self.stdout.write(
            f"Being made as the bulk run “{run.name}” ({run.uuid}). Workers go on from here."
        )
        return run


def _folder(name: str | None) -> Path | None:
    if name is None:
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder}.")
    return folder


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """The file, for reading more than once."""
    if name == "-":
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            yield cast(BinaryIO, copy)
        return
    try:
        file = open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    with file:
        yield file

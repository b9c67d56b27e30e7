"""``manage.py ideogram_generate``: pictures from the terminal or from a spreadsheet."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.text import slugify

from ideogram_django import drains, wakeups
from ideogram_django.management import orders
from ideogram_django.management.orders import money, plural
from ideogram_django.management.progress import Progress
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

PAUSE = 0.2
"""Seconds between two looks at what is due."""
INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Make pictures from prompts or a CSV file. Tells the price and asks before anything is "
        "spent; one wrong line, and nothing is made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompts", nargs="*", metavar="prompt")
        parser.add_argument(
            "--csv",
            metavar="FILE",
            help=f"A line per prompt. Columns: {', '.join(orders.COLUMNS)}; only prompt is needed.",
        )
        parser.add_argument("--count", type=int, default=1, help="Pictures for each prompt.")
        for name in ("model", "style-type", "aspect-ratio", "resolution", "rendering-speed"):
            parser.add_argument(f"--{name}")
        parser.add_argument("--negative-prompt", metavar="TEXT")
        parser.add_argument("--magic-prompt-option", metavar="Auto|On|Off")
        parser.add_argument("--style-preset", metavar="NAME")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--reference-image", metavar="URL")
        parser.add_argument(
            "--style-reference-image",
            action="append",
            dest="style_reference_images",
            metavar="URL",
            help="May be repeated.",
        )
        parser.add_argument(
            "--user",
            metavar="USERNAME",
            help="Whose pictures these are, and whose spending limits count. Permissions are not "
            "asked: who can run this command may do anything.",
        )
        parser.add_argument(
            "--request-id",
            type=uuid.UUID,
            metavar="UUID",
            help="Running again with the same one gives the same pictures and spends nothing.",
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask, spend.")
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Stay until all are finished. Works itself, with or without a worker or Redis.",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=1800,
            metavar="SECONDS",
            help="With --wait: stop waiting after this time (%(default)g).",
        )
        parser.add_argument(
            "--out", metavar="DIR", help="With --wait: copy the finished files there."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON; all else to stderr.")

    def handle(self, *prompts: str, **options: Any) -> None:
        self.told = self.stderr if options["json"] else self.stdout
        self.told.style_func = None  # stderr is red, and this is no error
        folder = self._folder(options)
        wanted = self._orders(options)
        user = self._user(options["user"])
        bill = orders.checked(wanted)
        images = self._made_before(options["request_id"])
        if images:
            self.told.write("This request was made before: nothing is spent again.")
        else:
            self._ask(bill, yes=options["yes"])
            images = self._make(bill, user, options["request_id"])
        if options["wait"]:
            images = self._wait(images, options["timeout"])
        else:
            self._tell_who_works()
        self._report(images, self._copy(images, folder), as_json=options["json"])
        self._end(images, waited=options["wait"])

    # --- before anything is spent ---------------------------------------------------------------

    def _orders(self, options: dict[str, Any]) -> list[orders.Order]:
        shared = {
            name: options[name]
            for name in orders.COLUMNS
            if name not in ("prompt", "count") and options.get(name) is not None
        }
        if bool(options["prompts"]) == bool(options["csv"]):
            raise CommandError("Give either prompts or --csv FILE.")
        if options["csv"]:
            return orders.from_csv(options["csv"], shared, options["count"])
        return orders.from_prompts(options["prompts"], shared, options["count"])

    def _folder(self, options: dict[str, Any]) -> Path | None:
        """Where the files shall go, made and tried now: later the money would be spent already."""
        if not options["out"]:
            return None
        if not options["wait"]:
            raise CommandError("--out needs --wait: there is no file before the end.")
        folder = Path(options["out"])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            trial = folder / f".{uuid.uuid4().hex}"
            trial.touch()
            trial.unlink()
        except OSError as error:
            raise CommandError(f"Nothing can be written to {folder}: {error.strerror}.") from error
        return folder

    def _user(self, name: str | None) -> Any:
        if name is None:
            return None
        model: Any = get_user_model()
        try:
            return model._default_manager.get_by_natural_key(name)
        except model.DoesNotExist as error:
            raise CommandError(f"There is no user {name!r}.") from error

    def _made_before(self, request_id: uuid.UUID | None) -> list[GeneratedImage]:
        if request_id is None:
            return []
        return list(GeneratedImage.objects.filter(request_id=request_id).order_by("request_number"))

    def _ask(self, bill: orders.Bill, *, yes: bool) -> None:
        cost = f"{plural(len(bill.requests))} · {money(bill.amount, bill.currency)}."
        if yes:
            self.told.write(cost)
            return
        self.told.write(f"{cost} Go on? [y/N] ", ending="")
        self.told.flush()
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            self.told.write("")
        if not answer:
            raise CommandError("Nobody answered, so nothing was made. --yes spends unasked.")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was made and nothing was spent.")

    def _make(
        self, bill: orders.Bill, user: Any, request_id: uuid.UUID | None
    ) -> list[GeneratedImage]:
        try:
            return GeneratedImage.objects.generate_many(
                bill.requests, requested_by=user, request_id=request_id
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    # --- afterwards -----------------------------------------------------------------------------

    def _wait(self, images: Sequence[GeneratedImage], timeout: float) -> list[GeneratedImage]:
        """Work and look until all are finished, or the time is over; the pictures as they stand.

        Any number of drains may run at once, so this one does not ask who else is there.
        """
        end = time.monotonic() + timeout
        progress = Progress(self.told)
        try:
            while True:
                drains.work(sync=False, linger=0)
                images = _again(images)
                progress.show(images)
                if all(map(_is_done, images)) or time.monotonic() >= end:
                    return images
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped waiting. The pictures go on with the next worker or ideogram_sync.",
                returncode=INTERRUPTED,
            ) from None
        finally:
            progress.end()

    def _tell_who_works(self) -> None:
        if wakeups.can_count() and not wakeups.worker_count():
            self.told.write(
                "No worker listens now. The pictures are made by the next one, by ideogram_sync, "
                "or here with --wait."
            )

    def _copy(self, images: Sequence[GeneratedImage], folder: Path | None) -> dict[int, str]:
        """Copy the finished files; their paths by picture. A name is the same in every run."""
        copies: dict[int, str] = {}
        if folder is None:
            return copies
        for image in images:
            if image.status != Status.COMPLETED:
                continue
            stem = slugify(image.prompt)[:60].strip("-") or "picture"
            suffix = Path(str(image.file.name)).suffix
            path = folder / f"{stem}-{image.uuid.hex[:8]}{suffix}"
            part = path.with_name(f".{path.name}.part")
            try:
                with image.file.open("rb") as source, part.open("wb") as target:
                    for chunk in source.chunks():
                        target.write(chunk)
                part.replace(path)
            except OSError as error:
                part.unlink(missing_ok=True)
                raise CommandError(
                    f"{path} could not be written: {error}. The picture is safe on the site; run "
                    "again with the same --request-id."
                ) from error
            copies[image.pk] = str(path)
        return copies

    def _report(
        self, images: Sequence[GeneratedImage], copies: dict[int, str], *, as_json: bool
    ) -> None:
        if as_json:
            entries = [{**image.as_dict(), "copy": copies.get(image.pk)} for image in images]
            self.stdout.write(json.dumps(entries, indent=2, ensure_ascii=False))
            return
        for image in images:
            where = copies.get(image.pk) or image.url
            told = where or image.error_message or str(image.get_status_display())
            self.stdout.write(f"{image.uuid}  {told}")

    def _end(self, images: Sequence[GeneratedImage], *, waited: bool) -> None:
        failed = [image for image in images if image.status in (Status.FAILED, Status.CANCELLED)]
        unfinished = [image for image in images if not image.is_finished]
        if failed:
            raise CommandError(f"{plural(len(failed))} could not be made; see above.")
        if waited and unfinished:
            raise CommandError(
                f"{plural(len(unfinished))} still unfinished. They go on with the next worker or "
                "ideogram_sync; ideogram_doctor tells what is missing."
            )


def _again(images: Sequence[GeneratedImage]) -> list[GeneratedImage]:
    """The rows as they stand, in the same order; without those that somebody deleted."""
    found = GeneratedImage.objects.in_bulk([image.pk for image in images])
    return [found[image.pk] for image in images if image.pk in found]


def _is_done(image: GeneratedImage) -> bool:
    # A finished picture may still be due for its smaller widths; so may a failed one, for its
    # refund. The finding is in either way.
    return image.is_finished and (image.status == Status.FAILED or image.next_check_at is None)

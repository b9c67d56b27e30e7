"""``manage.py ideogram_generate``: pictures from the terminal or from a spreadsheet.

Ends with 0 when everything was made (without ``--wait``: was asked for), 1 when nothing was made
or asked for, 3 when some could not be made, 4 when something is unfinished (the time is over, or
a run waits at its ceiling or a limit), 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from ideogram_django import drains
from ideogram_django.management import arguments, asking, bulk, orders
from ideogram_django.management.orders import plural
from ideogram_django.management.progress import Progress, described
from ideogram_django.management.running import (
    INTERRUPTED,
    PAUSE,
    SOME_FAILED,
    UNFINISHED,
    RunCommand,
)
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

RUN_OPTIONS = ("resume", "pause", "stop", "report")
"""What is done with a run that exists."""


class Command(RunCommand):
    help = (
        "Make pictures from prompts or a CSV file. Tells the price and asks before anything is "
        "spent; one wrong line, and nothing is made. Ends with 0: all made or asked for, "
        "1: nothing made, 3: some could not be made, 4: something is unfinished, 130: Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add(parser)

    def handle(self, *args: str, **options: Any) -> None:
        self.told = self.stderr if options["json"] else self.stdout
        self.told.style_func = None  # stderr is red, and this is no error
        self._check_options(options)
        folder = self._folder(options)
        for step in RUN_OPTIONS:
            if options[step]:
                return self._steer(step, bulk.find(options[step]), folder, options)
        wanted = self._orders(options)
        user = asking.user_named(options["user"])
        bill = orders.checked(wanted)
        if options["run"]:
            return self._run(bill, user, folder, options)
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
        return None

    def _check_options(self, options: dict[str, Any]) -> None:
        steps = [name for name in RUN_OPTIONS if options[name]]
        sources = [name for name in ("prompts", "csv") if options[name]]
        if len(sources) + len(steps) != 1:
            raise CommandError(
                "Give either prompts or --csv FILE; or the UUID of a run to --resume, --pause, "
                "--stop or --report."
            )
        if options["ceiling"] is not None and not (options["run"] or options["resume"]):
            raise CommandError("--ceiling needs --run or --resume: it is a run's.")
        if options["at_once"] is not None and not options["run"]:
            raise CommandError("--at-once needs --run: it is a run's.")
        if options["run"] and steps:
            raise CommandError(f"--run is for a new run; --{steps[0]} takes one that exists.")

    # --- before anything is spent ---------------------------------------------------------------

    def _orders(self, options: dict[str, Any]) -> list[orders.Order]:
        shared = {
            name: options[name]
            for name in orders.COLUMNS
            if name not in ("prompt", "count") and options.get(name) is not None
        }
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

    def _made_before(self, request_id: uuid.UUID | None) -> list[GeneratedImage]:
        if request_id is None:
            return []
        return list(GeneratedImage.objects.filter(request_id=request_id).order_by("request_number"))

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
        keys = [image.pk for image in images]
        progress = Progress(self.told, lambda: described(_again(keys)))
        try:
            while True:
                drains.work(sync=False, linger=0, meanwhile=progress.tick)
                if _are_done(keys) or time.monotonic() >= end:
                    progress.show()
                    return _again(keys)
                progress.tick()
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped waiting. The pictures go on with the next worker or ideogram_sync.",
                returncode=INTERRUPTED,
            ) from None
        finally:
            progress.end()

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
            raise CommandError(
                f"{plural(len(failed))} could not be made; see above.", returncode=SOME_FAILED
            )
        if waited and unfinished:
            raise CommandError(
                f"{plural(len(unfinished))} still unfinished. They go on with the next worker or "
                "ideogram_sync; ideogram_doctor tells what is missing.",
                returncode=UNFINISHED,
            )


def _again(keys: Sequence[int]) -> list[GeneratedImage]:
    """The rows as they stand, in the same order; without those that somebody deleted."""
    found = GeneratedImage.objects.in_bulk(keys)
    return [found[key] for key in keys if key in found]


def _are_done(keys: Sequence[int]) -> bool:
    # A finished picture may still be due for its smaller widths; so may a failed one, for its
    # refund. The finding is in either way.
    return all(
        image.is_finished and (image.status == Status.FAILED or image.next_check_at is None)
        for image in _again(keys)
    )

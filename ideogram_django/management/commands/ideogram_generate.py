"""``manage.py ideogram_generate``: pictures from the terminal or from a spreadsheet.

Ends with 0 when everything was made (without ``--wait``: was asked for), 1 when nothing was made
or asked for, 3 when some could not be made, 4 when something is unfinished (the time is over, or
a run waits at its ceiling or a limit), 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from argparse import ArgumentTypeError
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.text import slugify

from ideogram_django import drains, wakeups
from ideogram_django.management import bulk, orders
from ideogram_django.management.orders import money, plural
from ideogram_django.management.progress import Progress, described
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import spreadsheets
from ideogram_django.statuses import Status

PAUSE = 0.2
"""Seconds between two looks at what is due."""
SOME_FAILED = 3
UNFINISHED = 4
INTERRUPTED = 130
RUN_OPTIONS = ("resume", "pause", "stop", "report")
"""What is done with a run that exists."""


class Command(BaseCommand):
    help = (
        "Make pictures from prompts or a CSV file. Tells the price and asks before anything is "
        "spent; one wrong line, and nothing is made. Ends with 0: all made or asked for, "
        "1: nothing made, 3: some could not be made, 4: something is unfinished, 130: Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompts", nargs="*", metavar="prompt")
        parser.add_argument(
            "--csv",
            metavar="FILE",
            help=f"A line per prompt. Columns: {', '.join(orders.COLUMNS)}; only prompt is needed.",
        )
        parser.add_argument("--count", type=int, default=1, help="Pictures for each prompt.")
        parser.add_argument("--profile", metavar="NAME", help="A prompt profile for all prompts.")
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
        runs = parser.add_argument_group(
            "bulk runs", "Many pictures, a few at a time, which can be paused and stopped."
        )
        runs.add_argument("--run", metavar="NAME", help="Make the prompts as a run of this name.")
        runs.add_argument(
            "--ceiling",
            type=_amount,
            metavar="AMOUNT",
            help="With --run or --resume: the run never commits more money than this.",
        )
        runs.add_argument(
            "--at-once", type=int, metavar="N", help="With --run: most pictures in progress."
        )
        one = runs.add_mutually_exclusive_group()
        for name, told in (
            ("resume", "Start or go on with a run."),
            ("pause", "Start nothing more of it; what was sent comes in."),
            ("stop", "End it for good."),
            ("report", "Tell how far it is, what it cost, and what failed."),
        ):
            one.add_argument(f"--{name}", type=uuid.UUID, metavar="UUID", help=told)

    def handle(self, *args: str, **options: Any) -> None:
        self.told = self.stderr if options["json"] else self.stdout
        self.told.style_func = None  # stderr is red, and this is no error
        self._check_options(options)
        folder = self._folder(options)
        for step in RUN_OPTIONS:
            if options[step]:
                return self._steer(step, bulk.find(options[step]), folder, options)
        wanted = self._orders(options)
        user = self._user(options["user"])
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

    # --- runs -----------------------------------------------------------------------------------

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

    def _run(
        self, bill: orders.Bill, user: Any, folder: Path | None, options: dict[str, Any]
    ) -> None:
        """Prepare, ask, start; stay if that is wanted."""
        known = options["request_id"]
        run = Run.objects.filter(uuid=known).first() if known else None
        if run is None or run.state == Run.State.PREPARED:
            self._ask(bill, yes=options["yes"], ceiling=options["ceiling"])
            try:
                run = run or Run.objects.prepare(
                    bill.requests,
                    name=options["run"],
                    requested_by=user,
                    ceiling=options["ceiling"],
                    at_once=options["at_once"],
                    source=Path(options["csv"]).name[:200] if options["csv"] else "",
                    run_id=known,
                )
                run.start()
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        else:
            self.told.write("This run was prepared before: nothing is spent again.")
        self.told.write(f"Run {run.uuid}. It goes on without this command.")
        self._follow(run, folder, options)

    def _steer(self, step: str, run: Run, folder: Path | None, options: dict[str, Any]) -> None:
        try:
            if step == "pause":
                run.halt()
            elif step == "stop":
                run.stop()
            elif step == "resume":
                self._resume(run, options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if step == "resume":
            self._follow(run, folder, options)
        else:
            self._report_run(run, {}, as_json=options["json"])

    def _resume(self, run: Run, options: dict[str, Any]) -> None:
        if options["ceiling"] is not None:
            run.limit_to(options["ceiling"])
        if run.state == Run.State.RUNNING:
            return
        if not run.is_over:
            self._ask_for(run.report().waiting, bulk.to_come(run), run.currency, options["yes"])
        if run.state == Run.State.PREPARED:
            run.start()
        else:
            run.resume()

    def _follow(self, run: Run, folder: Path | None, options: dict[str, Any]) -> None:
        if not options["wait"]:
            self._tell_who_works()
            self._report_run(run, {}, as_json=options["json"])
            return
        in_time = self._wait_for_run(run, options["timeout"])
        copies = self._copy(bulk.pictures(run), folder) if folder else {}
        self._report_run(run, copies, as_json=options["json"])
        self._end_run(run, in_time=in_time)

    def _wait_for_run(self, run: Run, timeout: float) -> bool:
        """Work until the run is over or waits for somebody; False: the time is over."""
        end = time.monotonic() + timeout
        progress = Progress(self.told, lambda: bulk.described(run))
        try:
            while True:
                drains.work(sync=False, linger=0, meanwhile=progress.tick)
                if bulk.is_settled(run):
                    progress.show()
                    return True
                if time.monotonic() >= end:
                    return False
                progress.tick()
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            raise CommandError(self._interrupted(run), returncode=INTERRUPTED) from None
        finally:
            progress.end()

    def _interrupted(self, run: Run) -> str:
        try:
            run.halt()
        except ValidationError:
            return f"Stopped waiting. This run is {run.get_state_display()} by now."
        return (
            "Paused: nothing more is started, what was sent comes in and counts. "
            f"{bulk.way_on(run)}"
        )

    def _report_run(self, run: Run, copies: dict[int, str], *, as_json: bool) -> None:
        run.refresh_from_db()
        if as_json:
            images = [
                {**image.as_dict(), "copy": copies.get(image.pk)} for image in bulk.pictures(run)
            ]
            entry = {"run": bulk.as_dict(run), "images": images}
            self.stdout.write(json.dumps(entry, indent=2, ensure_ascii=False))
            return
        for line in bulk.summary(run):
            self.stdout.write(line)
        if copies:
            self.stdout.write(f"{plural(len(copies), 'file')} copied.")

    def _end_run(self, run: Run, *, in_time: bool) -> None:
        report = run.report()
        if not in_time or run.state == Run.State.PAUSED:
            raise CommandError(
                f"{report.count - report.done} still to come. {bulk.way_on(run)}",
                returncode=UNFINISHED,
            )
        failed = report.failed + report.never_made + report.unusable
        if failed:
            raise CommandError(
                f"{plural(failed)} could not be made; see above.", returncode=SOME_FAILED
            )

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

    def _ask(self, bill: orders.Bill, *, yes: bool, ceiling: Decimal | None = None) -> None:
        amount = bill.amount if ceiling is None else min(bill.amount, ceiling)
        if again := spreadsheets.repeated(bill):
            self.told.write(f"Lines that say just what another one says: {again}.")
        self._ask_for(len(bill.requests), amount, bill.currency, yes)

    def _ask_for(self, count: int, amount: Decimal, currency: str, yes: bool) -> None:
        cost = f"{plural(count)} · {money(amount, currency)}."
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


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is no amount of money") from error
    if not amount.is_finite() or amount < 0:
        raise ArgumentTypeError(f"{text!r} is no amount of money")
    return amount

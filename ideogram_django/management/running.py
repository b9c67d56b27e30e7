"""What ``ideogram_generate`` does with bulk runs: prepare, start, steer, follow, tell."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from ideogram_django import drains, wakeups
from ideogram_django.management import asking, bulk, orders
from ideogram_django.management.orders import money, plural
from ideogram_django.management.progress import Progress
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import spreadsheets
from ideogram_django.statuses import Status

PAUSE = 0.2
"""Seconds between two looks at what is due."""
SOME_FAILED = 3
UNFINISHED = 4
INTERRUPTED = 130


class RunCommand(BaseCommand):
    """The ground of the command: asking, copying, and everything about runs."""

    told: Any
    """Where people are told what happens; not where the result goes."""

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

    # --- also without a run ----------------------------------------------------------------------

    def _ask(self, bill: orders.Bill, *, yes: bool, ceiling: Decimal | None = None) -> None:
        amount = bill.amount if ceiling is None else min(bill.amount, ceiling)
        if again := spreadsheets.repeated(bill):
            self.told.write(f"Lines that say just what another one says: {again}.")
        self._ask_for(len(bill.requests), amount, bill.currency, yes)

    def _ask_for(self, count: int, amount: Decimal, currency: str, yes: bool) -> None:
        cost = f"{plural(count)} · {money(amount, currency)}."
        if yes:
            self.told.write(cost)
        else:
            asking.confirm(self.told, cost)

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

"""``manage.py ideogram_housekeeping``: retention, erasing a person's data, the orphan report."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ideogram_django import conf, wakeups
from ideogram_django.drains import housekeeping, retention


class Command(BaseCommand):
    help = (
        "Sweep up what crashes and deletions left behind and, with RETENTION set, delete old "
        "unused pictures. ideogram_sync does the same by itself; safe to run at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--erase-user",
            metavar="USERNAME",
            help="Remove what this person typed and who they were. Pictures in use stay.",
        )
        parser.add_argument(
            "--orphans",
            action="store_true",
            help="Report where rows and storage differ; changes nothing.",
        )
        parser.add_argument(
            "--widths",
            action="store_true",
            help=(
                "After a change of WIDTHS or FORMATS: have the copies made that stored pictures "
                "lack. Workers do it when nothing else is waiting."
            ),
        )

    def handle(
        self,
        *args: Any,
        erase_user: str | None,
        orphans: bool,
        widths: bool,
        **options: Any,
    ) -> None:
        if widths:
            asked = housekeeping.ask_for_widths(conf.current())
            if asked:
                wakeups.wake()
            self.stdout.write(f"Pictures that get more copies: {asked}.")
        elif orphans:
            self._report()
        elif erase_user is not None:
            self._erase(erase_user)
        else:
            settings = conf.current()
            swept = housekeeping.sweep(settings)
            expired = retention.expire(settings)
            self.stdout.write(f"Swept up: {swept}. Expired pictures: {expired}.")

    def _erase(self, username: str) -> None:
        users = get_user_model()
        user = users._default_manager.filter(**{users.USERNAME_FIELD: username}).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        done = retention.erase_user(user)
        self.stdout.write(
            f"Deleted {done.deleted} unused pictures, removed prompt and person from "
            f"{done.anonymised} in use and from {done.charges} entries of the ledger."
        )
        if done.unfinished:
            raise CommandError(
                f"{done.unfinished} pictures are still being made. Run this again later."
            )

    def _report(self) -> None:
        found = retention.report(conf.current())
        for title, names in (
            ("In a row, but not in the storage", found.missing),
            ("Noted and never finished; the next sweep deletes them", found.unlinked),
            ("In the storage, but in no row; delete by hand if they are not yours", found.unknown),
        ):
            self.stdout.write(f"{title}: {len(names)}")
            for name in names:
                self.stdout.write(f"  {name}")
        if found.missing:
            raise CommandError("Files are missing from the storage.")

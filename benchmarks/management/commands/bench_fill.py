"""``manage.py bench_fill 1000000``: a gallery of that many pictures, in an empty database."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from benchmarks.filling import fill


class Command(BaseCommand):
    help = "Fill an empty database with pictures as they stand after years. For measuring only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rows", type=int)
        parser.add_argument("--in-flight", type=int, default=100, help="Of them, still under way.")
        parser.add_argument("--database", default="default")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            fill(
                options["rows"],
                in_flight=options["in_flight"],
                using=options["database"],
                say=self.stdout.write,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{time.monotonic() - started:.0f} s")

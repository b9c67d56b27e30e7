"""``manage.py ideogram_doctor``: what works, what does not, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from ideogram_django import conf
from ideogram_django.management import calls, examinations
from ideogram_django.management.findings import Finding, Level, problem
from ideogram_django.management.orders import plural


class Command(BaseCommand):
    help = (
        "Look at everything that making pictures needs, and tell what to do where it is missing. "
        "Calls the provider's account and this site's own webhook address; spends nothing."
    )
    # The doctor tells these like everything else, instead of refusing to start.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--strict", action="store_true", help="Warnings are a failure, too: exit code 1."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(self._examine())
        if options["json"]:
            entries = [
                {"subject": f.subject, "level": f.level, "text": f.text, "advice": f.advice}
                for f in findings
            ]
            self.stdout.write(json.dumps(entries, indent=2, ensure_ascii=False))
        else:
            self._list(findings)
        problems = sum(finding.level is Level.PROBLEM for finding in findings)
        warnings = sum(finding.level is Level.WARNING for finding in findings)
        if problems or (options["strict"] and warnings):
            found = [plural(problems, "problem")] if problems else []
            found += [plural(warnings, "warning")] if warnings else []
            raise CommandError(f"{' and '.join(found)} found.")

    def _examine(self) -> Iterator[Finding]:
        """Without sound settings and a database that answers, the rest would say nothing."""
        found = list(examinations.settings_are_sound())
        yield from found
        if _any_problem(found):
            return
        settings = conf.current()
        secrets = [key for key in settings.api_keys if len(key) >= 8]
        found = list(_guarded(examinations.database_answers()))
        yield from (finding.without(secrets) for finding in found)
        if _any_problem(found):
            return
        for examine in (
            calls.account_is_well,
            examinations.provider_is_not_paused,
            examinations.queue_answers,
            examinations.worker_and_sync_are_alive,
            examinations.work_is_taken_up,
            examinations.storage_works,
            examinations.pictures_can_be_made_smaller,
            calls.webhook_arrives,
        ):
            for finding in _guarded(examine(settings)):
                yield finding.without(secrets)

    def _list(self, findings: Sequence[Finding]) -> None:
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.PROBLEM: self.style.ERROR,
        }
        widest = max(len(finding.subject) for finding in findings)
        for finding in findings:
            level = styles[finding.level](f"{finding.level:<8}")
            self.stdout.write(f"{level} {finding.subject:<{widest}}  {finding.text}")
            if finding.advice:
                self.stdout.write(f"{'':<8} {'':<{widest}}  → {finding.advice}")


def _any_problem(findings: Iterable[Finding]) -> bool:
    return any(finding.level is Level.PROBLEM for finding in findings)


def _guarded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, the last of which may be that the database went away."""
    try:
        yield from findings
    except DatabaseError as error:
        yield problem(
            "Database", f"It does not answer: {error}".strip(), "Start it, or correct DATABASES."
        )

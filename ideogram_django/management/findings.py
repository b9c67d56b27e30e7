"""What ``ideogram_doctor`` finds: a sentence, how bad it is, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, replace


class Level(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's list. ``advice`` is empty where there is nothing to do."""

    subject: str
    level: Level
    text: str
    advice: str = ""

    def without(self, secrets: Collection[str]) -> Finding:
        """The same without these texts, whoever repeated them: a storage, a proxy, a server."""
        text, advice = self.text, self.advice
        for secret in secrets:
            text, advice = text.replace(secret, "***"), advice.replace(secret, "***")
        return replace(self, text=text, advice=advice)


def ok(subject: str, text: str) -> Finding:
    return Finding(subject=subject, level=Level.OK, text=text)


def warning(subject: str, text: str, advice: str) -> Finding:
    return Finding(subject=subject, level=Level.WARNING, text=text, advice=advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    return Finding(subject=subject, level=Level.PROBLEM, text=text, advice=advice)

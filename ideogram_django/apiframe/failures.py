"""The provider's words for a job that failed, sorted by what an editor can do about it."""

from __future__ import annotations

import enum
import re


class Failure(enum.Enum):
    REFUSED = "refused"
    """Moderation: the same prompt will be refused again."""
    BUSY = "busy"
    """No capacity: the same request may work in a while."""
    OTHER = "other"


# Sentences seen: "Provider returned an error: content policy violation", "Image denied…",
# "image filters", "No available capacity — please retry shortly". The API gives no code.
_REFUSED = re.compile(
    r"policy|moderat|denied|safety|unsafe|nsfw|filter|prohibited|not allowed|inappropriate"
    r"|copyright",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"capacity|retry (shortly|later)|overload|too busy|temporar|\b503\b", re.IGNORECASE
)


def classify(error: str) -> Failure:
    """What a job's ``error`` text means; words that we do not know are :attr:`Failure.OTHER`."""
    if _REFUSED.search(error):
        return Failure.REFUSED
    if _BUSY.search(error):
        return Failure.BUSY
    return Failure.OTHER

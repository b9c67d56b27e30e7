"""What an HTTP answer other than 2xx means: a closed table, one error per meaning.

| answer | error |
| --- | --- |
| 401, 402, 403 as JSON, 3xx, 404, 405 | ``AccountError``: the account or the address |
| 403 as text | ``BlockedError``: the network in front of the provider |
| 404 for one job, as JSON | ``JobNotFoundError`` |
| 409, 5xx, anything outside of 2xx to 4xx | ``OutcomeUnknownError`` |
| 429 | ``RateLimitedError`` |
| other 4xx | ``RejectedError`` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ideogram_django.apiframe import payloads, strict_json
from ideogram_django.apiframe.payloads import ErrorBody
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    InvalidPayloadError,
    JobNotFoundError,
    OutcomeUnknownError,
    ProviderError,
    RateLimitedError,
    RejectedError,
)

DEFAULT_WAIT = 1.0
MOST_WAIT = 300.0
"""Seconds that a Retry-After can ask for; nobody wants to be put off until tomorrow."""

_SECONDS = re.compile(r"-?[0-9]+(?:\.[0-9]*)?", re.ASCII)
_ANY_KEY = re.compile(r"afk_[A-Za-z0-9_-]+")


_UNCLEAR = frozenset({408, 409, 425})
"""Time-out, conflict, too early (RFC 9110, RFC 8470): none says that the request was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, without our API key wherever it was repeated."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def refuse(answer: Answer) -> ProviderError:
    """The error that a non-2xx answer means."""
    explained = _explained(answer)
    detail = explained.error if explained else _page_text(answer)
    status = answer.status
    if status == 429:
        wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        return RateLimitedError(detail, retry_after=wait)
    if status == 403 and explained is None:
        return BlockedError(detail, status_code=status)
    code = _account_code(status)
    if code:
        return AccountError(
            detail,
            code=code,
            status_code=status,
            credits_required=explained.credits_required if explained else None,
            credits_available=explained.credits_available if explained else None,
        )
    if status in _UNCLEAR or not 400 <= status < 500:
        return OutcomeUnknownError(detail, status_code=status)
    details = explained.details if explained else {}
    return RejectedError(detail, status_code=status, details=details)


def refuse_job(answer: Answer) -> ProviderError:
    """As :func:`refuse`, for a question about one job.

    Only the API itself can say that a job does not exist. A 404 in another form comes from
    another server: believing it would fail every picture under way after a mistyped address.
    """
    explained = _explained(answer)
    if answer.status == 404 and explained is not None:
        return JobNotFoundError(explained.error, status_code=404)
    return refuse(answer)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait, 0 to ``MOST_WAIT``, from a Retry-After header: a number or an HTTP date."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)  # infinity for a very long one
    else:
        try:
            until = parsedate_to_datetime(text)
            seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
        except (TypeError, ValueError, IndexError, OverflowError):
            seconds = DEFAULT_WAIT
    return min(max(seconds, 0.0), MOST_WAIT)


def without_key(body: bytes, api_key: str) -> bytes:
    """The body with the API key struck out (one too short to be a key would match by chance)."""
    return body.replace(api_key.encode(), b"***") if len(api_key) >= 8 else body


def readable(text: str) -> str:
    """Text from outside as one line of at most 500 characters, without anything like a key."""
    return strict_json.text(_ANY_KEY.sub("afk_***", text[:4096]))


def _account_code(status: int) -> str:
    if 300 <= status < 400 or status in (404, 405):
        return "wrong_address"
    return {401: "unauthorized", 402: "insufficient_credits", 403: "forbidden"}.get(status, "")


def _explained(answer: Answer) -> ErrorBody | None:
    """The API's own explanation, or None where somebody else answered in its place."""
    try:
        found = payloads.parse_error(answer.body)
    except InvalidPayloadError:
        return None
    return ErrorBody(
        error=readable(found.error),
        details={
            readable(path): [readable(one) for one in sentences]
            for path, sentences in found.details.items()
        },
        credits_required=found.credits_required,
        credits_available=found.credits_available,
    )


def _page_text(answer: Answer) -> str:
    """The text of an answer that is not the API's; of a page in HTML or of binary data nothing."""
    text = answer.body[:4096].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") or "�" in text else readable(text)

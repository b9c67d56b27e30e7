"""What can go wrong, told by what the caller may do about it.

Plain Python: the provider's client and the picture checks raise these without knowing Django.
No message ever holds an API key or a webhook token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class IdeogramError(Exception):
    """Base of everything that this package raises by itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one value: an untranslated sentence and what fills its gaps.

    ``message`` is a translatable message id with ``%(name)s`` gaps that ``params`` fills.
    """

    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params if self.params else self.message


class InvalidRequest(IdeogramError, ValueError):  # noqa: N818 - reads as a state, like HTTP's
    """The request cannot work; nothing was sent. ``problems`` maps field names to problems."""

    def __init__(self, problems: Mapping[str, Sequence[Problem]]) -> None:
        self.problems = {name: list(found) for name, found in problems.items()}
        super().__init__(
            "; ".join(f"{name}: {p}" for name, found in self.problems.items() for p in found)
        )


class DeadlineExceeded(IdeogramError, TimeoutError):  # noqa: N818
    """The wall-clock limit passed, whatever the other side was doing."""


# --- the provider's API -------------------------------------------------------------------------


class ProviderError(IdeogramError):
    """The provider's API did not do as asked.

    ``status_code`` is the HTTP status or None where there was no answer; ``detail`` is the
    provider's own sentence (plain text, at most 500 characters), fit to be shown, escaped.
    """

    def __init__(self, detail: str = "", *, status_code: int | None = None) -> None:
        self.detail = detail
        self.status_code = status_code
        super().__init__(detail or type(self).__name__)


class NotSentError(ProviderError):
    """No connection came about: the provider has not seen the request. Repeat freely."""


class OutcomeUnknownError(ProviderError):
    """The request may or may not have been accepted. Repeat only with the same key and bytes."""


class RateLimitedError(ProviderError):
    """429. The provider did not take the request; wait ``retry_after`` seconds."""

    def __init__(self, detail: str = "", *, retry_after: float, status_code: int = 429) -> None:
        self.retry_after = retry_after
        super().__init__(detail, status_code=status_code)


class AccountError(ProviderError):
    """The account or the address is wrong: every request would meet the same answer.

    ``code`` is one of ``unauthorized``, ``insufficient_credits``, ``forbidden``,
    ``wrong_address``.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        code: str,
        status_code: int,
        credits_required: int | None = None,
        credits_available: int | None = None,
    ) -> None:
        self.code = code
        self.credits_required = credits_required
        self.credits_available = credits_available
        super().__init__(detail, status_code=status_code)


class BlockedError(ProviderError):
    """A 403 that is not JSON: the network in front of the provider refused us. Wait and retry."""


class RejectedError(ProviderError):
    """The provider refuses this request for good. ``details`` maps JSON paths to sentences."""

    def __init__(
        self,
        detail: str = "",
        *,
        status_code: int,
        details: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.details = {path: list(texts) for path, texts in (details or {}).items()}
        super().__init__(detail, status_code=status_code)

    @property
    def explained(self) -> str:
        """The provider's sentence with what it says about each field."""
        parts = [self.detail, *(f"{path}: {' '.join(t)}" for path, t in self.details.items())]
        return " ".join(part for part in parts if part)[:500]


class JobNotFoundError(ProviderError):
    """404 for one job: it does not exist, or belongs to another user."""


class InvalidPayloadError(IdeogramError, ValueError):
    """JSON from outside that does not have the documented shape."""


class InvalidSignatureError(IdeogramError):
    """A webhook call that the provider did not sign."""


# --- pictures -----------------------------------------------------------------------------------


class PictureError(IdeogramError):
    """A file could not be fetched or is not a picture that we store.

    ``code`` is an error code of :mod:`ideogram_django.statuses`; ``permanent`` tells whether
    trying again cannot help.
    """

    def __init__(self, detail: str = "", *, code: str, permanent: bool) -> None:
        self.detail = detail
        self.code = code
        self.permanent = permanent
        super().__init__(detail or code)

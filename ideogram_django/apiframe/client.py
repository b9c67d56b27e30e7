"""The provider's HTTP API: one method per endpoint, and the one place that reads HTTP outcomes.

What an answer means follows a closed table, because the price of a wrong guess is a second
charge. No answer is taken to be JSON before it was parsed, no error holds the API key, and
nothing is repeated here: when to repeat is the caller's decision. Source: Apiframe API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import IO, TypeVar
from urllib.parse import quote, urlsplit

import requests

from ideogram_django import transport
from ideogram_django.apiframe import answers, payloads
from ideogram_django.apiframe.payloads import (
    Account,
    Job,
    JobAccepted,
    JobPage,
    JobStatus,
    ModelPrice,
    Upload,
)
from ideogram_django.exceptions import (
    DeadlineExceeded,
    InvalidPayloadError,
    NotSentError,
    OutcomeUnknownError,
)

Parsed = TypeVar("Parsed")

MAX_ANSWER = 1024 * 1024
"""Bytes read of an answer; a page of 100 jobs has about 100 KiB."""
PROJECT_URL = "https://github.com/ideogram-django/ideogram-django"


def user_agent() -> str:
    """Our own name: library-like ones are turned away by the network in front of the provider."""
    try:
        number = version("ideogram-django")
    except PackageNotFoundError:  # run from a checkout that was not installed
        number = "0"
    return f"ideogram-django/{number} (+{PROJECT_URL})"


class Client:
    """Talks to the provider with one API key. Threads may share it; processes may not.

    ``base_url`` is scheme, host and port; a path in it comes before ``/v2``. Times are seconds;
    ``deadline`` is wall clock for a whole call. ``proxies`` as requests takes them. Raises
    ``ValueError`` for a key or an address that cannot be used.

    Beside what a method names, each may raise ``NotSentError`` (no connection came about),
    ``OutcomeUnknownError`` (no answer or one without sense; for a reading call: try later),
    ``RateLimitedError``, ``AccountError``, ``BlockedError`` and ``RejectedError``.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        connect_timeout: float,
        deadline: float,
        pool_size: int = 8,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        # Checked here, since requests would put the bad value into its error's text.
        if not _is_visible_ascii(api_key):
            raise ValueError("The API key must be visible ASCII characters.")
        self._api_key = api_key
        self._base_url = _checked_base(base_url)
        self._timeout = (min(connect_timeout, deadline), transport.SILENCE * deadline)
        self._deadline = deadline
        self._user_agent = user_agent()
        self._session = transport.open_session(
            pool_size=pool_size, user_agent=self._user_agent, proxies=proxies
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base_url}>"

    def submit(self, body: bytes, idempotency_key: str) -> JobAccepted:
        """Order a picture; ``body`` as :func:`~ideogram_django.apiframe.payloads.submit_body`.

        Only ``NotSentError``, and ``RateLimitedError`` where nothing ambiguous went before, say
        that the provider has no such order. After ``OutcomeUnknownError`` nothing but the same
        body with the same key may be sent. Source: ``POST /v2/images/generate``.
        """
        if not _is_visible_ascii(idempotency_key) or len(idempotency_key) > 255:
            raise ValueError("The idempotency key must be 1 to 255 visible ASCII characters.")
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        return self._call(
            "POST",
            "/v2/images/generate",
            payloads.parse_job_accepted,
            headers=headers,
            body=body,
        )

    def job(self, job_id: str) -> Job:
        """One job. ``JobNotFoundError``: missing or another user's. ``GET /v2/jobs/{id}``."""
        path = f"/v2/jobs/{quote(job_id, safe='')}"
        return self._call("GET", path, payloads.parse_job, refuse=answers.refuse_job)

    def jobs(
        self, *, limit: int = 100, cursor: str | None = None, status: JobStatus | None = None
    ) -> JobPage:
        """Jobs of this key's user, the newest first, 1 to 100 a page. ``GET /v2/jobs``."""
        query = payloads.job_list_query(limit=limit, cursor=cursor, status=status)
        return self._call("GET", "/v2/jobs", payloads.parse_job_page, query=query)

    def me(self) -> Account:
        """Whom the key belongs to, with the balance in credits. ``GET /v2/me``."""
        return self._call("GET", "/v2/me", payloads.parse_account)

    def models(self, modality: str = "image") -> tuple[ModelPrice, ...]:
        """The provider's price list. Public, so no key is sent. ``GET /v2/models``."""
        query = payloads.model_list_query(modality)
        return self._call("GET", "/v2/models", payloads.parse_models, query=query, signed=False)

    def upload(self, file: IO[bytes] | bytes, name: str, content_type: str) -> Upload:
        """Lend the provider a picture of at most 25 MB for an hour or two. Costs nothing.

        It is read into memory. Has no idempotency key: repeat freely. ``POST /v2/uploads``.
        """
        files = {payloads.UPLOAD_FIELD: (name, file, content_type)}
        return self._call("POST", "/v2/uploads", payloads.parse_upload, files=files)

    def close(self) -> None:
        """Close the kept connections. A later call opens new ones."""
        self._session.close()

    def _call(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], Parsed],
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        files: Mapping[str, tuple[str, IO[bytes] | bytes, str]] | None = None,
        signed: bool = True,
        refuse: Callable[[answers.Answer], Exception] = answers.refuse,
    ) -> Parsed:
        request = requests.Request(
            method,
            f"{self._base_url}{path}",
            params=query,
            data=body,
            files=files,
            headers={**self._headers(signed=signed), **(headers or {})},
        )
        answer = self._exchange(request)
        if not 200 <= answer.status < 300:
            raise refuse(answer)
        try:
            return parse(answer.body)
        except InvalidPayloadError as error:
            raise OutcomeUnknownError(str(error), status_code=answer.status) from None

    def _headers(self, *, signed: bool) -> dict[str, str]:
        """What every request says. No caller keeps it in a variable: error reports show those."""
        headers = {
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            # Uncompressed, so that the cap on bytes is a cap on memory.
            "Accept-Encoding": "identity",
        }
        return {**headers, "X-API-Key": self._api_key} if signed else headers

    def _exchange(self, request: requests.Request) -> answers.Answer:
        """Send and read the whole answer. Raises ``NotSentError`` or ``OutcomeUnknownError``."""
        prepared = request.prepare()  # all that it says stands in it; the session adds nothing
        try:
            with transport.deadline(self._deadline):
                response = self._session.send(
                    prepared,
                    stream=True,
                    timeout=self._timeout,
                    # requests hands X-API-Key to whatever host a redirect names.
                    allow_redirects=False,
                )
                with response:
                    body = answers.without_key(_read(response), self._api_key)
                    return answers.Answer(
                        status=response.status_code, headers=response.headers, body=body
                    )
        except (DeadlineExceeded, *transport.NETWORK_ERRORS) as error:
            kind = NotSentError if transport.never_sent(error) else OutcomeUnknownError
            failure = kind(answers.readable(self._told(error)))
        # Raised out here: in the block the failed request, key and all, would hang on as the
        # context of this error, for every error report to read.
        raise failure

    def _told(self, error: BaseException) -> str:
        told = _innermost(error).encode("utf-8", "replace")
        return answers.without_key(told, self._api_key).decode()


def _is_visible_ascii(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _checked_base(base_url: str) -> str:
    parts = urlsplit(base_url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("The base URL must be http(s)://host, optionally with a port and a path.")
    found = base_url.rstrip("/")
    requests.Request("GET", found).prepare()  # its own errors for hosts are ValueErrors
    return found


def _read(response: requests.Response) -> bytes:
    """The body; of one that is too long, nothing: no honest answer is."""
    body = bytearray()
    while chunk := response.raw.read(64 * 1024, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER:
            return b""
    return bytes(body)


def _innermost(error: BaseException) -> str:
    """What went wrong at the bottom: the outer errors repeat it between object names."""
    reason = error
    for _ in range(6):
        inner = getattr(reason, "reason", None) or next(
            (arg for arg in reason.args if isinstance(arg, BaseException)), reason.__cause__
        )
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return f"{type(error).__name__}: {reason}"

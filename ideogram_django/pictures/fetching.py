"""Download one finished picture from where the provider says it lies.

The address comes from outside and may be hostile, and so may the server behind it: it may point
inside, send without end, lie about lengths, or send one byte a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import requests

from ideogram_django import transport
from ideogram_django.exceptions import PictureError

PIECE = 256 * 1024
"""Bytes read at most at a time: the memory that one download takes."""
HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What may be fetched, and for how long. Times are seconds of wall clock."""

    hosts: tuple[str, ...]
    """Allowed with their subdomains, over https and its own port."""
    exempt_origin: str | None
    """Scheme, host and port that are allowed whatever ``hosts`` says, even on loopback."""
    max_bytes: int
    connect_timeout: float
    deadline: float
    """For the whole download, from the name's resolution to the last byte."""
    proxies: Mapping[str, str]
    """With a proxy it is the proxy that resolves the name: only ``hosts`` protects then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was written: bytes and their SHA-256 as lower-case hex."""

    size: int
    sha256: str


def open_session(rules: FetchRules, *, pool_size: int, user_agent: str) -> requests.Session:
    """A session for :func:`fetch`; it may be shared by ``pool_size`` threads. Holds no key."""
    return transport.open_fetch_session(
        pool_size=pool_size,
        user_agent=user_agent,
        proxies=rules.proxies,
        exempt_origin=rules.exempt_origin,
    )


def check_url(url: str, rules: FetchRules) -> None:
    """Refuse an address whose host or form is not allowed, without resolving or sending anything.

    Raises PictureError ``host_refused``, permanent.
    """
    try:
        parts = transport.sound_parts(url)
    except ValueError as error:
        raise _refused(f"The file's address is not acceptable. {error}") from error
    if rules.exempt_origin and transport.origin(url) == transport.origin(rules.exempt_origin):
        return
    if parts.scheme != "https" or parts.port not in (None, 443):
        raise _refused("The file's address has to be https without a port of its own.")
    host = parts.hostname or ""
    if not any(_is_within(host, allowed) for allowed in rules.hosts):
        raise _refused(f"{host} is not among the hosts that files may come from.")


def fetch(session: requests.Session, url: str, into: BinaryIO, rules: FetchRules) -> Fetched:
    """Write the file at ``url`` to ``into`` from its current position; never redirected.

    Raises PictureError: ``host_refused`` and ``too_large`` are permanent; ``result_expired`` (404,
    410) and ``download_failed`` (all else, from a refused connection to a wrong length) are not.
    After an error ``into`` may hold a part of the file.
    """
    check_url(url, rules)
    try:
        with transport.deadline(rules.deadline):
            # Prepared here: a session would merge settings of which it has none.
            request = requests.PreparedRequest()
            request.prepare(method="GET", url=url, headers={**session.headers, **HEADERS})
            timeout = (rules.connect_timeout, transport.SILENCE * rules.deadline)
            with session.send(request, stream=True, timeout=timeout) as response:
                _check_answer(response, rules)
                return _copy(response, into, rules)
    except transport.AddressRefusedError as error:
        raise _refused(str(error)) from error
    except transport.NETWORK_ERRORS as error:
        # Not the error's own words: they repeat the address with whatever token is in it.
        raise _failed(f"The download broke off ({type(error).__name__}).") from error


def _is_within(host: str, allowed: str) -> bool:
    allowed = allowed.strip(".").lower()
    return bool(allowed) and (host == allowed or host.endswith(f".{allowed}"))


def _check_answer(response: requests.Response, rules: FetchRules) -> None:
    """Judge status and headers before the first byte of the body is read."""
    status = response.status_code
    if 300 <= status < 400:
        raise _refused(f"The file's address leads on to another one (status {status}).")
    if status in (404, 410):
        raise PictureError(
            f"The file is gone (status {status}).", code="result_expired", permanent=False
        )
    if status != 200:
        raise _failed(f"The file's server answered with status {status}.")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        # Asked not to; unpacking would need limits of its own, and pictures do not shrink.
        raise _failed("The file's server sent a compressed answer.")
    length = response.raw.length_remaining
    if length is not None and length > rules.max_bytes:
        raise _too_large(rules)


def _copy(response: requests.Response, into: BinaryIO, rules: FetchRules) -> Fetched:
    announced: int | None = response.raw.length_remaining
    digest = hashlib.sha256()
    size = 0
    # As it arrives: iter_content would wait until a whole piece is full.
    while piece := response.raw.read1(PIECE, decode_content=False):
        size += len(piece)
        if size > rules.max_bytes:
            raise _too_large(rules)
        digest.update(piece)
        into.write(piece)
        del piece  # before the next one is there: it is most of what a download takes
    if size == 0 or (announced is not None and size != announced):
        raise _failed(f"The file's server sent {size} bytes, not the {announced} it announced.")
    return Fetched(size=size, sha256=digest.hexdigest())


def _refused(detail: str) -> PictureError:
    return PictureError(detail, code="host_refused", permanent=True)


def _failed(detail: str) -> PictureError:
    return PictureError(detail, code="download_failed", permanent=False)


def _too_large(rules: FetchRules) -> PictureError:
    return PictureError(
        f"The file is larger than {rules.max_bytes} bytes.", code="too_large", permanent=True
    )

"""Addresses of reference pictures: typed by people here, fetched by the provider."""

from __future__ import annotations

import re

from ideogram_django.exceptions import InvalidRequest, Problem

INTERNAL_SUFFIXES = (
    # RFC 6761, RFC 6762, RFC 7686, RFC 8375, ICANN's resolution on .internal (2024), and the
    # names that home routers and companies use.
    *("localhost", "local", "internal", "invalid", "test", "onion", "home.arpa", "arpa", "alt"),
    *("localdomain", "lan", "home", "corp", "intranet", "private"),
)
_NUMERIC = re.compile(r"([0-9]+|0x[0-9a-f]*)")
"""A last label like this makes the whole host an IPv4 address to browsers (WHATWG URL, 3.5)."""


def _(message: str) -> str:
    """Mark a message for translation; it is translated where it is shown."""
    return message


def check_reference_url(url: str, *, field: str = "reference_image") -> None:
    """Refuse an address that the provider surely cannot or should not fetch.

    Looks at the text alone: no name is resolved, nothing is sent. ``https`` only, written plainly,
    and neither an internal address in any spelling nor the name of a local machine.
    Raises InvalidRequest for ``field``.
    """
    # Only now: whoever starts a site needs no HTTP client yet.
    from ideogram_django.transport import sound_parts

    try:
        parts = sound_parts(url)
    except ValueError:
        raise _refusal(
            field, "url_unsound", _("This address is not written the way addresses are.")
        ) from None
    if parts.scheme != "https":
        raise _refusal(field, "url_not_https", _("The address has to begin with https://."))
    if not _is_outside(parts.hostname or ""):
        raise _refusal(field, "url_internal", _("The provider cannot reach this address."))


def _is_outside(host: str) -> bool:
    """Whether a host looks like one on the public internet."""
    from ideogram_django.transport import is_public

    try:
        return is_public(host)
    except ValueError:
        pass  # a name, or an IPv4 address in a spelling that only browsers and resolvers read
    _before, dot, last = host.rpartition(".")
    if not dot or _NUMERIC.fullmatch(last):
        return False
    return not any(host == suffix or host.endswith(f".{suffix}") for suffix in INTERNAL_SUFFIXES)


def _refusal(field: str, code: str, message: str) -> InvalidRequest:
    return InvalidRequest({field: [Problem(code=code, message=message)]})

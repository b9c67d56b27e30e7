"""Who sent a webhook call: HMAC-SHA256 over the raw body, and a short name for an API key.

The secret is the SHA-256 of the API key; whether its raw bytes or its hexadecimal text key the
HMAC differs between the provider's SDK and a receiver seen in production, so both are accepted
(Apiframe API reference, Webhooks). Nothing here logs or shows a key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from ideogram_django.exceptions import InvalidSignatureError

HEADER = "X-Webhook-Signature"
RAW_DIGEST = "raw_digest"
"""The HMAC key is the 32-byte digest itself, as in the provider's SDK."""
HEX_TEXT = "hex_text"
"""The HMAC key is the digest's 64 lower-case hexadecimal characters, as ASCII."""

_SIGNATURE = re.compile(r"(?:sha256=)?([0-9a-f]{64})", re.ASCII | re.IGNORECASE)
_FINGERPRINT_DOMAIN = b"ideogram_django api key fingerprint\x00"


def sign_raw_digest(body: bytes, api_key: str) -> str:
    """The header value ``sha256=<hex>`` where the raw digest of the key is the HMAC key."""
    return f"sha256={_mac(hashlib.sha256(api_key.encode()).digest(), body)}"


def sign_hex_text(body: bytes, api_key: str) -> str:
    """The header value ``sha256=<hex>`` where the digest's hexadecimal text is the HMAC key."""
    return f"sha256={_mac(hashlib.sha256(api_key.encode()).hexdigest().encode(), body)}"


def verify(body: bytes, header: str | None, api_keys: Sequence[str]) -> str:
    """Return the derivation that matched, ``RAW_DIGEST`` or ``HEX_TEXT``.

    ``body`` must be the bytes as received. The prefix ``sha256=`` may be missing and the
    hexadecimal digits may have either case. Empty keys are skipped: their secret is public.
    Raises ``InvalidSignatureError`` for a missing, malformed or wrong signature.
    """
    found = _SIGNATURE.fullmatch((header or "").strip())
    if found is None:
        raise InvalidSignatureError("The call has no readable signature.")
    given = found[1].lower().encode()
    matched = ""
    # No early end: the time taken must not tell which key or derivation came close.
    for api_key in api_keys:
        if not api_key:
            continue
        for derivation, sign in ((RAW_DIGEST, sign_raw_digest), (HEX_TEXT, sign_hex_text)):
            expected = sign(body, api_key).removeprefix("sha256=").encode()
            if hmac.compare_digest(expected, given):
                matched = derivation
    if not matched:
        raise InvalidSignatureError("The signature fits no accepted API key.")
    return matched


def key_fingerprint(api_key: str) -> str:
    """Sixteen hexadecimal characters that tell keys apart and may be stored and shown.

    Hashed under a domain of its own, because the plain SHA-256 of a key is the secret that
    signs webhook calls, and not even its beginning may be given away.
    """
    return hashlib.sha256(_FINGERPRINT_DOMAIN + api_key.encode()).hexdigest()[:16]


def _mac(secret: bytes, body: bytes) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()

"""The part of a webhook address that nobody can guess: it signs the picture and the attempt."""

from __future__ import annotations

from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.urls import reverse

from ideogram_django import conf


def _signer() -> Signer:
    return Signer(salt="ideogram_django.webhook")


def make(uuid: UUID, attempt: int) -> str:
    """The token; URL-safe. ``SECRET_KEY_FALLBACKS`` keep older ones valid."""
    return f"{attempt}-{_signer().signature(f'{uuid}/{attempt}')}"


def read(uuid: UUID, token: str) -> int | None:
    """The attempt that the token was made for, or None; needs no database."""
    attempt, _dash, signature = token.partition("-")
    if not (attempt.isascii() and attempt.isdigit() and len(attempt) <= 5):
        return None
    try:
        _signer().unsign(f"{uuid}/{int(attempt)}:{signature}")
    except BadSignature:
        return None
    return int(attempt)


def webhook_url(settings: conf.AppSettings, uuid: UUID, attempt: int) -> str | None:
    """Where the provider shall report; ``None`` where this site is polling alone."""
    if not settings.WEBHOOK_BASE_URL:
        return None
    path = reverse("ideogram_django:webhook", kwargs={"uuid": uuid, "token": make(uuid, attempt)})
    return settings.WEBHOOK_BASE_URL.rstrip("/") + path

"""What ``ideogram_doctor`` asks of others: the provider's account, and our own webhook address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

from django.db.models import Sum
from django.urls import NoReverseMatch

from ideogram_django import transport
from ideogram_django.apiframe import catalogue, signatures
from ideogram_django.apiframe.client import Client, user_agent
from ideogram_django.apiframe.payloads import Account
from ideogram_django.budget import ledger
from ideogram_django.conf import AppSettings
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    DeadlineExceeded,
    ProviderError,
    RateLimitedError,
)
from ideogram_django.lifecycle import tokens
from ideogram_django.management.findings import Finding, ok, problem, warning
from ideogram_django.management.orders import plural
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import PauseCode, Status

PATIENCE = 15.0
"""Seconds for one call."""
REACH = (
    "This tells how it looks from this machine; whether the provider gets through from outside is "
    "told by the first picture alone."
)
ACCOUNT = "Look at the keys and the credits in the provider account, and at API_KEY here."
ANSWERS = {
    400: "the body arrived changed. Let the proxy pass it on as it is.",
    401: "it did not accept the signature. Give the web processes the same API_KEY, and let the "
    "proxy pass on the body and X-Webhook-Signature as they are.",
    403: "something before the site refused it. Exempt the path from the firewall, from basic "
    "authentication and from bot protection.",
    404: "it is not known there. Check the path in WEBHOOK_BASE_URL, the proxy's routes, and that "
    "web and this machine share one SECRET_KEY.",
    405: "POST is not allowed there. Check the proxy's routes.",
    413: "the proxy takes no body of this size. Allow 64 KiB.",
    503: "its database is away. Start it and look again.",
}


def account_is_well(settings: AppSettings) -> Iterator[Finding]:
    """``/v2/me``: whether the key is accepted, and for how many pictures the balance lasts."""
    try:
        client = Client(
            api_key=settings.API_KEY,
            base_url=settings.API_BASE_URL,
            connect_timeout=settings.CONNECT_TIMEOUT,
            deadline=min(settings.REQUEST_DEADLINE, PATIENCE),
            pool_size=1,
            proxies=settings.PROXIES,
        )
    except ValueError as error:
        yield problem("Account", str(error), "Correct API_KEY, API_BASE_URL or PROXIES.")
        return
    try:
        account = client.me()
    except ProviderError as error:
        yield _refusal(error, settings)
        return
    finally:
        client.close()
    name = f"{account.key_name} " if account.key_name else ""
    # Should a provider ever give away more than the beginning, it is not shown here.
    key = f"{name}({account.key_prefix[:12]}…)" if account.key_prefix else name or "The key"
    team = f" for {account.team_name}" if account.team_name else ""
    yield ok("Account", f"The provider accepts the API key: {key.strip()}{team}.")
    yield from _balance(account, settings)


def _refusal(error: ProviderError, settings: AppSettings) -> Finding:
    address = settings.API_BASE_URL
    said = f" It said: {error.detail}" if error.detail else ""
    match error:
        case AccountError():
            return problem("Account", f"{PauseCode(error.code).label}{said}", ACCOUNT)
        case RateLimitedError():
            return warning(
                "Account",
                f"{address} answers that there were too many calls.{said}",
                "Wait a minute and look again. Where it happens often, lower REQUESTS_PER_MINUTE.",
            )
        case BlockedError():
            return problem(
                "Account",
                f"The network in front of {address} turns this machine away.{said}",
                "Try again later; where it stays, ask the provider to allow this address.",
            )
    return problem(
        "Account",
        f"{address} does not answer as it should.{said}",
        "Check API_BASE_URL, PROXIES, and that this machine may call out.",
    )


def _balance(account: Account, settings: AppSettings) -> Iterator[Finding]:
    if account.credits is None:
        yield warning("Balance", "The provider does not tell the balance.", "Look it up there.")
        return
    each = catalogue.credits_for(settings.DEFAULT_MODEL, "", ledger.prices(settings)) or 1
    waiting = GeneratedImage.objects.filter(status=Status.PENDING).aggregate(
        total=Sum("charge__expected_credits")
    )
    needed = waiting["total"] or 0
    told = f"{plural(account.credits, 'credit')} left"
    advice = "Top up the provider account."
    if account.credits < each:
        yield problem("Balance", f"{told}; one picture needs {each}.", advice)
    elif account.credits < needed:
        yield warning("Balance", f"{told}; the pictures that wait need {needed}.", advice)
    else:
        yield ok("Balance", f"{told}: enough for {plural(account.credits // each)} more.")


def webhook_arrives(settings: AppSettings) -> Iterator[Finding]:
    """Post to our own address what the provider might, about a picture that does not exist."""
    if not settings.WEBHOOK_BASE_URL:
        yield warning(
            "Webhook",
            "WEBHOOK_BASE_URL is not set: results come by polling alone.",
            "Set it to the public address of this site, so that pictures arrive sooner.",
        )
        return
    try:
        url = tokens.webhook_url(settings, uuid4(), 1) or ""
    except NoReverseMatch:
        yield problem(
            "Webhook",
            "The webhook's address cannot be made.",
            'Add path("ideogram/", include("ideogram_django.urls")) to your URLs.',
        )
        return
    shown = _without_token(url)
    try:
        status = _post_probe(url, settings)
    except (DeadlineExceeded, ValueError, *transport.NETWORK_ERRORS) as error:
        yield problem(
            "Webhook",
            f"{shown} does not answer from here ({type(error).__name__}).",
            f"Check WEBHOOK_BASE_URL, the proxy and its certificate. {REACH}",
        )
        return
    if status == 204:
        yield ok("Webhook", f"{shown} takes the provider's calls. {REACH}")
    elif 300 <= status < 400:
        yield problem(
            "Webhook",
            f"{shown} redirects ({status}); the provider does not follow.",
            "Put the final address into WEBHOOK_BASE_URL: https, and the host with or without www.",
        )
    else:
        reason = ANSWERS.get(status, "that is not its answer. See the web server's log.")
        fault, _dot, advice = reason.partition(". ")
        yield problem("Webhook", f"{shown} answered {status}: {fault.rstrip('.')}.", advice)


def _post_probe(url: str, settings: AppSettings) -> int:
    # As the provider writes it. Progress of a job that nobody knows changes nothing anywhere.
    body = json.dumps(
        {"event": "progress", "jobId": str(uuid4()), "status": "PROCESSING", "progress": 0}
    ).encode()
    headers = {
        "Content-Type": "application/json",
        signatures.HEADER: signatures.sign_hex_text(body, settings.API_KEY),
    }
    session = transport.open_session(pool_size=1, user_agent=user_agent(), proxies=settings.PROXIES)
    with (
        session,
        transport.deadline(PATIENCE),
        # The body stays unread: only the status counts.
        session.post(
            url, data=body, headers=headers, timeout=PATIENCE, allow_redirects=False, stream=True
        ) as response,
    ):
        return int(response.status_code)


def _without_token(url: str) -> str:
    """The address without uuid and token, which are good for a call and stay unsaid."""
    return url.rsplit("/", 3)[0] + "/…"

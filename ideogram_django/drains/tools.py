"""What the steps work with: settings as of now, one client, one download session."""

from __future__ import annotations

from typing import Any

from ideogram_django.apiframe.client import Client, user_agent
from ideogram_django.apiframe.payloads import Account
from ideogram_django.conf import AppSettings
from ideogram_django.drains import provider
from ideogram_django.drains.tasks import Task
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    ProviderError,
    RateLimitedError,
)
from ideogram_django.lifecycle.sending import backoff
from ideogram_django.models import GeneratedImage
from ideogram_django.pictures import fetching

LEAST_WAIT = 1.0
"""Seconds that a 429 is worth at least."""


class Tools:
    """Made for one drain and closed with it: pooled connections must not outlive a fork."""

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.client = Client(
            api_key=settings.API_KEY,
            base_url=settings.API_BASE_URL,
            connect_timeout=settings.CONNECT_TIMEOUT,
            deadline=settings.REQUEST_DEADLINE,
            pool_size=settings.CONCURRENCY,
            proxies=settings.PROXIES,
        )
        self.rules = fetching.FetchRules(
            hosts=tuple(settings.RESULT_HOSTS),
            exempt_origin=settings.API_BASE_URL,
            max_bytes=settings.MAX_IMAGE_BYTES,
            connect_timeout=settings.CONNECT_TIMEOUT,
            deadline=settings.DOWNLOAD_DEADLINE,
            proxies=settings.PROXIES,
        )
        self.was_blocked = provider.state().blocks > 0
        self.downloads = fetching.open_session(
            self.rules, pool_size=settings.CONCURRENCY, user_agent=user_agent()
        )

    def close(self) -> None:
        self.client.close()
        self.downloads.close()

    def wait_after(self, image: GeneratedImage, error: ProviderError) -> float:
        """Seconds until the next try, after what concerns the whole provider was noted."""
        wait = self.note(error)
        return backoff(image.checks + 1) if wait is None else wait

    def note(self, error: ProviderError) -> float | None:
        """Note what concerns the whole provider; seconds to wait, if the error says."""
        match error:
            case RateLimitedError():
                wait = max(error.retry_after, LEAST_WAIT)  # "0" and dates gone by are said, too
                provider.hold_off(wait)
                return wait
            case AccountError():
                provider.pause_for(error)
                return 0
            case BlockedError():
                self.was_blocked = True
                return provider.blocked()
        return None

    def ask_account(self) -> Task:
        """``/v2/me``: the balance, and whether a paused account is well again."""
        return Task(images=(), run=self.client.me, done=self._account_answered)

    def _account_answered(self, answer: Any) -> None:
        match answer:
            case Account():
                provider.account_is_well(answer.credits, self.settings)
            case AccountError():
                provider.pause_for(answer)
            case RateLimitedError():
                provider.hold_off(max(answer.retry_after, LEAST_WAIT))


def task_for(image: GeneratedImage, run: Any, done: Any, together: Any = None) -> Task:
    """A task for one picture."""
    return Task(images=(image,), run=run, done=done, bulk=image.bulk, together=together)

"""The one owner of ``settings.IDEOGRAM_DJANGO``: names, types, defaults. Read live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """Every setting with its default. All times are seconds and may be fractions."""

    # Not in the repr: error pages and error trackers show the local variables of every frame.
    API_KEY: str = field(default="", repr=False)
    """``afk_…``, sent as ``X-API-Key``."""
    PREVIOUS_API_KEYS: Sequence[str] = field(default=(), repr=False)
    """Still accepted for webhook signatures during a rotation."""
    API_BASE_URL: str = "https://api.apiframe.ai"
    """Exactly this origin is also allowed for downloads, even on loopback."""
    WEBHOOK_BASE_URL: str | None = None
    """Public address of this site; ``None``: polling alone."""
    WEBHOOK_URL_KEY: str = "webhookUrl"
    """Name of the request's field for the webhook address."""
    WEBHOOK_SIGNATURE: str = "hint"
    """``"hint"``: an unsigned call only causes a verifying look; ``"required"``: 401."""
    QUEUE: str = "default"
    """A name in ``RQ_QUEUES``."""
    DEFAULT_MODEL: str = "ideogram-v4-turbo"
    """Used where nobody chooses a model."""
    STORAGE: str = "default"
    """An alias in ``STORAGES``."""
    UPLOAD_TO: str = "ideogram/%Y/%m/"
    """Prefix of the names that we make; ``strftime`` codes are filled in."""
    RESULT_HOSTS: Sequence[str] = ("apiframe.ai",)
    """Hosts, with their subdomains, that files may come from; https only."""
    MAX_IMAGE_BYTES: int = 25 * MIB
    """A larger file is refused (25 MiB)."""
    MAX_IMAGE_PIXELS: int = 25_000_000
    """A larger picture is refused before it is decoded."""
    WIDTHS: Sequence[int] = (320, 640, 1280)
    """Widths of the stored copies, in pixels."""
    FORMATS: Sequence[str] = ("webp",)
    """Formats of the stored copies: ``"webp"``, ``"avif"``."""
    CONNECT_TIMEOUT: float = 5
    """To connect to the provider or to a file's host."""
    REQUEST_DEADLINE: float = 60
    """For one call to the provider, by the clock."""
    DOWNLOAD_DEADLINE: float = 60
    """For one download, by the clock."""
    LEASE: float = 120
    """How long a claim holds without being renewed."""
    POLL_INTERVAL: float = 3
    """Between two looks at a picture; grows with its age."""
    FIRST_POLL_WITH_WEBHOOK: float = 60
    """Before the first look where a webhook is expected and nobody watches."""
    GIVE_UP_AFTER: float = 24 * 3600
    """Then one last look at the provider, and a picture that is not there has failed (24 h)."""
    CONCURRENCY: int = 8
    """Threads of one drain."""
    MAX_IN_FLIGHT: int | None = None
    """Most pictures that may be unfinished at the provider at once."""
    RUN_IN_FLIGHT: int = 20
    """Most pictures of one bulk run in progress at once, where the run does not say."""
    REQUESTS_PER_MINUTE: int = 400
    """Calls to the provider, over all processes of this site."""
    CREDIT_PRICE: str | Decimal = "0.01"
    """Money value of one credit, in ``CURRENCY``."""
    CURRENCY: str = "USD"
    """The currency of ``CREDIT_PRICE``, as three letters."""
    PRICES: Mapping[str, int | Mapping[str, int]] = field(default_factory=dict)
    """Credits per model id, or per rendering speed of a model."""
    SPENDING_ENABLED: bool = True
    """``False`` stops every submission at once."""
    PROXIES: Mapping[str, str] = field(default_factory=dict)
    """As ``requests`` takes them; the environment's proxies are ignored."""
    HOOKS: str = "ideogram_django.hooks.Hooks"
    """Dotted path of a subclass of :class:`hooks.Hooks`."""
    DISPATCHER: str = "ideogram_django.wakeups.RQDispatcher"
    """Dotted path of a subclass of :class:`wakeups.Dispatcher`: how workers are woken."""
    SYNC_INTERVAL: float = 10
    """Between two passes of ``ideogram_sync --loop``."""
    DRAIN_SLICE: float = 20
    """How long one queue job works before it wakes its successor."""
    METRICS_TOKEN: str | None = field(default=None, repr=False)
    """Opens ``metrics/`` to whoever sends it as a bearer token; ``None``: there is no such page."""
    RETENTION: float | None = None
    """Days after which prompts and files of unused pictures may go; ``None``: never."""

    @property
    def credit_price(self) -> Decimal:
        return Decimal(str(self.CREDIT_PRICE))

    @property
    def api_keys(self) -> tuple[str, ...]:
        """Every key whose signature is accepted, the current one first."""
        return tuple(key for key in (self.API_KEY, *self.PREVIOUS_API_KEYS) if key)

    @property
    def webhooks_enabled(self) -> bool:
        return bool(self.WEBHOOK_BASE_URL)


NAMES = tuple(setting.name for setting in fields(AppSettings))


_read: tuple[dict[str, Any], AppSettings] = ({}, AppSettings())
"""What was read last, and what came of it: a page of pictures asks hundreds of times."""


def current() -> AppSettings:
    """The settings as they stand now. Unknown keys are left to the system checks."""
    global _read
    given: Mapping[str, Any] = getattr(django_settings, "IDEOGRAM_DJANGO", {})
    before, settings = _read
    if given != before:
        settings = AppSettings(**{name: given[name] for name in NAMES if name in given})
        if isinstance(given, dict):  # anything else is a mistake that the system checks explain
            _read = (deepcopy(given), settings)
    return settings

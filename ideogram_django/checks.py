"""System checks: a wrong setting is found at start-up and told with the way out."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, storages
from django.urls import NoReverseMatch, reverse

from ideogram_django import conf, hooks, wakeups
from ideogram_django.apiframe import catalogue
from ideogram_django.budget import ledger
from ideogram_django.exceptions import InvalidRequest
from ideogram_django.pictures import formats

SHORTEST_TOKEN = 16
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Everything that can be told from the settings alone; asks neither database nor network."""
    given = getattr(django_settings, "IDEOGRAM_DJANGO", None)
    if given is None:
        return [
            Error(
                "The setting IDEOGRAM_DJANGO is missing.",
                hint='Add IDEOGRAM_DJANGO = {"API_KEY": "afk_…"} to your settings.',
                id="ideogram_django.E001",
            )
        ]
    if not isinstance(given, Mapping):
        return [
            Error(
                "IDEOGRAM_DJANGO must be a dict.",
                hint='For example IDEOGRAM_DJANGO = {"API_KEY": "afk_…"}.',
                id="ideogram_django.E001",
            )
        ]
    problems = [*_unknown_keys(given), *_wrong_values(given)]
    if not problems:
        problems = [*_hooks(conf.current())]
    if not problems:
        settings = conf.current()
        problems = [
            *_key(settings),
            *_model(settings),
            *_dispatcher(settings),
            *_storage(settings),
            *_formats(settings),
            *_metrics(settings),
            *_routes(settings),
            *_project(),
            *_sqlite(),
        ]
    return problems


def _unknown_keys(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for name in given:
        if name not in conf.NAMES:
            near = difflib.get_close_matches(str(name).upper(), conf.NAMES, n=1, cutoff=0.5)
            yield Error(
                f"IDEOGRAM_DJANGO has no setting {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else "See the settings in the README.",
                id="ideogram_django.E003",
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_text, value))


def _is_token(value: Any) -> bool:
    """Long enough not to be guessed, and of signs that a header carries."""
    return _is_text(value) and len(value) >= SHORTEST_TOKEN and bool(re.fullmatch("[!-~]+", value))


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and value > 0


def _is_positive_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_money(value: Any) -> bool:
    if not isinstance(value, (str, int, Decimal)) or isinstance(value, bool):
        return False
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    return number.is_finite() and number >= 0


def _is_origin(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query


def _is_price(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_text(speed) and _is_price(one) for speed, one in value.items())
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_prices(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(model) and _is_price(price) for model, price in value.items()
    )


def _is_proxies(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(scheme) and _is_text(url) for scheme, url in value.items()
    )


def _or_none(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or test(value)


TESTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "API_KEY": (_is_text, "text, such as 'afk_…'"),
    "PREVIOUS_API_KEYS": (_is_texts, "a list of texts"),
    "API_BASE_URL": (_is_origin, "an address such as 'https://api.apiframe.ai'"),
    "WEBHOOK_BASE_URL": (_or_none(_is_origin), "an address such as 'https://example.org', or None"),
    "WEBHOOK_URL_KEY": (_is_text, "text"),
    "WEBHOOK_SIGNATURE": (lambda value: value in ("hint", "required"), "'hint' or 'required'"),
    "QUEUE": (_is_text, "the name of a queue"),
    "HOOKS": (_is_text, "the dotted path of a class"),
    "DISPATCHER": (_is_text, "the dotted path of a class"),
    "DEFAULT_MODEL": (_is_text, "the id of a model"),
    "STORAGE": (_is_text, "an alias in STORAGES"),
    "UPLOAD_TO": (
        lambda value: _is_text(value) and not value.startswith("/") and ".." not in value,
        "a relative path such as 'ideogram/%Y/%m/'",
    ),
    "RESULT_HOSTS": (_is_texts, "a list of host names"),
    "MAX_IMAGE_BYTES": (_is_positive_int, "a whole number above 0"),
    "MAX_IMAGE_PIXELS": (_is_positive_int, "a whole number above 0"),
    "WIDTHS": (
        lambda value: isinstance(value, Sequence) and all(map(_is_positive_int, value)),
        "a list of whole numbers above 0",
    ),
    "FORMATS": (
        lambda value: _is_texts(value) and set(value) <= set(formats.CONTENT_TYPES),
        "a list of 'webp', 'avif' or both",
    ),
    "CONCURRENCY": (_is_positive_int, "a whole number above 0"),
    "RUN_IN_FLIGHT": (_is_positive_int, "a whole number above 0"),
    "MAX_IN_FLIGHT": (_or_none(_is_positive_int), "a whole number above 0, or None"),
    "REQUESTS_PER_MINUTE": (_is_positive, "a number above 0"),
    "CREDIT_PRICE": (_is_money, "an amount such as '0.01'"),
    "CURRENCY": (lambda value: _is_text(value) and len(value) == 3, "a code such as 'USD'"),
    "PRICES": (_is_prices, "a dict of model ids to credits"),
    "SPENDING_ENABLED": (lambda value: isinstance(value, bool), "True or False"),
    "PROXIES": (_is_proxies, "a dict such as {'https': 'http://proxy:3128'}"),
    "METRICS_TOKEN": (
        _or_none(_is_token),
        f"at least {SHORTEST_TOKEN} letters and digits, or None",
    ),
    "RETENTION": (_or_none(_is_positive), "a number of days above 0, or None"),
    **dict.fromkeys(
        (
            "CONNECT_TIMEOUT",
            "REQUEST_DEADLINE",
            "DOWNLOAD_DEADLINE",
            "LEASE",
            "POLL_INTERVAL",
            "FIRST_POLL_WITH_WEBHOOK",
            "GIVE_UP_AFTER",
            "SYNC_INTERVAL",
            "DRAIN_SLICE",
        ),
        (_is_positive, "a number of seconds above 0"),
    ),
}


def _wrong_values(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for name, (test, wanted) in TESTS.items():
        if name in given and not test(given[name]):
            yield Error(
                f"IDEOGRAM_DJANGO[{name!r}] must be {wanted}.",
                hint="Correct the value; the README lists every setting with its default.",
                id="ideogram_django.E004",
            )


def _key(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    if not settings.API_KEY:
        yield Error(
            "IDEOGRAM_DJANGO['API_KEY'] is missing.",
            hint="Make a key at apiframe.ai and give it through an environment variable. To try "
            'without one, "manage.py ideogram_simulator" prints settings for an offline twin.',
            id="ideogram_django.E002",
        )
    elif not all("!" <= letter <= "~" for letter in settings.API_KEY):
        yield Error(
            "IDEOGRAM_DJANGO['API_KEY'] holds a blank or a letter that no key has.",
            hint="Look for a line end or a quotation mark that came with it; strip() the value.",
            id="ideogram_django.E002",
        )
    elif not settings.API_KEY.startswith("afk_"):
        yield Warning(
            "IDEOGRAM_DJANGO['API_KEY'] does not look like an Apiframe v2 key.",
            hint="Keys of API v2 start with 'afk_'; keys of v1 do not work.",
            id="ideogram_django.W002",
        )


def _model(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    try:
        catalogue.get_model(settings.DEFAULT_MODEL, ledger.prices(settings))
    except InvalidRequest as invalid:
        yield Error(
            f"IDEOGRAM_DJANGO['DEFAULT_MODEL']: {invalid}",
            hint="Use one of the ids in the README.",
            id="ideogram_django.E005",
        )
        return
    priced = catalogue.credits_for(settings.DEFAULT_MODEL, "", ledger.prices(settings))
    if priced is None:
        yield Error(
            f"The price of the default model {settings.DEFAULT_MODEL!r} is not known.",
            hint="Add its credits to IDEOGRAM_DJANGO['PRICES'], or choose another model.",
            id="ideogram_django.E005",
        )


def _hooks(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    try:
        hooks.load(settings.HOOKS)
    except ImproperlyConfigured as error:
        yield Error(
            f"IDEOGRAM_DJANGO: {error}",
            hint="Name a subclass of ideogram_django.hooks.Hooks, or leave HOOKS out.",
            id="ideogram_django.E010",
        )


def _dispatcher(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    try:
        yield from wakeups.load(settings.DISPATCHER)().check()
    except ImproperlyConfigured as error:
        yield Error(
            f"IDEOGRAM_DJANGO: {error}",
            hint="Name a subclass of ideogram_django.wakeups.Dispatcher, or leave DISPATCHER out.",
            id="ideogram_django.E011",
        )


def _storage(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    try:
        storages[settings.STORAGE]
    except (InvalidStorageError, ImproperlyConfigured, ImportError, TypeError) as error:
        yield Error(
            f"IDEOGRAM_DJANGO['STORAGE'] cannot be used: {error}",
            hint="Use an alias that is defined in STORAGES.",
            id="ideogram_django.E007",
        )


def _formats(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    # Only now: a site that starts has no use for the decoder yet.
    from ideogram_django.pictures import renditions

    for name in settings.FORMATS:
        if not renditions.can_write(name):
            yield Warning(
                f"IDEOGRAM_DJANGO['FORMATS'] asks for {name!r}, which this Pillow cannot write.",
                hint=(
                    "Pages get the other formats and the original. Install Pillow from a wheel, "
                    f"or take {name!r} out of the list."
                ),
                id="ideogram_django.W006",
            )


def _metrics(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    if settings.METRICS_TOKEN and importlib.util.find_spec("prometheus_client") is None:
        yield Error(
            "IDEOGRAM_DJANGO['METRICS_TOKEN'] is set, but prometheus-client is not installed.",
            hint='Run: pip install "ideogram-django[metrics]"',
            id="ideogram_django.E013",
        )


def _routes(settings: conf.AppSettings) -> Iterator[CheckMessage]:
    try:
        reverse("ideogram_django:status")
    except NoReverseMatch:
        yield Error(
            "The addresses of ideogram_django are not in the URLconf.",
            hint='Add path("ideogram/", include("ideogram_django.urls")) to your URLs.',
            id="ideogram_django.E008",
        )


def _project() -> Iterator[CheckMessage]:
    if not django_settings.USE_TZ:
        yield Error(
            "ideogram_django needs USE_TZ = True.",
            hint="Leases and due times are compared with the database's clock, which is in UTC.",
            id="ideogram_django.E009",
        )


def _sqlite() -> Iterator[CheckMessage]:
    for alias, database in django_settings.DATABASES.items():
        if not str(database.get("ENGINE", "")).endswith("sqlite3"):
            continue
        options: Mapping[str, Any] = database.get("OPTIONS") or {}
        if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
            yield Warning(
                f"The SQLite database {alias!r} does not use transaction_mode IMMEDIATE.",
                hint=(
                    'Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command":'
                    ' "PRAGMA journal_mode=WAL;"}; otherwise web and worker meet "database is '
                    'locked" errors.'
                ),
                id="ideogram_django.W001",
            )


def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """``check --deploy``: what is fine at home and not in public."""
    given = getattr(django_settings, "IDEOGRAM_DJANGO", None)
    if not isinstance(given, Mapping) or list(_wrong_values(given)):
        return []
    settings = conf.current()
    problems: list[CheckMessage] = []
    base = urlsplit(settings.API_BASE_URL)
    if base.scheme != "https" or base.hostname in LOOPBACK:
        problems.append(
            Warning(
                "IDEOGRAM_DJANGO['API_BASE_URL'] is not a public https address.",
                hint="Pictures may be fetched from this address; remove it outside of development.",
                id="ideogram_django.W003",
            )
        )
    if settings.WEBHOOK_BASE_URL is None:
        problems.append(
            Warning(
                "IDEOGRAM_DJANGO['WEBHOOK_BASE_URL'] is not set: results come by polling alone.",
                hint="Set it to the public address of this site; polling stays as the back-stop.",
                id="ideogram_django.W004",
            )
        )
    elif urlsplit(settings.WEBHOOK_BASE_URL).scheme != "https":
        problems.append(
            Warning(
                "IDEOGRAM_DJANGO['WEBHOOK_BASE_URL'] is not https.",
                hint="Anybody on the way could read the secret part of the address.",
                id="ideogram_django.W005",
            )
        )
    return problems

"""Every system check: told when something is wrong, silent when it is right."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from PIL import features

from ideogram_django import checks, conf

GOOD: dict[str, Any] = {
    "API_KEY": "afk_" + "0" * 40,
    "WEBHOOK_BASE_URL": "https://example.org",
}
urlpatterns: list[Any] = []
"""A site that forgot our addresses."""


def found(*, deploy: bool = False) -> list[django_checks.CheckMessage]:
    messages = django_checks.run_checks(tags=["ideogram_django"], include_deployment_checks=deploy)
    for message in messages:
        assert message.hint, message
        assert len(message.hint) > 15, message
    return messages


def ids(*, deploy: bool = False) -> list[str]:
    return [str(message.id).removeprefix("ideogram_django.") for message in found(deploy=deploy)]


@pytest.fixture(autouse=True)
def good(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = dict(GOOD)
    settings.RQ_QUEUES = {"default": {}, "pictures": {}}


def set_databases(settings: Any, **options: Any) -> None:
    with warnings.catch_warnings():  # Django warns; only the check reads the setting here
        warnings.simplefilter("ignore")
        settings.DATABASES = {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x", "OPTIONS": options}
        }


def test_silent_when_everything_is_right(settings: Any) -> None:
    assert ids(deploy=True) == []
    set_databases(settings, transaction_mode="immediate")
    assert ids(deploy=True) == []


def test_defaults_are_right() -> None:
    """The documented defaults pass the tests of their own values."""
    defaults = conf.AppSettings()
    for name, (test, _wanted) in checks.TESTS.items():
        assert test(getattr(defaults, name)), name
    assert set(checks.TESTS) == set(conf.NAMES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"API_KEY": ""}, ["E002"]),
        ({"API_KEY": "0f8fad5b-d9cb-469f-a165-70867728950e"}, ["W002"]),
        ({"API_KEY": "afk_é"}, ["E002"]),
        ({"API_KEY": "afk_abc\n"}, ["E002"]),
        ({"DEFAULT_MODEL": "ideogram-v5"}, ["E005"]),
        ({"DEFAULT_MODEL": "ideogram-v3-quality"}, ["E005"]),
        ({"DEFAULT_MODEL": "ideogram-v3-quality", "PRICES": {"ideogram-v3-quality": 9}}, []),
        ({"QUEUE": "slow"}, ["E006"]),
        ({"QUEUE": "pictures"}, []),
        ({"STORAGE": "bucket"}, ["E007"]),
        ({"HOOKS": "newsroom.pictures.Hooks"}, ["E010"]),
        ({"HOOKS": "ideogram_django.conf.AppSettings"}, ["E010"]),
        ({"HOOKS": "hooks"}, ["E010"]),
        ({"DISPATCHER": "newsroom.queue.Dispatcher"}, ["E011"]),
        ({"DISPATCHER": "ideogram_django.wakeups.wake"}, ["E011"]),
    ],
)
def test_wrong_settings(settings: Any, changes: dict[str, Any], expected: list[str]) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, **changes}
    assert ids() == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"API_BASE_URL": "http://127.0.0.1:8899"}, ["W003"]),
        ({"API_BASE_URL": "http://api.example.org"}, ["W003"]),
        ({"API_BASE_URL": "https://localhost"}, ["W003"]),
        ({"WEBHOOK_BASE_URL": None}, ["W004"]),
        ({"WEBHOOK_BASE_URL": "http://example.org"}, ["W005"]),
        ({"WEBHOOK_BASE_URL": "https://example.org/shop"}, []),
    ],
)
def test_what_is_fine_at_home_and_not_in_public(
    settings: Any, changes: dict[str, Any], expected: list[str]
) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, **changes}
    assert ids() == []
    assert ids(deploy=True) == expected


def test_the_setting_is_missing(settings: Any) -> None:
    del settings.IDEOGRAM_DJANGO
    assert ids(deploy=True) == ["E001"]


@pytest.mark.parametrize("value", ["afk_0", ["API_KEY"], 7])
def test_the_setting_is_no_dict(settings: Any, value: object) -> None:
    settings.IDEOGRAM_DJANGO = value
    assert ids(deploy=True) == ["E001"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("API_KEI", "'API_KEY'"),
        ("api_key", "'API_KEY'"),
        ("WEBHOOK_URL", "'WEBHOOK_URL_KEY'"),
        ("LEASES", "'LEASE'"),
        ("MAX_BYTES", "'MAX_IMAGE_BYTES'"),
        ("COLOUR_OF_THE_SKY", "README"),
    ],
)
def test_an_unknown_key_names_the_nearest(settings: Any, name: str, hint: str) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, name: 1}
    (message,) = found()
    assert message.id == "ideogram_django.E003"
    assert repr(name) in message.msg
    assert hint in (message.hint or "")


WRONG: dict[str, list[Any]] = {
    "API_KEY": [None, 7],
    "PREVIOUS_API_KEYS": ["afk_0", [7]],
    "API_BASE_URL": ["api.apiframe.ai", "ftp://api.apiframe.ai", None, "https://x/?key=1"],
    "WEBHOOK_BASE_URL": ["example.org", "", 7],
    "WEBHOOK_URL_KEY": [None],
    "WEBHOOK_SIGNATURE": ["none", True],
    "QUEUE": [None],
    "DEFAULT_MODEL": [None],
    "STORAGE": [None],
    "UPLOAD_TO": ["/ideogram", "a/../b", None],
    "RESULT_HOSTS": ["apiframe.ai", [None]],
    "MAX_IMAGE_BYTES": [0, -1, 1.5, True, "25"],
    "MAX_IMAGE_PIXELS": [0, 1.5],
    "WIDTHS": [320, [0], ["320"], None],
    "FORMATS": ["webp", ["jpeg"], ["WEBP"], None],
    "CONNECT_TIMEOUT": [0, -1, "5", None, True],
    "REQUEST_DEADLINE": [0],
    "DOWNLOAD_DEADLINE": [0],
    "LEASE": [0],
    "POLL_INTERVAL": [0],
    "FIRST_POLL_WITH_WEBHOOK": [0],
    "GIVE_UP_AFTER": [0],
    "CONCURRENCY": [0, 1.5, True],
    "MAX_IN_FLIGHT": [0, 1.5],
    "RUN_IN_FLIGHT": [0, 1.5, None, "20"],
    "REQUESTS_PER_MINUTE": [0, "400"],
    "CREDIT_PRICE": ["-1", "a cent", None, 0.01, "NaN"],
    "CURRENCY": ["DOLLAR", None],
    "PRICES": [[], {"x": -1}, {"x": 1.5}, {1: 1}, {"x": {"Turbo": "3"}}],
    "SPENDING_ENABLED": [1, "yes", None],
    "PROXIES": ["http://proxy", {"https": None}],
    "SYNC_INTERVAL": [0],
    "DRAIN_SLICE": [0],
    "METRICS_TOKEN": ["", "short", 7, "a word with blanks", "ein-Wort-mit-Ümlaut"],
    "RETENTION": [0, "30"],
    "HOOKS": [None, dict],
    "DISPATCHER": [None, dict],
}


def test_every_setting_is_here() -> None:
    assert set(WRONG) == set(conf.NAMES)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_told(settings: Any, name: str, value: object) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, name: value}
    (message,) = found(deploy=True)
    assert message.id == "ideogram_django.E004"
    assert f"IDEOGRAM_DJANGO['{name}'] must be " in message.msg


def test_the_key_is_never_told(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, "API_KEY": "secret-of-v1", "API_KEI": "secret-of-v1"}
    assert "secret-of-v1" not in str(found())


def test_without_django_rq(settings: Any) -> None:
    # Only the check reads the list here: setting another would load all apps anew.
    apps = settings.INSTALLED_APPS
    place = apps.index("django_rq")
    apps.remove("django_rq")
    try:
        assert ids() == ["E006"]
    finally:
        apps.insert(place, "django_rq")


def test_without_its_addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.test_checks"  # see urlpatterns above
    assert ids() == ["E008"]


def test_a_format_that_pillow_cannot_write(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, "FORMATS": ["webp", "avif"]}
    assert ids() == []
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    (message,) = found()
    assert message.id == "ideogram_django.W006"
    assert "'avif'" in message.msg


def test_without_time_zones(settings: Any) -> None:
    settings.USE_TZ = False
    assert ids() == ["E009"]


@pytest.mark.parametrize("options", [{}, {"transaction_mode": "DEFERRED"}, {"timeout": 20}])
def test_sqlite_without_immediate(settings: Any, options: dict[str, Any]) -> None:
    set_databases(settings, **options)
    (message,) = found()
    assert message.id == "ideogram_django.W001"
    assert "transaction_mode" in (message.hint or "")


def test_the_library_for_metrics_is_not_installed(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, "METRICS_TOKEN": "a-long-and-random-word"}
    assert ids() == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (message,) = found()
    assert message.id == "ideogram_django.E013"
    assert 'pip install "ideogram-django[metrics]"' in (message.hint or "")
    settings.IDEOGRAM_DJANGO = GOOD
    assert ids() == []


def test_every_id_stands_in_a_test() -> None:
    source = Path(checks.__file__).read_text()
    own = Path(__file__).read_text()
    for number in set(re.findall(r'id="ideogram_django\.([EW]\d+)"', source)):
        assert number in own, number


def test_the_command_sees_them(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**GOOD, "API_KEY": ""}
    with pytest.raises(SystemCheckError, match=r"ideogram_django\.E002"):
        call_command("check", "--tag", "ideogram_django")

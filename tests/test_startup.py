"""What it costs a site to have the package: nothing at start-up, and no test in the wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITE = """
SECRET_KEY = "start-up"
USE_TZ = True
ROOT_URLCONF = "urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_rq",
    {ours}
]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}}]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}}}}
RQ_QUEUES = {{"default": {{"URL": "redis://127.0.0.1:1/0"}}}}
IDEOGRAM_DJANGO = {{"API_KEY": "afk_start"}}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), {ours}]
"""
OURS = {
    "settings": '"ideogram_django"',
    "urls": 'path("ideogram/", include("ideogram_django.urls"))',
}
START = """
import json, sys

seen = []
WATCHED = ("sqlite3.connect", "socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, arguments: seen.append(event) if event in WATCHED else None)

import django

django.setup()
import importlib

from django.conf import settings

importlib.import_module(settings.ROOT_URLCONF)
importlib.import_module("django.core.wsgi").get_wsgi_application()

installed = {
    name.partition(".")[0]
    for name, module in list(sys.modules.items())
    if "site-packages" in (getattr(module, "__file__", None) or "")
}
print(json.dumps({"installed": sorted(installed), "modules": sorted(sys.modules), "seen": seen}))
"""


def started(folder: Path, *, ours: bool) -> dict[str, Any]:
    """A site's web process up to the moment when it could answer: what it loaded and touched."""
    folder.mkdir()
    for name, text in (("settings", SITE), ("urls", URLS)):
        (folder / f"{name}.py").write_text(text.format(ours=OURS[name] if ours else ""))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def with_us(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return started(tmp_path_factory.mktemp("start") / "with", ours=True)


def test_starting_touches_neither_database_nor_network(with_us: dict[str, Any]) -> None:
    assert "ideogram_django.admin.pictures" in with_us["modules"]
    assert "ideogram_django.views" in with_us["modules"]
    assert with_us["seen"] == []


def test_starting_loads_no_other_package_than_a_site_with_django_rq_does(
    with_us: dict[str, Any], tmp_path: Path
) -> None:
    """No Pillow, no requests: what decodes and what calls out is loaded when it is needed."""
    without = started(tmp_path / "without", ours=False)
    more = set(with_us["installed"]) - set(without["installed"]) - {"ideogram_django"}
    assert more == set()


def test_starting_loads_none_of_our_own_machinery(with_us: dict[str, Any]) -> None:
    """The drain, the provider's client and the twin belong to workers and tests."""
    machinery = (
        "apiframe.client",
        "drains.loop",
        "management",
        "pictures.fetching",
        "pictures.renditions",
        "simulator",
        "testing",
        "transport",
    )
    loaded = [
        name
        for name in with_us["modules"]
        for part in machinery
        if f"{name}.".startswith(f"ideogram_django.{part}.")
    ]
    assert loaded == []


# --- the wheel ----------------------------------------------------------------------------------


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "ideogram_django",
        f"{'-'.join(wheel.name.split('-')[:2])}.dist-info",
    }
    tests = re.compile(r"(^|/)(tests?/|test_|conftest)|_tests?\.py$")
    assert [name for name in names if tests.search(name)] == []
    # The kit for a site's own tests is all that has to do with any.
    kit = {name.rpartition("/")[0] for name in names if "testing" in name}
    assert kit == {"ideogram_django/testing"}


def test_the_wheel_holds_all_that_the_package_needs(wheel: Path) -> None:
    """Every file of the package: templates, scripts, styles, translations, ``py.typed``."""
    package = ROOT / "ideogram_django"
    wanted = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("ideogram_django/")}
    assert held == wanted
    assert "ideogram_django/py.typed" in held

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

ROOT_URLCONF = "tests.sample_site.urls"
INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if app != "tests.magazine"),
    "tests.sample_site",
]

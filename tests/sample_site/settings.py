from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import IDEOGRAM_DJANGO, INSTALLED_APPS

ROOT_URLCONF = "tests.sample_site.urls"
INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if app != "tests.magazine"),
    "tests.sample_site",
]
IDEOGRAM_DJANGO = {**IDEOGRAM_DJANGO, "HOOKS": "tests.sample_site.decisions.ShopHooks"}

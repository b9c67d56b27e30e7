"""The test project's settings with places to stop at, and a storage by its name."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE as PLAIN

ROOT_URLCONF = "tests.reliability.web"
MIDDLEWARE = ["tests.reliability.web.stops_around_webhooks", *PLAIN]
STORAGES = {
    "default": {
        "BACKEND": os.environ.get("TEST_STORAGE", "tests.reliability.storages.StoppingStorage")
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "DEBUG"},
    # SQL with its parameters would be as long as the database.
    "loggers": {"django.db.backends": {"level": "INFO"}, "PIL": {"level": "INFO"}},
}
"""Everything is logged, so that a secret in any log line of any level would be found."""

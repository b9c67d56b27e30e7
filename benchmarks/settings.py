"""Settings of the benchmarks' site; the orchestrator tells each process of it what differs."""

from __future__ import annotations

import json
import os
from typing import Any

SECRET_KEY = "benchmarks-only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = os.environ.get("BENCH_URLCONF", "benchmarks.urls")
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_rq",
    "ideogram_django",
    "benchmarks",
    "benchmarks.naive",
    *filter(None, os.environ.get("BENCH_APPS", "").split(",")),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = os.environ.get("BENCH_MEDIA", "")

DATABASES: dict[str, Any] = {
    "default": json.loads(os.environ.get("BENCH_DATABASE", "null"))
    or {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
}

RQ_QUEUES = {
    "default": {
        "URL": os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:1/0"),
        "DEFAULT_TIMEOUT": 3600,
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": os.environ.get("BENCH_LOG", "WARNING")},
}

IDEOGRAM_DJANGO = {
    "API_KEY": "afk_" + "0" * 40,
    "API_BASE_URL": "http://127.0.0.1:9",
    "REQUESTS_PER_MINUTE": 100_000_000,
    **json.loads(os.environ.get("BENCH_IDEOGRAM", "{}")),
}

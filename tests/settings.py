"""Settings of the test project. Its processes are told apart by ``TEST_…`` in the environment."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "tests-only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
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
    "tests.magazine",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tests.middleware.StrictPolicy",
    "tests.middleware.BrowsersLanguage",
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
if os.environ.get("TEST_MEDIA_ROOT"):
    MEDIA_ROOT = os.environ["TEST_MEDIA_ROOT"]
else:
    MEDIA_ROOT = tempfile.mkdtemp(prefix="ideogram-media-")
    atexit.register(shutil.rmtree, MEDIA_ROOT, ignore_errors=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES: dict[str, Any]
if os.environ.get("TEST_POSTGRES_HOST"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["TEST_POSTGRES_HOST"],
            "PORT": os.environ.get("TEST_POSTGRES_PORT", ""),
            "USER": os.environ.get("TEST_POSTGRES_USER", "postgres"),
            "PASSWORD": os.environ.get("TEST_POSTGRES_PASSWORD", ""),
            "NAME": os.environ.get("TEST_POSTGRES_NAME", "ideogram_tests"),
        }
    }
else:
    # A file, as on a real site. In memory, all threads would share one cache and its table locks:
    # a page that a browser test left open would make some later test fail. Also the name before
    # the test database is made is that of a file: a server that is started earlier would share
    # its one connection between threads, which crashes the interpreter.
    SQLITE_FOLDER = tempfile.mkdtemp(prefix="ideogram-sqlite-")
    atexit.register(shutil.rmtree, SQLITE_FOLDER, ignore_errors=True)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("TEST_SQLITE_NAME", f"{SQLITE_FOLDER}/site.sqlite3"),
            "TEST": {"NAME": f"{SQLITE_FOLDER}/tests.sqlite3"},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
            },
        }
    }

QUEUE = os.environ.get("TEST_QUEUE", "default")
RQ_QUEUES = {QUEUE: {"URL": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:1/0")}}

IDEOGRAM_DJANGO = {
    "API_KEY": "afk_" + "0" * 40,
    "API_BASE_URL": os.environ.get("TEST_API_BASE_URL", "http://127.0.0.1:9"),
    "WEBHOOK_BASE_URL": os.environ.get("TEST_WEBHOOK_BASE_URL") or None,
    "QUEUE": QUEUE,
    **json.loads(os.environ.get("TEST_IDEOGRAM", "{}")),
}

"""Settings of the magazine. What differs between machines comes from the environment."""

import os
from pathlib import Path

env = os.environ.get
STATE = Path(env("MAGAZINE_STATE", Path(__file__).resolve().parents[2] / ".demo"))

DEBUG = env("DEBUG", "1") == "1"
SECRET_KEY = env("SECRET_KEY", "for-the-demo-only-and-known-to-everybody")
ALLOWED_HOSTS = env("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
ROOT_URLCONF = "example.urls"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = STATE / "media"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A theme of the admin has to stand before it.
THEME = ["unfold"] if env("MAGAZINE_ADMIN") == "unfold" else []
INSTALLED_APPS = [
    *THEME,
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_rq",
    "ideogram_django",
    "articles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # The admin in the language of the editor's browser.
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": CONTEXT_PROCESSORS},
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": STATE / "magazine.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        },
    }
}
RQ_QUEUES = {"ideogram": {"URL": env("REDIS_URL", "redis://127.0.0.1:6379/0")}}
IDEOGRAM_DJANGO = {
    "API_KEY": env("IDEOGRAM_API_KEY", ""),
    "API_BASE_URL": env("IDEOGRAM_API_BASE_URL", "https://api.apiframe.ai"),
    "WEBHOOK_BASE_URL": env("WEBHOOK_BASE_URL") or None,
    "QUEUE": "ideogram",
}

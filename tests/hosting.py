"""An admin of a test's own in place of the magazine's."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.urls import clear_url_caches


@pytest.fixture
def host() -> Iterator[Callable[[type], None]]:
    """Registers a ModelAdmin for articles, for this test alone."""
    from tests.magazine.models import Article  # a site without the magazine has its tests, too

    was = admin.site._registry.pop(Article, None)

    def install(host_class: type) -> None:
        admin.site._registry.pop(Article, None)
        admin.site.register(Article, host_class)
        _forget_urls()

    yield install
    admin.site._registry.pop(Article, None)
    if was is not None:
        # The very one: another of its kind would not be the one that other tests change.
        admin.site._registry[Article] = was
    _forget_urls()


def _forget_urls() -> None:
    clear_url_caches()
    # The second copies the first one's list.
    for name in ("tests.urls", "tests.magazine.urls"):
        importlib.reload(importlib.import_module(name))

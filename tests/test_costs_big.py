"""The same costs as in ``test_costs``, among 20,000 pictures: not one statement more."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from ideogram_django.models import GeneratedImage, ProviderState
from tests.big_gallery import ROWS, big_gallery
from tests.test_costs import GALLERY, GALLERY_PAGE, SYNC_PASS, statements, sync_pass

__all__ = ["big_gallery"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("big_gallery")]


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    ProviderState.objects.update_or_create(id=1, defaults={"last_sync": timezone.now()})
    return client


def test_a_sync_with_nothing_due() -> None:
    asked = sync_pass()
    assert len(asked) == SYNC_PASS, asked


@pytest.mark.parametrize("look", ["grid", "list"])
def test_a_gallery_page(look: str, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 100)
    cache.set("ideogram_django:typical_seconds", {})
    browser.post(f"{GALLERY}look/", {"look": look})
    for query in ["", "?p=2", "?p=200", "?status=completed", "?q=lighthouse", "?picked=yes"]:
        with statements() as asked:
            page = browser.get(GALLERY + query)
        assert len(page.context["cl"].result_list) == 100
        # One more for the names of the twelve people, who are offered as a filter here.
        assert len(asked) == GALLERY_PAGE + 1, (query, asked)


@pytest.mark.parametrize("count", [1, 200])
def test_news(count: int, browser: Client) -> None:
    rows = GeneratedImage.objects.completed().order_by("pk")[ROWS // 2 :]
    ids = ",".join(str(image.uuid) for image in rows[:count])
    with statements() as asked:
        assert len(browser.get(f"/ideogram/status/?ids={ids}").json()["images"]) == count
    assert len(asked) == 3

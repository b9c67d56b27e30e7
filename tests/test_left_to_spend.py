"""What is left of the spending limits stands wherever money can be spent."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from ideogram_django.budget import ledger
from ideogram_django.models import GeneratedImage, SpendingLimit
from ideogram_django.statuses import ErrorCode, Status
from tests.magazine.forms import ArticleForm
from tests.people import CHANGE, SPEND, VIEW, client_of, person, staff, text
from tests.test_admin import page, picture

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]


@pytest.fixture
def editor() -> User:
    return person("editor", VIEW, SPEND)


@pytest.fixture(autouse=True)
def limit() -> SpendingLimit:
    return SpendingLimit.objects.create(amount=Decimal(5))


@pytest.mark.parametrize("failed", [False, True], ids=["finished", "failed"])
def test_a_picture_s_page_says_what_is_left_beside_what_costs_money(failed: bool) -> None:
    image = picture()
    left = "This site has $4.97 of $5.00 left this month."
    if failed:
        image = picture(Status.FAILED, error_code=ErrorCode.PROVIDER_BUSY)
        ledger.release(image.charge)
    assert left in text(client_of(staff(VIEW, CHANGE, SPEND)).get(page(image)))
    assert left not in text(client_of(staff(VIEW, CHANGE)).get(page(image)))
    uploaded = GeneratedImage.objects.create(uploaded=True, status=Status.COMPLETED, file="a.png")
    assert left not in text(client_of(staff(VIEW, CHANGE, SPEND)).get(page(uploaded)))


def test_a_field_says_what_is_left_and_says_it_anew_when_drafts_were_made(
    editor: User, settings: Any
) -> None:
    form = ArticleForm(user=editor, initial={"title": "Autumn"})
    html = str(form["hero"])
    assert "This site has $5.00 of $5.00 left this month." in html
    data = {
        "name": "hero",
        "prompt": "A red bicycle",
        "count": "4",
        "request": str(uuid.uuid4()),
        "terms": html.partition('name="hero-terms" value="')[2].partition('"')[0],
    }
    answer = text(client_of(editor).post(reverse("ideogram_django:make"), data))
    assert GeneratedImage.objects.count() == 4
    assert 'id="id_hero-left"' in answer
    assert "This site has $4.88 of $5.00 left this month." in answer
    assert "left this month" not in str(ArticleForm(user=person("reader"))["hero"])

"""Money in the reader's language; plain numbers for machines."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation

from ideogram_django import views
from ideogram_django.budget.amounts import price_text
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "currency", "texts"),
    [
        ("0.12", "USD", {"en": "$0.12", "de": "0,12_$", "fr": "0,12_$", "es": "0,12_$"}),
        ("0.12", "EUR", {"en": "€0.12", "de": "0,12_€", "fr": "0,12_€", "es": "0,12_€"}),
        ("0.12", "GBP", {"en": "£0.12", "de": "0,12_£", "fr": "0,12_£", "es": "0,12_£"}),
        ("12", "JPY", {"en": "¥12", "de": "12_¥", "fr": "12_¥", "es": "12_¥"}),
        ("0.12", "CHF", {"en": "0.12_CHF", "de": "0,12_CHF", "fr": "0,12_CHF"}),
        ("0.12", "XTS", {"en": "0.12_XTS", "es": "0,12_XTS"}),
        ("0.005", "USD", {"en": "$0.005", "de": "0,005_$"}),
        ("0.500000", "USD", {"en": "$0.50"}),
        ("3", "USD", {"en": "$3.00", "de": "3,00_$"}),
        ("0", "USD", {"en": "$0.00"}),
        ("10", "USD", {"en": "$10.00"}),
        ("0.4", "JPY", {"en": "¥0.4"}),
        ("1000", "JPY", {"en": "¥1,000", "de": "1.000_¥"}),
        ("1234.5", "USD", {"en": "$1,234.50", "de": "1.234,50_$", "fr": "1_234,50_$"}),
        ("-0.12", "USD", {"en": "-$0.12", "de": "-0,12_$"}),
    ],
)
def test_an_amount_reads_right(amount: str, currency: str, texts: dict[str, str]) -> None:
    for language, text in texts.items():
        with translation.override(language):
            assert price_text(Decimal(amount), currency) == text.replace("_", NBSP)


def test_a_language_without_a_catalogue_keeps_its_own_numbers() -> None:
    with translation.override("it"):
        assert price_text(Decimal("0.12"), "USD") == "$0,12"


def test_regions_read_their_languages_pattern() -> None:
    with translation.override("de-ch"):
        assert price_text(Decimal("0.12"), "CHF") == f"0,12{NBSP}CHF"


# --- evaluated when it is shown -----------------------------------------------------------------


@pytest.fixture
def admin(client: Client, transactional_db: None) -> Client:
    client.force_login(User.objects.create_superuser("editor"))
    return client


def test_each_reader_gets_prices_in_their_language_one_after_the_other(admin: Client) -> None:
    for language, price in (("en", "$0.03"), ("de", f"0,03{NBSP}$"), ("en", "$0.03")):
        with translation.override(language):
            page = admin.get("/admin/ideogram_django/generatedimage/add/").content.decode()
        assert price in page


def test_a_refusal_names_the_amounts_in_the_readers_language(transactional_db: None) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.02"))
    with translation.override("de"), pytest.raises(ValidationError) as caught:
        GeneratedImage.objects.generate("A fox")
    with translation.override("de"):
        said = " ".join(caught.value.messages)
    assert f"0,03{NBSP}$" in said
    assert f"0,02{NBSP}$" in said


def test_the_ledger_names_its_rows_in_the_readers_language(transactional_db: None) -> None:
    GeneratedImage.objects.generate("A fox")
    with translation.override("de"):
        assert str(Charge.objects.get()) == f"ideogram-v4-turbo · 0,03{NBSP}$ · Reserviert"


# --- machines get plain numbers -----------------------------------------------------------------


@pytest.mark.parametrize("cost", ["10", "0.030000", "0"])
def test_json_keeps_plain_numbers(transactional_db: None, cost: str) -> None:
    GeneratedImage.objects.generate("A fox")
    GeneratedImage.objects.update(cost=Decimal(cost), price=Decimal(cost), status=Status.COMPLETED)
    image = GeneratedImage.objects.get()
    plain = {"10": "10", "0.030000": "0.03", "0": "0"}[cost]
    with translation.override("de"):
        assert views.payload(image)["cost"] == plain
        assert (image.as_dict()["price"], image.as_dict()["cost"]) == (plain, plain)
        assert image.as_dict()["currency"] == "USD"


def test_csv_keeps_plain_numbers(admin: Client) -> None:
    GeneratedImage.objects.generate("A fox")
    data: dict[str, Any] = {
        "action": "export_csv",
        "_selected_action": [str(Charge.objects.get().pk)],
    }
    with translation.override("de"):
        answer = admin.post("/admin/ideogram_django/charge/", data)
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert Decimal(row["expected"]) == Decimal("0.03")
    assert row["currency"] == "USD"

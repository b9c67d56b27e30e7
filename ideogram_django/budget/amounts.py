"""Amounts of money as people read them."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format

SYMBOLS = {"USD": "$", "GBP": "£"}
"""Currencies whose sign stands before the number; the others are named after it."""


def price_text(amount: Decimal, currency: str) -> str:
    """``$0.03`` or ``0.03 EUR``; at least two decimals, and as many as the amount needs."""
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    number = number_format(amount, decimal_pos=places, use_l10n=True, force_grouping=True)
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number}\N{NO-BREAK SPACE}{currency}"

"""Amounts of money as people read them: ``$0.12``, ``0,12 $``, ``0.12 CHF``."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import pgettext

SIGNS = {"EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}
"""Currencies known everywhere by a sign. The others are named by their code."""
WHOLE = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
"""Currencies without a smaller unit (ISO 4217)."""


def plain(amount: Decimal | None) -> str | None:
    """The amount for programs: no sign, no rounding, a point; ``None`` where there is none."""
    return None if amount is None else f"{amount.normalize():f}"


def price_text(amount: Decimal, currency: str) -> str:
    """The amount in the active language, with as many decimals as the currency or it needs.

    Evaluated when it is called: call it while the page is rendered. Scripts get plain numbers.
    """
    exponent = amount.normalize().as_tuple().exponent
    least = 0 if currency in WHOLE else 2
    places = max(least, -exponent) if isinstance(exponent, int) else least
    number = number_format(abs(amount), decimal_pos=places, use_l10n=True, force_grouping=True)
    if sign := SIGNS.get(currency):
        # Translators: an amount of money, as $0.12; in many languages the sign comes after a space.
        pattern = pgettext("money", "%(sign)s%(number)s")
    else:
        # Translators: an amount of money in a currency without a sign of its own, as 0.12 CHF.
        pattern = pgettext("money", "%(number)s %(code)s")
    # Translators type an ordinary space; an amount must not break across two lines.
    text = pattern.replace(" ", "\N{NO-BREAK SPACE}")
    minus = "-" if amount < 0 else ""
    return minus + text % {"sign": sign or "", "code": currency, "number": number}

"""Questions to whoever sits at the terminal, and what they may give as an answer beforehand."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError


def confirm(out: Any, told: str = "") -> None:
    """Ask whether to go on; ``CommandError`` for anything but a yes."""
    out.write(f"{told} Go on? [y/N] ".lstrip(), ending="")
    out.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        out.write("")
    if not answer:
        raise CommandError("Nobody answered, so nothing was made. --yes spends unasked.")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was made and nothing was spent.")


def user_named(name: str | None) -> Any:
    """The user of this name; ``None`` for no name."""
    if name is None:
        return None
    model: Any = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist as error:
        raise CommandError(f"There is no user {name!r}.") from error


def amount(text: str) -> Decimal:
    """The type of an argument that is money."""
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is no amount of money: write 12.50") from error
    if not found.is_finite() or found < 0:
        raise ArgumentTypeError(f"{text!r} is no amount of money: write 12.50")
    return found

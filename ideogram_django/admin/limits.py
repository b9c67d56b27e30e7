"""What a person may still spend, and what stands in the way of spending at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from ideogram_django import conf, wording
from ideogram_django.budget import limits
from ideogram_django.models import GeneratedImage, ProviderState, SpendingLimit
from ideogram_django.statuses import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One limit as a line of text, and as a bar."""

    sentence: str
    """What is left, of how much, for how long and for whom."""
    renewed: str
    """When it starts afresh."""
    percent_left: int
    used_up: bool


def standing(user: Any, found: Iterable[limits.Allowance] | None = None) -> list[Standing]:
    """Every limit that a request by this person counts against; ``found``, if looked up already."""
    currency = conf.current().CURRENCY
    found = limits.allowances(user) if found is None else found
    return [_standing(one, currency) for one in found]


def _standing(one: limits.Allowance, currency: str) -> Standing:
    return Standing(
        sentence=wording.money_left(one, currency),
        renewed=_renewed(one.limit),
        percent_left=_percent(one),
        used_up=one.left <= 0,
    )


def _percent(one: limits.Allowance) -> int:
    """Rounded down, so that the bar is full only when nothing was spent."""
    return int(100 * one.left / one.limit.amount) if one.limit.amount else 0


def _renewed(limit: SpendingLimit) -> str:
    if limit.period == Period.DAY:
        return gettext("It starts afresh at midnight.")
    return gettext("It starts afresh on %(day)s.") % {
        "day": date_format(limits.period_end(limit), "MONTH_DAY_FORMAT")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacles:
    """Why pictures may not move, told to whoever looks at the gallery."""

    spending_enabled: bool
    pause: str
    pause_detail: str
    may_resume: bool
    asleep: bool


def obstacles(request: HttpRequest) -> Obstacles:
    settings = conf.current()
    state = ProviderState.objects.filter(pk=1).first() or ProviderState()
    return Obstacles(
        spending_enabled=settings.SPENDING_ENABLED,
        pause=state.pause_message,
        pause_detail=state.pause_detail,
        may_resume=request.user.has_perm("ideogram_django.change_providerstate"),
        asleep=_old(state.last_sync, settings) and GeneratedImage.objects.in_progress().exists(),
    )


def _old(beat: datetime | None, settings: conf.AppSettings) -> bool:
    patience = timedelta(seconds=max(180, 6 * settings.SYNC_INTERVAL))
    return beat is None or timezone.now() - beat > patience

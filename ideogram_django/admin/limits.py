"""What a person may still spend, and what stands in the way of spending at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from ideogram_django import conf, wording
from ideogram_django.budget import limits
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.statuses import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One limit as a line of text."""

    scope: str
    left: str
    amount: str
    today: bool
    used_up: bool


def standing(user: Any) -> list[Standing]:
    """Every limit that a request by this person counts against."""
    currency = conf.current().CURRENCY
    return [
        Standing(
            scope=str(one.limit.user or one.limit.group or gettext("whole site")),
            left=wording.money(one.left, currency),
            amount=wording.money(one.limit.amount, currency),
            today=one.limit.period == Period.DAY,
            used_up=one.left <= 0,
        )
        for one in limits.allowances(user)
    ]


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

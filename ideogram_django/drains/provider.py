"""What all processes share about the provider: pause, rate, balance, heartbeats.

Everything is a conditional UPDATE on the one :class:`~ideogram_django.models.ProviderState` row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils import timezone

from ideogram_django.conf import AppSettings
from ideogram_django.exceptions import AccountError
from ideogram_django.lifecycle.transitions import later
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.statuses import AT_PROVIDER, PauseCode, Status

logger = logging.getLogger(__name__)

POLLED = (Status.SUBMITTED, Status.PROCESSING, Status.FAILED)
"""Due in one of these, a picture's job is asked about."""
ONLY_SENDING = (PauseCode.INSUFFICIENT_CREDITS,)
"""An account without credits may still be asked about what it has paid for."""
BURST = 15.0
"""Seconds' worth of calls that may go out at once after a quiet time."""
PROBE_EVERY = 60.0
BALANCE_EVERY = 300.0
BLOCK_FIRST, BLOCK_MOST = 30.0, 900.0


def state() -> ProviderState:
    return ProviderState.load()


def _row() -> Any:
    return ProviderState.objects.filter(id=1)


def pause(code: PauseCode, detail: str = "") -> None:
    """Stop sending until a person, or a good answer from ``/v2/me``, says otherwise.

    A broken account stops everything, and takes the place of one that merely ran dry.
    """
    wider = code not in ONLY_SENDING
    paused = (
        _row()
        .filter(pause_code__in=["", *ONLY_SENDING] if wider else [""])
        .update(
            pause_code=code, pause_detail=detail, paused_at=Now(), probe_after=later(PROBE_EVERY)
        )
    )
    if paused:
        logger.error("Sending to the provider is paused: %s (%s)", code.label, detail)


def pause_for(error: AccountError) -> None:
    pause(PauseCode(error.code), error.detail)


def stop() -> None:
    """A person stops all sending, and only a person ends that."""
    _row().update(stopped=True, paused_at=Coalesce(F("paused_at"), Now()))


def resume() -> None:
    """A person lets sending go on, whatever it was that stopped it."""
    _row().update(stopped=False, paused_at=None)
    _recover()


def _recover() -> None:
    recovered = (
        _row()
        .exclude(pause_code="")
        .update(
            pause_code="",
            pause_detail="",
            paused_at=None,
            probe_after=None,
            not_before=None,
            blocks=0,
        )
    )
    if recovered:
        logger.info("The provider's account is well again.")


def hold_off(seconds: float) -> None:
    """Nothing goes to the provider for ``seconds``; a longer hold that stands is kept."""
    until = later(seconds)
    _row().filter(Q(not_before__isnull=True) | Q(not_before__lt=until)).update(not_before=until)


def blocked() -> float:
    """The network in front of the provider refused us: wait longer each time. The seconds."""
    _row().update(blocks=F("blocks") + 1)
    seconds = min(BLOCK_FIRST * 2 ** min(state().blocks - 1, 8), BLOCK_MOST)
    hold_off(seconds)
    return float(seconds)


def unblocked() -> None:
    """An answer came through."""
    _row().update(blocks=0)


def may_call(current: ProviderState) -> bool:
    """Whether anything at all may be asked of the provider now."""
    if current.pause_code and current.pause_code not in ONLY_SENDING:
        return False
    return current.not_before is None or current.not_before <= timezone.now()


def may_send(current: ProviderState, settings: AppSettings) -> bool:
    """Whether new requests may go out now."""
    return settings.SPENDING_ENABLED and not current.is_paused and may_call(current)


def due_now(settings: AppSettings, current: ProviderState | None = None) -> GeneratedImageQuerySet:
    """Due rows that a drain could work on as things stand: a pause makes none of them urgent."""
    current = current or state()
    workable = [Status.FETCHING, Status.COMPLETED]
    if may_call(current):
        workable += [*POLLED, Status.SUBMITTING]
    if may_send(current, settings) and room_in_flight(settings) != 0:
        workable.append(Status.PENDING)
    return GeneratedImage.objects.filter(status__in=workable).due()


def permits(wanted: int, settings: AppSettings) -> int:
    """How many of ``wanted`` calls may go out now, over all processes; they count as made.

    A leaky bucket in one timestamp: ``rate_until`` is when all calls made so far would have gone
    out at the even rate. It may run ahead of the clock by :data:`BURST` seconds.
    """
    if wanted <= 0:
        return 0
    each = 60 / settings.REQUESTS_PER_MINUTE
    wanted = min(wanted, max(int(BURST / each), 1))
    for count in (wanted, 1):
        if (
            _row()
            .filter(Q(rate_until__isnull=True) | Q(rate_until__lte=later(BURST - count * each)))
            .update(rate_until=_ahead(count * each))
        ):
            return count
        if wanted == 1:
            break
    return 0


def give_back(unused: int, settings: AppSettings) -> None:
    """Calls that were permitted and not made."""
    if unused > 0:
        _row().update(rate_until=_ahead(-unused * 60 / settings.REQUESTS_PER_MINUTE))


def count_calls(made: int, settings: AppSettings) -> None:
    """Calls that follow from one that was permitted: always made, and paid for by later ones."""
    if made > 0:
        _row().update(rate_until=_ahead(made * 60 / settings.REQUESTS_PER_MINUTE))


def _ahead(seconds: float) -> Any:
    base = (
        Greatest(Coalesce(F("rate_until"), Now()), Now(), output_field=DateTimeField())
        if seconds >= 0
        else Coalesce(F("rate_until"), Now(), output_field=DateTimeField())
    )
    return ExpressionWrapper(base + Value(timedelta(seconds=seconds)), output_field=DateTimeField())


@contextmanager
def counting_in_flight(settings: AppSettings) -> Iterator[int]:
    """How many more pictures the provider may have; other drains wait for the block to end."""
    with transaction.atomic():
        _row().update(id=1)  # a write lock on the row, which SQLite understands as well
        yield room_in_flight(settings) or 0


def room_in_flight(settings: AppSettings) -> int | None:
    """How many more pictures the provider may have at once; ``None`` where that is not bounded."""
    if settings.MAX_IN_FLIGHT is None:
        return None
    there = GeneratedImage.objects.filter(status__in=AT_PROVIDER).count()
    return max(settings.MAX_IN_FLIGHT - there, 0)


def take_probe() -> bool:
    """True for the one process that shall ask ``/v2/me`` whether a paused account is well again."""
    return bool(
        _row()
        .exclude(pause_code="")
        .filter(Q(probe_after__isnull=True) | Q(probe_after__lte=Now()))
        .update(probe_after=later(PROBE_EVERY))
    )


def take_balance() -> bool:
    """True for the one process that shall read the balance now."""
    return bool(
        _row()
        .filter(pause_code="")
        .filter(
            Q(balance_at__isnull=True)
            | Q(balance_at__lte=Now() - Value(timedelta(seconds=BALANCE_EVERY)))
        )
        .update(balance_at=Now())
    )


def account_is_well(credits: int | None, settings: AppSettings) -> None:
    """``/v2/me`` answered: note the balance, and end a pause that it disproves."""
    _row().update(balance=credits, balance_at=Now())
    current = state()
    if not current.pause_code:
        return
    if current.pause_code == PauseCode.INSUFFICIENT_CREDITS:
        waiting = (
            GeneratedImage.objects.filter(status=Status.PENDING)
            .order_by("charge__expected_credits")
            .values_list("charge__expected_credits", flat=True)
            .first()
        )
        if credits is None or credits < (waiting or 1):
            return
    _recover()


def beat(*, sync: bool) -> None:
    """Note that a drain is alive; of the sync process, or of a worker."""
    _row().update(**{"last_sync" if sync else "last_drain": Now()})

"""What people may ask of a picture that exists: start it, try again, cancel, check again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, signals, wakeups
from ideogram_django.budget import ledger
from ideogram_django.budget.amounts import price_text
from ideogram_django.lifecycle.transitions import (
    UNHELD,
    announce,
    announce_all,
    charged,
    later,
    move,
    row,
)
from ideogram_django.lifecycle.wishes import PARAMETERS, Wish, check, request_of
from ideogram_django.statuses import ChargeState, ErrorCode, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage

UNUSABLE = (ErrorCode.NOT_A_PICTURE, ErrorCode.TOO_LARGE, ErrorCode.TOO_MANY_PIXELS)
"""The file came and was refused: fetching it again helps where a setting was changed."""
FETCHABLE = (
    *UNUSABLE,
    ErrorCode.GAVE_UP,
    ErrorCode.HOST_REFUSED,
    ErrorCode.STORAGE_FAILED,
)
"""Failures after the provider had finished, as long as the result's address is known."""


def edit_draft(image: GeneratedImage, request: Mapping[str, Any]) -> None:
    """Give a draft another request: checked, priced, nothing spent. Options not named are unset.

    ``ValidationError`` (code ``already_started``) where it is no draft any more.
    """
    wish = check(request)
    unset: dict[str, Any] = dict.fromkeys(PARAMETERS, "")
    unset |= {"seed": None, "style_reference_images": []}
    edited = (
        row(image)
        .filter(status=Status.DRAFT)
        .update(
            **{
                **unset,
                "typed_prompt": wish.request.prompt,
                **wish.columns,
                **wish.request.parameters,
            },
            prompt=wish.request.prompt,
            model=wish.request.model,
            price=wish.price.amount,
            currency=wish.price.currency,
        )
    )
    if not edited:
        raise _too_late()
    image.refresh_from_db()


def start(image: GeneratedImage, *, requested_by: Any = None) -> None:
    """Draft → pending. ``ValidationError`` (code ``already_started``) the second time."""
    start_many([image], requested_by=requested_by)


def start_many(
    images: Sequence[GeneratedImage], *, requested_by: Any = None, by_run: bool = False
) -> None:
    """Start drafts, all or none.

    What belongs to a bulk run that is not over is started by that run alone (``by_run``): it
    would pass its ceiling, and go on while it is paused.
    """
    if not images:
        return
    if not by_run:
        _refuse_drafts_of_runs(images)
    settings = conf.current()
    wishes = [check(request_of(image), settings) for image in images]
    with _only_once(), transaction.atomic():
        for user, group in _by_user(images, wishes, requested_by):
            charges = ledger.open_charges(
                settings, [_order(*one, attempt=one[0].attempt + 1) for one in group], user
            )
            for (image, wish), charge in zip(group, charges, strict=True):
                if not move(
                    row(image),
                    source=[Status.DRAFT],
                    to=Status.PENDING,
                    charge=charge,
                    attempt=image.attempt + 1,
                    price=wish.price.amount,
                    currency=wish.price.currency,
                    requested_by=user,
                    next_check_at=later(0),
                ):
                    raise _too_late()
        announce_all(images, signals.image_requested)
        wakeups.wake_after_commit()
    for image in images:
        image.refresh_from_db()


def retry(image: GeneratedImage, *, confirm_charge: bool = False, requested_by: Any = None) -> None:
    """Have a failed or cancelled picture tried again: its file alone where that is enough.

    With ``confirm_charge`` a file that was refused is not fetched again but made anew.
    """
    image.refresh_from_db()
    if image.status not in (Status.FAILED, Status.CANCELLED):
        raise ValidationError(
            _("Only a failed or cancelled picture can be tried again."), code="not_failed"
        )
    if fetched_free(image) and not (confirm_charge and image.error_code in UNUSABLE):
        # The provider's job is finished and paid for: fetching once more costs nothing.
        move(
            row(image),
            source=[Status.FAILED],
            to=Status.FETCHING,
            error_code="",
            error_detail="",
            finished_at=None,
            checks=0,
            next_check_at=later(0),
            **UNHELD,
        )
    else:
        wish = check(request_of(image))
        _wait_for_refund(image)
        if may_cost_again(image) and not confirm_charge:
            raise ValidationError(
                _(
                    "The earlier attempt was charged, or may have been. Trying again costs "
                    "%(price)s more."
                ),
                code="confirm_charge",
                params={"price": price_text(wish.price.amount, wish.price.currency)},
            )
        _new_attempt(image, wish, requested_by)
    wakeups.wake_after_commit()
    image.refresh_from_db()


def fetched_free(image: GeneratedImage) -> bool:
    """True where the provider's job is finished and paid for, and only its file is wanting."""
    return bool(image.result_url) and image.error_code in FETCHABLE


def may_cost_again(image: GeneratedImage) -> bool:
    """True where the last attempt was charged or nobody knows; trying again pays a second time."""
    charge = image.charge
    if charge is None:
        return False
    return charge.state != ChargeState.RELEASED


def cancel(image: GeneratedImage) -> None:
    """Pending → cancelled, and the money back. ``ValidationError`` once it may have been sent."""
    with transaction.atomic():
        cancelled = move(
            row(image).filter(charged(maybe_sent=False)),
            source=[Status.PENDING],
            to=Status.CANCELLED,
            finished_at=later(0),
            next_check_at=None,
            **UNHELD,
        )
        if not cancelled:
            raise ValidationError(
                _("It was sent to the provider already and can no longer be cancelled."),
                code="already_sent",
            )
        image.refresh_from_db()
        if image.charge is not None:
            ledger.release(image.charge)
        announce(image, signals.image_cancelled)


def hold(image: GeneratedImage) -> bool:
    """Pending → draft, and the money back. False once it may have been sent: then it goes on."""
    with transaction.atomic():
        held = move(
            row(image).filter(charged(maybe_sent=False)),
            source=[Status.PENDING],
            to=Status.DRAFT,
            next_check_at=None,
            checks=0,
            **UNHELD,
        )
        if held and image.charge is not None:
            ledger.release(image.charge)
    return bool(held)


def refresh(image: GeneratedImage) -> None:
    """Make the picture due now, if there is anything to ask about, and wake a worker.

    A failure is asked about by its job; one of unknown outcome also by the provider's list.
    """
    asked = (
        row(image)
        .exclude(status__in=[Status.DRAFT, Status.CANCELLED, Status.COMPLETED])
        .exclude(
            ~Q(error_code=ErrorCode.OUTCOME_UNKNOWN), status=Status.FAILED, job_id__isnull=True
        )
        .update(next_check_at=later(0))
    )
    if asked:
        wakeups.wake_after_commit()
    image.refresh_from_db()


def waits_for_refund(image: GeneratedImage) -> bool:
    """A webhook told the failure, and the credits are being asked for: a second or two."""
    charge = image.charge
    return charge is not None and charge.state == ChargeState.RESERVED and bool(image.job_id)


def _refuse_drafts_of_runs(images: Sequence[GeneratedImage]) -> None:
    one_of_each = {image.run_id: image for image in images if image.run_id is not None}
    for run in (image.run for image in one_of_each.values()):
        if run is not None and not run.is_over:
            raise ValidationError(
                _("The bulk run “%(run)s” makes this picture. Start or go on with the run."),
                code="of_a_run",
                params={"run": run.name},
            )


def _wait_for_refund(image: GeneratedImage) -> None:
    if not waits_for_refund(image):
        return
    raise ValidationError(
        _("The provider is being asked whether this was charged. Try again in a moment."),
        code="not_settled",
    )


@contextmanager
def _only_once() -> Iterator[None]:
    """Two presses of one button: the second meets the first one's charge for the same attempt."""
    try:
        yield
    except IntegrityError as error:
        raise _too_late() from error


def _too_late() -> ValidationError:
    return ValidationError(
        _("This was started already. Load the page again to see where it stands."),
        code="already_started",
    )


def _new_attempt(image: GeneratedImage, wish: Wish, requested_by: Any) -> None:
    settings = conf.current()
    user = requested_by if getattr(requested_by, "pk", None) else image.requested_by
    attempt = image.attempt + 1
    with _only_once(), transaction.atomic():
        if image.charge is not None:
            ledger.settle(image.charge, None)  # no effect where it was closed before
        (charge,) = ledger.open_charges(settings, [_order(image, wish, attempt=attempt)], user)
        if not move(
            row(image),
            source=[Status.FAILED, Status.CANCELLED],
            to=Status.PENDING,
            charge=charge,
            attempt=attempt,
            job_id=None,
            job_hint="",
            result_url="",
            charged_credits=None,
            price=wish.price.amount,
            cost=None,
            currency=wish.price.currency,
            progress=None,
            error_code="",
            error_detail="",
            checks=0,
            not_found=0,
            submitted_at=None,
            finished_at=None,
            next_check_at=later(0),
            **UNHELD,
        ):
            raise _too_late()
        announce(image, signals.image_requested)


def _order(image: GeneratedImage, wish: Wish, *, attempt: int) -> ledger.Order:
    return ledger.Order(
        image_uuid=image.uuid,
        batch=image.batch,
        attempt=attempt,
        model=image.model,
        price=wish.price,
    )


def _by_user(
    images: Sequence[GeneratedImage], wishes: Sequence[Wish], requested_by: Any
) -> Iterable[tuple[Any, list[tuple[GeneratedImage, Wish]]]]:
    """Pictures grouped by who pays: the person who presses the button, else who asked."""
    groups: dict[Any, tuple[Any, list[tuple[GeneratedImage, Wish]]]] = {}
    for image, wish in zip(images, wishes, strict=True):
        user = requested_by if getattr(requested_by, "pk", None) else image.requested_by
        groups.setdefault(user and user.pk, (user, []))[1].append((image, wish))
    # Always in the same order, in which their limits are locked.
    return [groups[key] for key in sorted(groups, key=lambda key: (key is not None, key or 0))]

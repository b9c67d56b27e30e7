"""What people ask for: make, start, retry, cancel, check, vary."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wakeups
from ideogram_django.apiframe import catalogue
from ideogram_django.apiframe.catalogue import CleanRequest
from ideogram_django.budget import ledger
from ideogram_django.budget.amounts import price_text
from ideogram_django.exceptions import InvalidRequest, Problem
from ideogram_django.lifecycle.references import (
    REFERENCES,
    plain_references,
    with_public_addresses,
)
from ideogram_django.lifecycle.transitions import UNHELD, charged, later, move, row
from ideogram_django.statuses import ChargeState, ErrorCode, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

PARAMETERS = (
    "style_type",
    "magic_prompt_option",
    "negative_prompt",
    "rendering_speed",
    "seed",
    "aspect_ratio",
    "resolution",
    "reference_image",
    "style_reference_images",
    "style_preset",
)
"""The API's own names, beside ``prompt`` and ``model``; its ``image`` is ``reference_image``."""

COLUMNS = (
    "alt_text",
    "batch",
    "decorative",
    "extra",
    "parent",
    "priority",
    "profile",
    "profile_version",
    "replaces",
    "source_fingerprint",
    "target_before",
    "target_field",
    "target_id",
    "target_type",
    "typed_prompt",
)
"""What else a caller may set on a new picture."""

BULK_FROM = 10
"""A request for more pictures than this waits behind single ones, unless the caller says."""


UNUSABLE = (ErrorCode.NOT_A_PICTURE, ErrorCode.TOO_LARGE, ErrorCode.TOO_MANY_PIXELS)
"""The file came and was refused: fetching it again helps where a setting was changed."""
FETCHABLE = (
    *UNUSABLE,
    ErrorCode.GAVE_UP,
    ErrorCode.HOST_REFUSED,
    ErrorCode.STORAGE_FAILED,
)
"""Failures after the provider had finished, as long as the result's address is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture that was checked and priced, and has spent nothing."""

    request: CleanRequest
    price: ledger.Price
    columns: Mapping[str, Any]


def check(options: Mapping[str, Any], settings: conf.AppSettings | None = None) -> Wish:
    """Check one request against the catalogue and price it.

    Raises ``ValidationError`` with a sentence per field; writes and spends nothing.
    """
    settings = settings or conf.current()
    unknown = sorted(set(options) - {"prompt", "model", *PARAMETERS, *COLUMNS})
    if unknown:
        raise TypeError(f"generate() got unexpected arguments: {', '.join(unknown)}")
    parameters = plain_references(
        {name: options[name] for name in PARAMETERS if options.get(name) is not None}
    )
    try:
        clean = catalogue.clean_request(
            prompt=options.get("prompt", ""),
            model=options.get("model") or settings.DEFAULT_MODEL,
            parameters=with_public_addresses(parameters),
            prices=settings.PRICES,
        )
    except InvalidRequest as invalid:
        raise as_validation_error(invalid) from invalid
    return Wish(
        request=CleanRequest(
            prompt=clean.prompt,
            model=clean.model,
            # Cleaned values, but our own pictures as such: their addresses come with the upload.
            parameters={
                name: parameters[name] if name in REFERENCES else value
                for name, value in clean.parameters.items()
            },
            credits=clean.credits,
        ),
        price=ledger.money(settings, clean.credits),
        columns={name: options[name] for name in COLUMNS if name in options},
    )


def generate(queryset: GeneratedImageQuerySet, prompt: str, **options: Any) -> GeneratedImage:
    """Make one picture: a row, a charge and a reservation, then a wake-up after the commit.

    ``options``: the API's parameters, ``requested_by`` (a user), ``request_id`` (a UUID: asking
    again with the same one gives the same picture and no second charge), ``bulk``, and the
    columns in :data:`COLUMNS`. Raises ``ValidationError`` before anything is written or spent.
    """
    shared = {
        name: options.pop(name)
        for name in ("requested_by", "request_id", "bulk")
        if name in options
    }
    return generate_many(queryset, [{"prompt": prompt, **options}], **shared)[0]


def generate_many(
    queryset: GeneratedImageQuerySet,
    requests: Iterable[Mapping[str, Any]],
    *,
    requested_by: Any = None,
    request_id: uuid.UUID | None = None,
    bulk: bool | None = None,
    **shared: Any,
) -> list[GeneratedImage]:
    """Make many pictures in one transaction, all or none; ``shared`` options go to each.

    ``bulk`` pictures give way to single ones; by default more than :data:`BULK_FROM` are.
    """
    settings = conf.current()
    wishes = _check_all([{**shared, **request} for request in requests], settings)
    if not wishes:
        return []
    user = requested_by if getattr(requested_by, "pk", None) else None

    def write() -> list[GeneratedImage]:
        images = _rows(queryset, wishes, user, request_id, bulk)
        charges = ledger.open_charges(
            settings,
            [
                ledger.Order(image_uuid=image.uuid, attempt=1, model=image.model, price=wish.price)
                for image, wish in zip(images, wishes, strict=True)
            ],
            user,
        )
        now = timezone.now()
        for image, charge in zip(images, charges, strict=True):
            image.status = Status.PENDING
            image.charge = charge
            image.attempt = 1
            # The database's clock decides what is due; a row may wait a moment, never be early.
            image.next_check_at = now
        created = queryset.bulk_create(images, batch_size=1000)
        wakeups.wake_after_commit(using=queryset.db)
        return created

    return _once(queryset, request_id, user, write)


def draft_many(
    queryset: GeneratedImageQuerySet,
    requests: Iterable[Mapping[str, Any]],
    *,
    requested_by: Any = None,
    request_id: uuid.UUID | None = None,
    **shared: Any,
) -> list[GeneratedImage]:
    """Save requests as drafts: checked, priced, nothing reserved, nothing sent."""
    wishes = _check_all([{**shared, **request} for request in requests], conf.current())
    user = requested_by if getattr(requested_by, "pk", None) else None
    return _once(
        queryset,
        request_id,
        user,
        lambda: queryset.bulk_create(_rows(queryset, wishes, user, request_id, None)),
    )


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


def start_many(images: Sequence[GeneratedImage], *, requested_by: Any = None) -> None:
    """Start drafts, all or none."""
    if not images:
        return
    settings = conf.current()
    wishes = [check(_request_of(image), settings) for image in images]
    with _only_once(), transaction.atomic():
        for user, group in _by_user(images, wishes, requested_by):
            charges = ledger.open_charges(
                settings, [_order(*one, attempt=1) for one in group], user
            )
            for (image, wish), charge in zip(group, charges, strict=True):
                if not move(
                    row(image),
                    source=[Status.DRAFT],
                    to=Status.PENDING,
                    charge=charge,
                    attempt=1,
                    price=wish.price.amount,
                    currency=wish.price.currency,
                    requested_by=user,
                    next_check_at=later(0),
                ):
                    raise _too_late()
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
        wish = check(_request_of(image))
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


def _wait_for_refund(image: GeneratedImage) -> None:
    """A webhook told the failure, and the credits are being asked for: a second or two."""
    charge = image.charge
    if charge is None or charge.state != ChargeState.RESERVED or not image.job_id:
        return
    raise ValidationError(
        _("The provider is being asked whether this was charged. Try again in a moment."),
        code="not_settled",
    )


def may_cost_again(image: GeneratedImage) -> bool:
    """True where the last attempt was charged or nobody knows; trying again pays a second time."""
    charge = image.charge
    if charge is None:
        return False
    return charge.state != ChargeState.RELEASED


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


def refresh(image: GeneratedImage) -> None:
    """Make the picture due now, if there is anything to ask about, and wake a worker."""
    asked = (
        row(image)
        .exclude(status__in=[Status.DRAFT, Status.CANCELLED, Status.COMPLETED])
        .exclude(status=Status.FAILED, job_id__isnull=True)
        .update(next_check_at=later(0))
    )
    if asked:
        wakeups.wake_after_commit()
    image.refresh_from_db()


def variations(image: GeneratedImage, count: int = 4, **options: Any) -> list[GeneratedImage]:
    """``count`` new pictures from the same request; without its seed, which would repeat it."""
    if not 1 <= count <= 8:
        raise ValidationError(_("Choose between 1 and 8 variations."), code="count")
    request = {**_request_of(image), "parent": image, "seed": None}
    return generate_many(type(image).objects.all(), [request] * count, **_with_user(image, options))


def rerender(image: GeneratedImage, *, model: str, **options: Any) -> GeneratedImage:
    """The same request on another model, as a new picture linked by ``parent``."""
    request = {**_request_of(image), "parent": image, "model": model}
    return generate_many(type(image).objects.all(), [request], **_with_user(image, options))[0]


# --- parts --------------------------------------------------------------------------------------


def as_validation_error(invalid: InvalidRequest) -> ValidationError:
    """The catalogue's problems as Django's, translated when they are shown."""
    return ValidationError(
        {
            name: [_translated(problem) for problem in found]
            for name, found in invalid.problems.items()
        }
    )


def _translated(problem: Problem) -> ValidationError:
    return ValidationError(
        _(problem.message), code=problem.code, params=dict(problem.params) or None
    )


def _check_all(requests: Sequence[Mapping[str, Any]], settings: conf.AppSettings) -> list[Wish]:
    wishes: list[Wish] = []
    for number, request in enumerate(requests, start=1):
        try:
            wishes.append(check(request, settings))
        except ValidationError as error:
            if len(requests) == 1:
                raise
            sentences = "; ".join(error.messages)
            raise ValidationError(
                gettext("Picture %(number)s: %(problem)s"),
                code="invalid",
                params={"number": number, "problem": sentences},
            ) from error
    return wishes


def _rows(
    queryset: GeneratedImageQuerySet,
    wishes: Sequence[Wish],
    user: Any,
    request_id: uuid.UUID | None,
    bulk: bool | None,
) -> list[GeneratedImage]:
    batch = request_id or uuid.uuid4() if len(wishes) > 1 else request_id
    return [
        queryset.model(
            **{
                "batch": batch,
                "typed_prompt": wish.request.prompt,
                **wish.columns,
                **wish.request.parameters,
            },
            prompt=wish.request.prompt,
            model=wish.request.model,
            price=wish.price.amount,
            currency=wish.price.currency,
            requested_by=user,
            request_id=request_id,
            request_number=number,
            bulk=len(wishes) > BULK_FROM if bulk is None else bulk,
        )
        for number, wish in enumerate(wishes)
    ]


def _once(
    queryset: GeneratedImageQuerySet, request_id: uuid.UUID | None, user: Any, write: Any
) -> list[GeneratedImage]:
    """Write, unless this ``request_id`` was answered before: then give what it made."""
    if request_id is None:
        with transaction.atomic(using=queryset.db):
            return list(write())
    earlier = _earlier(queryset, request_id, user)
    if earlier:
        return earlier
    try:
        with transaction.atomic(using=queryset.db):
            return list(write())
    except IntegrityError:
        # The second press of the button came between our look and our write.
        earlier = _earlier(queryset, request_id, user)
        if not earlier:
            raise
        return earlier


def _earlier(
    queryset: GeneratedImageQuerySet, request_id: uuid.UUID, user: Any
) -> list[GeneratedImage]:
    found = list(
        queryset.model._base_manager.filter(request_id=request_id).order_by("request_number")
    )
    if found and found[0].requested_by_id != (user.pk if user else None):
        raise ValidationError(
            _("This form belongs to somebody else. Load the page again."), code="request_id"
        )
    return found


def _request_of(image: GeneratedImage) -> dict[str, Any]:
    return {"prompt": image.prompt, "model": image.model, **image.parameters}


def _with_user(image: GeneratedImage, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"requested_by": image.requested_by, **options}


def _order(image: GeneratedImage, wish: Wish, *, attempt: int) -> ledger.Order:
    return ledger.Order(image_uuid=image.uuid, attempt=attempt, model=image.model, price=wish.price)


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

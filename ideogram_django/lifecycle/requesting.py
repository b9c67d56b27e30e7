"""Asking for new pictures: one, many, drafts, variations, the same on another model."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, inserting, signals, wakeups
from ideogram_django.budget import ledger
from ideogram_django.lifecycle.columns import SiteColumns
from ideogram_django.lifecycle.transitions import announce_all
from ideogram_django.lifecycle.wishes import Wish, check_all, request_of
from ideogram_django.statuses import Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

BULK_FROM = 10
"""A request for more pictures than this waits behind single ones, unless the caller says."""


def generate(queryset: GeneratedImageQuerySet, prompt: str, **options: Any) -> GeneratedImage:
    """Make one picture: a row, a charge and a reservation, then a wake-up after the commit.

    ``options``: the API's parameters, ``requested_by`` (a user), ``request_id`` (a UUID: asking
    again with the same one gives the same picture and no second charge), ``bulk``, and the
    columns in ``wishes.COLUMNS``. Raises ``ValidationError`` before anything is written or spent.
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
    wishes = check_all([{**shared, **request} for request in requests], settings)
    if not wishes:
        return []
    user = requested_by if getattr(requested_by, "pk", None) else None

    def write() -> list[GeneratedImage]:
        images = _rows(queryset, wishes, user, request_id, bulk)
        charges = ledger.open_charges(
            settings,
            [
                ledger.Order(
                    image_uuid=image.uuid,
                    batch=image.batch,
                    attempt=1,
                    model=image.model,
                    price=wish.price,
                )
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
        created = inserting.insert(images, using=_chosen(queryset))
        announce_all(created, signals.image_requested)
        wakeups.wake_after_commit(using=queryset.db)
        return created

    return _once(queryset, request_id, user, write)


def draft_many(
    queryset: GeneratedImageQuerySet,
    requests: Iterable[Mapping[str, Any]],
    *,
    requested_by: Any = None,
    request_id: uuid.UUID | None = None,
    bulk: bool | None = None,
    **shared: Any,
) -> list[GeneratedImage]:
    """Save requests as drafts: checked, priced, nothing reserved, nothing sent."""
    wishes = check_all([{**shared, **request} for request in requests], conf.current())
    user = requested_by if getattr(requested_by, "pk", None) else None
    return _once(
        queryset,
        request_id,
        user,
        lambda: inserting.insert(
            _rows(queryset, wishes, user, request_id, bulk), using=_chosen(queryset)
        ),
    )


def variations(image: GeneratedImage, count: int = 4, **options: Any) -> list[GeneratedImage]:
    """``count`` new pictures from the same request; without its seed, which would repeat it."""
    if not 1 <= count <= 8:
        raise ValidationError(_("Choose between 1 and 8 variations."), code="count")
    request = {**request_of(image), "parent": image, "seed": None}
    return generate_many(type(image).objects.all(), [request] * count, **_with_user(image, options))


def rerender(image: GeneratedImage, *, model: str, **options: Any) -> GeneratedImage:
    """The same request on another model, as a new picture linked by ``parent``."""
    request = {**request_of(image), "parent": image, "model": model}
    return generate_many(type(image).objects.all(), [request], **_with_user(image, options))[0]


def _rows(
    queryset: GeneratedImageQuerySet,
    wishes: Sequence[Wish],
    user: Any,
    request_id: uuid.UUID | None,
    bulk: bool | None,
) -> list[GeneratedImage]:
    batch = request_id or uuid.uuid4() if len(wishes) > 1 else request_id
    site = SiteColumns(user)
    common = {
        "requested_by": user,
        "request_id": request_id,
        "bulk": len(wishes) > BULK_FROM if bulk is None else bulk,
    }
    each = (
        {
            "batch": batch,
            "typed_prompt": wish.request.prompt,
            **site.under(wish.columns),
            **wish.request.parameters,
            "prompt": wish.request.prompt,
            "model": wish.request.model,
            "price": wish.price.amount,
            "currency": wish.price.currency,
            "request_number": number,
        }
        for number, wish in enumerate(wishes)
    )
    return inserting.alike(queryset.model, common, each)


def _chosen(queryset: GeneratedImageQuerySet) -> str | None:
    """The database that ``using()`` named; without one it is the router's for writing."""
    chosen: str | None = getattr(queryset, "_db", None)
    return chosen


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


def _with_user(image: GeneratedImage, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"requested_by": image.requested_by, **options}

"""Making runs: all requests sound and priced, or nothing is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.budget import ledger
from ideogram_django.lifecycle import wishes
from ideogram_django.runs import approving
from ideogram_django.statuses import ErrorCode, RunState, Status

if TYPE_CHECKING:
    from ideogram_django.runs.models import Run, RunQuerySet

WORTH_ANOTHER_TRY = (
    ErrorCode.PROVIDER_BUSY,
    ErrorCode.PROVIDER_FAILED,
    ErrorCode.PROVIDER_CANCELLED,
    ErrorCode.NO_RESULT,
    ErrorCode.RESULT_EXPIRED,
    ErrorCode.NOT_A_PICTURE,
    ErrorCode.TOO_LARGE,
    ErrorCode.TOO_MANY_PIXELS,
)
"""Failures that the same words may not meet again. A refusal would only be bought once more."""
CARRIED = (
    "alt_text",
    "decorative",
    "extra",
    "replaces",
    "source_digests",
    "source_fingerprint",
    "target_before",
    "target_field",
    "target_id",
    "target_type",
)
"""What a picture that is tried again keeps of where it belongs."""


def prepare(
    queryset: RunQuerySet,
    requests: Iterable[Mapping[str, Any]],
    *,
    run_id: uuid.UUID | None,
    columns: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> Run:
    """A run and its drafts in one transaction; see :meth:`RunQuerySet.prepare`."""
    settings = conf.current()
    user = columns["requested_by"] if getattr(columns["requested_by"], "pk", None) else None
    if run_id is not None and (earlier := _earlier(queryset, run_id, user)) is not None:
        return earlier
    wanted = [{**shared, **request} for request in requests]
    if not wanted:
        raise ValidationError(_("There is nothing to make."), code="empty")
    run = queryset.model(
        **{
            **columns,
            "requested_by": user,
            "at_once": columns["at_once"] or settings.RUN_IN_FLIGHT,
            "currency": settings.CURRENCY,
        },
        **({"uuid": run_id} if run_id else {}),
    )
    run.full_clean(exclude=["requested_by", "again_of"], validate_unique=False)
    try:
        with transaction.atomic(using=queryset.db):
            run.save(using=queryset.db)
            lifecycle.draft_many(
                pictures_of(queryset),
                wanted,
                requested_by=run.requested_by,
                bulk=True,
                run=run,
                # The ledger's entries carry it, so the run adds up when pictures are gone.
                batch=run.uuid,
            )
    except IntegrityError:
        # The second press of the button came between our look and our write.
        second = _earlier(queryset, run_id, user) if run_id is not None else None
        if second is None:
            raise
        return second
    return run


def _earlier(queryset: RunQuerySet, run_id: uuid.UUID, user: Any) -> Run | None:
    earlier = queryset.filter(uuid=run_id).first()
    if earlier is not None and earlier.requested_by_id != (user.pk if user else None):
        raise ValidationError(
            _("This form belongs to somebody else. Load the page again."), code="run_id"
        )
    return earlier


def worth_another_try(run: Run) -> Any:
    """The run's failures that may work another time and are not being tried again already."""
    tried = pictures_of(type(run).objects.all()).filter(
        parent=OuterRef("pk"), run__again_of=OuterRef("run")
    )
    failed = run.pictures.failed().filter(error_code__in=WORTH_ANOTHER_TRY)
    return failed.exclude(Exists(tried.exclude(run__state=RunState.STOPPED)))


def again(run: Run, *, requested_by: Any = None, run_id: uuid.UUID | None = None) -> Run:
    user = requested_by or run.requested_by
    if run_id is not None:
        earlier = _earlier(type(run).objects.all(), run_id, user)
        if earlier is not None:
            return earlier
    with transaction.atomic():
        # Locks the run, so that two who press at the same moment do not both find the failures.
        type(run).objects.filter(pk=run.pk).update(state=F("state"))
        failed = list(worth_another_try(run))
        if not failed:
            raise ValidationError(
                _("Nothing failed that another try could help."), code="nothing_failed"
            )
        return type(run).objects.prepare(
            [
                {
                    **wishes.request_of(image),
                    **{name: getattr(image, name) for name in CARRIED},
                    "parent": image,
                }
                for image in failed
            ],
            name=run.name,
            requested_by=user,
            at_once=run.at_once,
            approve=run.approve,
            source=run.source,
            run_id=run_id,
            again_of=run,
        )


def price_anew(run: Run) -> None:
    """Put today's prices on what is not started. One query, and one per price that changed."""
    settings = conf.current()
    drafts = run.images.filter(status=Status.DRAFT, error_code="").order_by()
    kinds = ("model", "rendering_speed", "price", "currency")
    for model, speed, amount, currency in drafts.values_list(*kinds).distinct():
        price = ledger.price_of(settings, model, speed)
        if price is not None and (price.amount, price.currency) != (amount, currency):
            same = drafts.filter(model=model, rendering_speed=speed, price=amount)
            same.update(price=price.amount, currency=price.currency)


def made_already(image: Any) -> ValidationError | None:
    """Why a failure need not be tried again any more: somebody did so, without this run."""
    failed = image.parent
    if failed is None or failed.status in (Status.FAILED, Status.CANCELLED):
        return None
    return ValidationError(_("The picture that had failed was tried again by itself meanwhile."))


def discard(run: Run) -> None:
    """Delete a run that was never started, with its drafts. Nothing was spent on it."""
    with transaction.atomic():
        locked = type(run).objects.filter(pk=run.pk, state=RunState.PREPARED)
        if not locked.update(state=RunState.STOPPED):
            raise ValidationError(
                _("Only a run that was never started can be discarded."), code="run_state"
            )
        forget(run)


def forget(run: Run) -> None:
    """Delete a run that is over, and its drafts, which nobody can start any more."""
    with transaction.atomic():
        approving.put_back(approving.never_made(run))
        run.images.filter(status=Status.DRAFT).delete()
        run.delete()


def unusable(image: Any, error: ValidationError) -> None:
    """Note on a draft why it can no longer be made, so that the run passes it over."""
    type(image)._base_manager.filter(pk=image.pk, status=Status.DRAFT).update(
        error_code=ErrorCode.REJECTED, error_detail=" ".join(error.messages)
    )


def pictures_of(queryset: RunQuerySet) -> Any:
    """All pictures, whose model these modules do not import."""
    relation: Any = queryset.model._meta.get_field("images")
    return relation.related_model._default_manager.all()

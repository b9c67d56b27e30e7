"""Making runs: all requests sound and priced, or nothing is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.lifecycle import wishes
from ideogram_django.statuses import ErrorCode, Status

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
    if run_id is not None and (earlier := queryset.filter(uuid=run_id).first()) is not None:
        return earlier
    wanted = [{**shared, **request} for request in requests]
    if not wanted:
        raise ValidationError(_("There is nothing to make."), code="empty")
    user = columns["requested_by"]
    run = queryset.model(
        **{
            **columns,
            "requested_by": user if getattr(user, "pk", None) else None,
            "at_once": columns["at_once"] or settings.RUN_IN_FLIGHT,
            "currency": settings.CURRENCY,
        },
        **({"uuid": run_id} if run_id else {}),
    )
    run.full_clean(exclude=["requested_by"])
    with transaction.atomic(using=queryset.db):
        run.save(using=queryset.db)
        lifecycle.draft_many(
            _pictures(queryset),
            wanted,
            requested_by=run.requested_by,
            bulk=True,
            run=run,
            # The ledger's entries carry it, so the run adds up when pictures are gone.
            batch=run.uuid,
        )
    return run


def again(run: Run, *, requested_by: Any = None) -> Run:
    failed = list(run.pictures.failed().filter(error_code__in=WORTH_ANOTHER_TRY))
    if not failed:
        raise ValidationError(
            _("Nothing failed that another try could help."), code="nothing_failed"
        )
    with transaction.atomic():
        new = type(run).objects.prepare(
            [
                {
                    **wishes.request_of(image),
                    **{name: getattr(image, name) for name in CARRIED},
                    "parent": image,
                }
                for image in failed
            ],
            name=run.name,
            requested_by=requested_by or run.requested_by,
            at_once=run.at_once,
            approve=run.approve,
            source=run.source,
        )
        new.again_of = run
        new.save(update_fields=["again_of"])
    return new


def unusable(image: Any, error: ValidationError) -> None:
    """Note on a draft why it can no longer be made, so that the run passes it over."""
    type(image)._base_manager.filter(pk=image.pk, status=Status.DRAFT).update(
        error_code=ErrorCode.REJECTED, error_detail=" ".join(error.messages)
    )


def _pictures(queryset: RunQuerySet) -> Any:
    relation: Any = queryset.model._meta.get_field("images")
    return relation.related_model._default_manager.all()

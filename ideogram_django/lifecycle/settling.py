"""Taking in what the provider says about a job. Webhook and poll end in the same functions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import (
    BigIntegerField,
    CharField,
    DecimalField,
    F,
    Field,
    IntegerField,
    PositiveSmallIntegerField,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce, Now

from ideogram_django import signals
from ideogram_django.apiframe import failures
from ideogram_django.apiframe.payloads import Job, JobStatus, WebhookCall
from ideogram_django.budget import ledger
from ideogram_django.budget.models import MONEY
from ideogram_django.lifecycle.prepared import PreparedUpdate
from ideogram_django.lifecycle.transitions import (
    OPEN,
    UNHELD,
    ChangedMeanwhileError,
    Each,
    announce,
    announce_all,
    each_later,
    later,
    let_go,
    may_follow,
    move,
    row,
)
from ideogram_django.pictures.formats import AVIF
from ideogram_django.statuses import ChargeState, ErrorCode, Status

if TYPE_CHECKING:
    from ideogram_django.budget.models import Charge
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

logger = logging.getLogger(__name__)

UNDER_WAY = (Status.SUBMITTING, Status.SUBMITTED, Status.PROCESSING)
FAILURE_CODES = {
    failures.Failure.REFUSED: ErrorCode.REFUSED,
    failures.Failure.BUSY: ErrorCode.PROVIDER_BUSY,
    failures.Failure.OTHER: ErrorCode.PROVIDER_FAILED,
}
FACTS: Sequence[tuple[str, str, Field[Any, Any]]] = (
    ("file", "name", CharField()),
    ("width", "width", IntegerField()),
    ("height", "height", IntegerField()),
    ("format", "format", CharField()),
    ("size", "size", BigIntegerField()),
    ("sha256", "sha256", CharField()),
    ("color", "color", CharField()),
)
"""What is known of a file: its column, what it is called in the facts, and its kind."""
MISSING_POLLS = 3
"""A 404 for a job that was there counts only when it repeats: replicas lag behind."""


# --- webhooks: one guarded UPDATE on the token's row, no reading before it ----------------------


def heard(rows: GeneratedImageQuerySet, uuid: UUID, attempt: int, call: WebhookCall) -> bool:
    """A signed call is taken at its word. False: it changed nothing (late, twice, not ours)."""
    told: dict[str, Any] = {"uuid": uuid, "attempt": attempt, "job_id": call.job_id}
    if call.status is JobStatus.COMPLETED and call.image_urls:
        return _take(
            _FINISHED,
            rows,
            **told,
            result_url=call.image_urls[0],
            charged_credits=call.credit_cost,
        )
    if call.status is JobStatus.FAILED:
        code = FAILURE_CODES[failures.classify(call.error)]
        changed = _take(_FAILED, rows, **told, error_code=code, error_detail=call.error)
        if changed:
            image = rows.filter(uuid=uuid, attempt=attempt).first()
            if image is not None:
                announce(image, signals.image_failed)
        return changed
    # Progress, a cancelled job, or a result in no shape that we know: ask the API itself.
    return hinted(rows, uuid, attempt, call.job_id)


def _told(
    rows: QuerySet[Any], told: Mapping[str, Any], *, to: Status, where: Q, **changes: Any
) -> tuple[QuerySet[Any], dict[str, Any]]:
    """The row that a call is about, while it may still go there; and what becomes of it."""
    may_follow(UNDER_WAY, to)
    of_this_job = Q(job_id__isnull=True) | Q(job_id=told["job_id"])
    return rows.filter(where, of_this_job, uuid=told["uuid"], attempt=told["attempt"]), {
        "status": to,
        "job_id": told["job_id"],
        "submitted_at": Coalesce(F("submitted_at"), Now()),
        # Due at once: to be fetched, or, where it failed, to read what became of the credits.
        "next_check_at": Now(),
        "checks": 0,
        **changes,
        **UNHELD,
    }


_FINISHED = PreparedUpdate(
    lambda rows, told: _told(
        rows,
        told,
        to=Status.FETCHING,
        where=Q(status__in=UNDER_WAY) | OPEN,
        result_url=told["result_url"],
        charged_credits=told["charged_credits"],
        progress=100,
        error_code="",
        error_detail="",
        finished_at=None,
    ),
    ("uuid", "attempt", "job_id", "result_url", "charged_credits"),
)
_FAILED = PreparedUpdate(
    lambda rows, told: _told(
        rows,
        told,
        to=Status.FAILED,
        where=Q(status__in=UNDER_WAY),
        error_code=told["error_code"],
        error_detail=told["error_detail"],
        finished_at=Now(),
    ),
    ("uuid", "attempt", "job_id", "error_code", "error_detail"),
)


def _take(update: PreparedUpdate, rows: GeneratedImageQuerySet, **told: Any) -> bool:
    try:
        return bool(update(rows, **told))
    except IntegrityError:
        logger.error("A webhook named job %s, which another picture has.", told["job_id"])
        return False


def hinted(rows: GeneratedImageQuerySet, uuid: UUID, attempt: int, job_id: str) -> bool:
    """An unsigned call with a good token proves nothing, but is reason to ask the API now."""
    return bool(
        rows.filter(uuid=uuid, attempt=attempt)
        .filter(Q(status__in=UNDER_WAY) | OPEN)
        .filter(Q(job_id__isnull=True) | Q(job_id=job_id))
        .update(job_hint=job_id, next_check_at=Now())
    )


# --- polls --------------------------------------------------------------------------------------


def apply(image: GeneratedImage, job: Job, *, next_check: float, give_up: bool) -> None:
    """Take in the authoritative state of this picture's job.

    ``next_check``: seconds until the next look while it is unfinished; ``give_up``: it is too
    old, and this was the last look.
    """
    if job.status is JobStatus.COMPLETED:
        _completed(image, job)
    elif job.status is JobStatus.FAILED:
        code = FAILURE_CODES[failures.classify(job.error)]
        _failed(image, code, job.error, credits=job.credit_cost, refundable=True)
    elif job.status is JobStatus.CANCELLED:
        _failed(
            image,
            ErrorCode.PROVIDER_CANCELLED,
            job.error,
            credits=job.credit_cost,
            refundable=True,
        )
    elif give_up:
        _failed(image, ErrorCode.GAVE_UP, "", credits=None, refundable=False)
    else:
        _still_running(image, job, next_check)


def still_running(jobs: Sequence[tuple[GeneratedImage, Job, float]]) -> int:
    """:func:`apply` for several at once that are under way, with the seconds to their next look.

    For pictures whose status is SUBMITTED or PROCESSING. One UPDATE for each status they come to;
    the number of rows that it was still true for.
    """
    changed = 0
    for started in (True, False):
        some = [one for one in jobs if (one[1].status is JobStatus.PROCESSING) == started]
        for status in {Status(image.status) for image, _job, _next in some}:
            of = [one for one in some if one[0].status == status]
            images = [image for image, _job, _next in of]
            told = {image.pk: job.progress for image, job, _next in of if job.progress is not None}
            progress: Any = F("progress")
            if told:
                progress = Coalesce(Each(told, PositiveSmallIntegerField()), F("progress"))
            changed += move(
                type(images[0])._base_manager.filter(
                    pk__in=[image.pk for image in images],
                    # A token is held for one claim alone: whoever took a row over has another.
                    claim__in={image.claim for image in images},
                ),
                source=[Status.SUBMITTED, Status.PROCESSING] if started else [status],
                to=Status.PROCESSING if started else status,
                progress=progress,
                next_check_at=each_later({image.pk: seconds for image, _job, seconds in of}),
                checks=F("checks") + 1,
                not_found=0,
                **UNHELD,
            )
    return changed


def _still_running(image: GeneratedImage, job: Job, next_check: float) -> None:
    if image.status == Status.FAILED:
        # Told failed by a webhook, the API lags: look again for the money. Given up: looked
        # at because a person asked, and there is nothing new.
        unpaid = image.charge is not None and image.charge.state == ChargeState.RESERVED
        let_go(image, after=max(next_check, 60))
        if not unpaid:
            row(image).filter(status=Status.FAILED).update(next_check_at=None)
        return
    started = job.status is JobStatus.PROCESSING
    move(
        row(image).filter(claim=image.claim),
        source=[Status.SUBMITTED, Status.PROCESSING] if started else [Status(image.status)],
        to=Status.PROCESSING if started else Status(image.status),
        progress=job.progress if job.progress is not None else F("progress"),
        next_check_at=later(next_check),
        checks=F("checks") + 1,
        not_found=0,
        **UNHELD,
    )


def _completed(image: GeneratedImage, job: Job) -> None:
    if not job.image_urls:
        code = ErrorCode.RESULT_EXPIRED if job.expired else ErrorCode.NO_RESULT
        _failed(image, code, "", credits=job.credit_cost, refundable=False)
        return
    if job.expired:
        _failed(image, ErrorCode.RESULT_EXPIRED, "", credits=job.credit_cost, refundable=False)
        return
    moved = move(
        row(image),
        source=[*UNDER_WAY, Status.FAILED],
        where=Q(status__in=UNDER_WAY) | OPEN,
        to=Status.FETCHING,
        job_id=job.id,
        result_url=job.image_urls[0],
        charged_credits=job.credit_cost,
        submitted_at=Coalesce(F("submitted_at"), Now()),
        progress=100,
        error_code="",
        error_detail="",
        finished_at=None,
        next_check_at=Now(),
        checks=0,
        **UNHELD,
    )
    if not moved:
        # A confirmed failure stays one; only its money may still be open.
        _close_failed(image, credits=job.credit_cost, refundable=False)


def _failed(
    image: GeneratedImage, code: ErrorCode, detail: str, *, credits: int | None, refundable: bool
) -> None:
    with transaction.atomic():
        failed = move(
            row(image),
            source=UNDER_WAY,
            to=Status.FAILED,
            error_code=code,
            error_detail=detail,
            charged_credits=credits,
            finished_at=Now(),
            next_check_at=None,
            **UNHELD,
        )
        if not failed and refundable:
            # We had given up, or a webhook told us before: now it is certain, and why.
            row(image).filter(status=Status.FAILED).update(
                error_code=code, error_detail=detail, charged_credits=credits
            )
        _close_failed(image, credits=credits, refundable=refundable)
        if failed:
            announce(image, signals.image_failed)


def _close_failed(image: GeneratedImage, *, credits: int | None, refundable: bool) -> None:
    """Close the money of a failed picture: back on proof of refund, else what it cost."""
    charge = image.charge
    if charge is None:
        return
    with transaction.atomic():
        _name_job(image, charge)
        if refundable and credits == 0:
            ledger.release(charge)
        else:
            ledger.settle(charge, credits)
        charge.refresh_from_db()
        row(image).filter(status=Status.FAILED).update(
            cost=charge.charged, next_check_at=None, **UNHELD
        )


def _name_job(image: GeneratedImage, charge: Charge) -> None:
    """A webhook may have named the job before any answer did; the ledger names it as well."""
    if charge.job_id is None and image.job_id:
        named = type(charge)._base_manager.filter(pk=charge.pk, job_id__isnull=True)
        if named.update(job_id=image.job_id, maybe_sent=True):
            announce(image, signals.image_submitted)


def missing(image: GeneratedImage, *, next_check: float) -> None:
    """The provider says that there is no such job. Believed when it repeats."""
    if image.not_found + 1 < MISSING_POLLS:
        let_go(image, after=next_check, not_found=F("not_found") + 1)
        return
    if image.status == Status.FAILED:
        _close_failed(image, credits=None, refundable=False)
        return
    _failed(image, ErrorCode.RESULT_EXPIRED, "", credits=None, refundable=False)


# --- the file -----------------------------------------------------------------------------------


def completed(image: GeneratedImage, *, name: str, **facts: Any) -> bool:
    """The file is in storage under ``name``: fetching → completed, by the holder of the claim.

    Call inside ``atomic()``, together with linking the stored object. ``facts``: width, height,
    format, size, sha256. The widths are due from now on.
    """
    charge = image.charge
    done = move(
        row(image).filter(claim=image.claim),
        source=[Status.FETCHING],
        to=Status.COMPLETED,
        file=name,
        finished_at=Now(),
        next_check_at=Now(),
        checks=0,
        error_code="",
        error_detail="",
        **facts,
    )
    if not done:
        return False
    if charge is not None:
        _name_job(image, charge)
        ledger.settle(charge, image.charged_credits)
        charge.refresh_from_db()
        row(image).update(cost=Coalesce(F("cost"), charge.charged))
    announce(image, signals.image_completed)
    return True


def completed_together(
    files: Sequence[tuple[GeneratedImage, Mapping[str, Any]]], *, last: bool
) -> bool:
    """:func:`completed` for several, all or none, where nothing else happened to any of them.

    ``files``: each picture with its ``name`` and facts; ``last``: nothing follows for them, unless
    it is known by now of which record they are to be.
    False, and nothing is written, where one is not as its claim left it: it was taken over, its
    money was closed, or its job was named by a webhook alone. Each is looked at by itself then.
    """
    images = [image for image, _facts in files]
    charges = {image.pk: image.charge for image in images}
    paid = [
        (charge, image.charged_credits)
        for image in images
        if (charge := charges[image.pk]) is not None and charge.job_id is not None
    ]
    if len(charges) != len(files) or len(paid) != len(files):
        return False
    rows = type(images[0])._base_manager.filter(
        pk__in=charges, claim__in={image.claim for image in images}
    )
    cost = {
        image.pk: ledger.amount_of(charge, image.charged_credits)
        for image, (charge, _credits) in zip(images, paid, strict=True)
    }
    changes: dict[str, Any] = {
        column: Each({image.pk: facts[fact] for image, facts in files}, kind)
        for column, fact, kind in FACTS
    }
    changes["next_check_at"] = Now()
    if last:
        rows = rows.filter(target_type__isnull=True)
        changes |= {"next_check_at": None, **UNHELD}
    try:
        with transaction.atomic():
            done = move(
                rows,
                source=[Status.FETCHING],
                to=Status.COMPLETED,
                finished_at=Now(),
                checks=0,
                error_code="",
                error_detail="",
                cost=Coalesce(F("cost"), Each(cost, DecimalField(**MONEY))),
                **changes,
            )
            if done != len(files) or not ledger.settle_together(paid):
                raise ChangedMeanwhileError
            announce_all(images, signals.image_completed)
    except ChangedMeanwhileError:
        return False
    return True


def unusable(image: GeneratedImage, code: ErrorCode, detail: str) -> None:
    """The job is done and paid for, but its file is not one that this site can have."""
    with transaction.atomic():
        failed = move(
            row(image).filter(claim=image.claim),
            source=[Status.FETCHING],
            to=Status.FAILED,
            error_code=code,
            error_detail=detail,
            finished_at=Now(),
            next_check_at=None,
            **UNHELD,
        )
        if failed:
            _close_failed(image, credits=image.charged_credits, refundable=False)
            announce(image, signals.image_failed)


def widths_stored(image: GeneratedImage, new: list[dict[str, Any]], *, color: str) -> bool:
    """More widths are there, beside those that the holder of the claim found."""
    renditions = sorted(
        [*image.renditions, *new], key=lambda one: (one["width"], one.get("format") == AVIF)
    )
    return bool(
        row(image)
        .filter(claim=image.claim, status=Status.COMPLETED)
        .update(renditions=renditions, color=color)
    )


def nothing_left(image: GeneratedImage) -> bool:
    """Everything that follows completion is done; the row is never due again by itself.

    False where it was approved a moment ago: then a copy may be wanted.
    """
    return bool(
        row(image)
        .filter(claim=image.claim, status=Status.COMPLETED, picked=image.picked)
        .update(next_check_at=None, **UNHELD)
    )


def given(image: GeneratedImage) -> None:
    """A record has its copy of this picture."""
    row(image).update(attached_at=Now())

"""Getting a request to the provider, once: freeze, send, and what each answer means.

The order is the whole trick. A row is claimed; body and key are frozen and committed; only then
is anything sent. Whatever dies after that finds the same bytes and the same key, and everything
that may have been sent stays marked ``maybe_sent`` until evidence clears it: while it stands
there is no way back to ``pending``, no cancel, no release and no new key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import CharField, F, Q, TextField
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from ideogram_django import signals
from ideogram_django.apiframe import payloads, signatures
from ideogram_django.apiframe.catalogue import PARAMETERS, CleanRequest
from ideogram_django.budget import ledger
from ideogram_django.budget.models import Charge
from ideogram_django.conf import AppSettings
from ideogram_django.lifecycle import references, tokens
from ideogram_django.lifecycle.transitions import (
    OPEN,
    UNHELD,
    ChangedMeanwhileError,
    Each,
    announce,
    announce_all,
    charged,
    later,
    let_go,
    move,
    row,
)
from ideogram_django.statuses import ErrorCode, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage

logger = logging.getLogger(__name__)

REPEAT_FOR = timedelta(hours=23)
"""The provider keeps an idempotency key for 24 hours; one hour is left for clocks and queues."""
MOST_WAIT = 60.0
"""Seconds between two tries of the same sending, at most."""


_FROZEN = (
    *("body", "key_fingerprint", "idempotency_key", "first_sent_at", "sendings", "maybe_sent"),
    "job_id",
)
"""Columns that the first sending decides, or that may have changed when it is not the first."""
COLUMNS = (
    *("uuid", "status", "prompt", "model", *PARAMETERS, "bulk", "attempt", "claim", "checks"),
    *("job_id", "job_hint", "error_code", "created_at", "submitted_at", "charge"),
    *(f"charge__{name}" for name in (*_FROZEN, "expected_credits")),
)
"""What sending reads of a picture and its charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What is sent, now and at every repeat."""

    body: bytes
    idempotency_key: str


def freeze(image: GeneratedImage, settings: AppSettings, uploads: Mapping[UUID, str]) -> Frozen:
    """Fix body and key of the current attempt; the first caller decides, later ones get the same.

    ``uploads`` maps this site's own reference pictures to their addresses at the provider.
    """
    return freeze_all([image], settings, uploads)[0]


def freeze_all(
    images: Sequence[GeneratedImage], settings: AppSettings, uploads: Mapping[UUID, str]
) -> list[Frozen]:
    """:func:`freeze` each of these with one UPDATE for all that are sent for the first time."""
    charges = [_charge(image) for image in images]
    again = [charge for charge in charges if charge.body]
    if again:
        Charge.objects.filter(pk__in=[charge.pk for charge in again]).update(
            sendings=F("sendings") + 1
        )
        for charge in again:
            charge.sendings += 1
    bodies = {
        charge.pk: _body(image, charge, settings, uploads)
        for image, charge in zip(images, charges, strict=True)
        if not charge.body
    }
    if bodies:
        fingerprint = signatures.key_fingerprint(settings.API_KEY)
        written = Charge.objects.filter(pk__in=bodies, body="").update(
            body=Each(bodies, TextField()),
            key_fingerprint=fingerprint,
            first_sent_at=Now(),
            sendings=F("sendings") + 1,
        )
        # What stands there is what is sent, whoever wrote it.
        if written == len(bodies):
            for charge in charges:
                if charge.pk in bodies:
                    charge.body, charge.key_fingerprint = bodies[charge.pk], fingerprint
                    charge.sendings += 1
        else:
            frozen = Charge.objects.only(*_FROZEN).in_bulk(list(bodies))
            for charge in charges:
                if charge.pk in frozen:
                    for name in _FROZEN:
                        setattr(charge, name, getattr(frozen[charge.pk], name))
    return [
        Frozen(body=charge.body.encode(), idempotency_key=str(charge.idempotency_key))
        for charge in charges
    ]


def _body(
    image: GeneratedImage, charge: Charge, settings: AppSettings, uploads: Mapping[UUID, str]
) -> str:
    return payloads.submit_body(
        CleanRequest(
            prompt=image.prompt,
            model=image.model,
            parameters=references.replace_own(image.parameters, uploads),
            credits=charge.expected_credits,
        ),
        webhook_url=tokens.webhook_url(settings, image.uuid, image.attempt),
        webhook_url_key=settings.WEBHOOK_URL_KEY,
    ).decode()


def was_frozen(image: GeneratedImage) -> bool:
    """True where an earlier claim got as far as fixing the body."""
    return bool(_charge(image).body)


def suspect(image: GeneratedImage) -> None:
    """A worker died between freezing and saving the answer: nobody knows what it sent."""
    charge = _charge(image)
    Charge.objects.filter(pk=charge.pk).exclude(body="").update(maybe_sent=True)
    charge.maybe_sent = True


def may_repeat(image: GeneratedImage, settings: AppSettings) -> bool:
    """Whether the provider still recognises our key as the same request."""
    charge = _charge(image)
    if charge.key_fingerprint != signatures.key_fingerprint(settings.API_KEY):
        return False
    return charge.first_sent_at is None or timezone.now() - charge.first_sent_at < REPEAT_FOR


def accepted(image: GeneratedImage, job_id: str, *, first_check: float) -> bool:
    """The provider has the job: save its id at once, lease or no lease.

    Charge and picture in one transaction: a charge with a job and a picture without one would
    look as if nothing had been sent. False where the picture has another job, or this job
    belongs to another charge; then the picture goes on with what it has.
    """
    charge = _charge(image)
    try:
        with transaction.atomic():
            mine = _note_job(image, charge, job_id)
            taken = move(
                row(image).filter(Q(job_id__isnull=True) | Q(job_id=charge.job_id)),
                source=[Status.SUBMITTING],
                to=Status.SUBMITTED,
                job_id=charge.job_id,
                submitted_at=Coalesce(F("submitted_at"), Now()),
                next_check_at=later(first_check),
                checks=0,
                **UNHELD,
            )
            if not taken:
                # Decided meanwhile. Where that was a doubtful failure, this is evidence.
                row(image).filter(OPEN, job_id__isnull=True).update(
                    job_id=charge.job_id, next_check_at=Now()
                )
    except IntegrityError:
        logger.error("Job %s is on another charge already; not taken for %s.", job_id, image.uuid)
        return False
    return mine


def accepted_together(jobs: Sequence[tuple[GeneratedImage, str]], *, first_check: float) -> bool:
    """:func:`accepted` for several, all or none, where nothing else happened to any of them.

    False, and nothing is written, where one is not as its claim left it: a webhook named its job
    first, it was decided meanwhile, or a job belongs to another charge. Each is looked at by
    itself then.
    """
    images = [image for image, _job_id in jobs]
    attempts = {image.attempt for image in images}
    charges = {_charge(image).pk: job_id for image, job_id in jobs}
    if len(attempts) != 1 or len(charges) != len(jobs):
        return False
    rows = type(images[0])._base_manager.filter(
        pk__in=[image.pk for image in images], attempt=attempts.pop(), job_id__isnull=True
    )
    try:
        with transaction.atomic():
            noted = Charge.objects.filter(pk__in=charges, job_id__isnull=True).update(
                job_id=Each(charges, CharField()), maybe_sent=True
            )
            taken = move(
                rows,
                source=[Status.SUBMITTING],
                to=Status.SUBMITTED,
                job_id=Each({image.pk: job_id for image, job_id in jobs}, CharField()),
                submitted_at=Coalesce(F("submitted_at"), Now()),
                next_check_at=later(first_check),
                checks=0,
                **UNHELD,
            )
            if (noted, taken) != (len(jobs), len(jobs)):
                raise ChangedMeanwhileError
            announce_all(images, signals.image_submitted)
    except (IntegrityError, ChangedMeanwhileError):
        return False
    return True


def _note_job(image: GeneratedImage, charge: Charge, job_id: str) -> bool:
    """Note the charge's job; one that a webhook named before comes first. Is it this one?"""
    heard = row(image).values_list("job_id", flat=True).first()
    named = Charge.objects.filter(pk=charge.pk, job_id__isnull=True)
    if named.update(job_id=heard or job_id, maybe_sent=True):
        announce(image, signals.image_submitted)
    charge.refresh_from_db()
    if charge.job_id == job_id:
        return True
    if job_id not in charge.other_job_ids:
        Charge.objects.filter(pk=charge.pk).update(other_job_ids=[*charge.other_job_ids, job_id])
    logger.error(
        "The provider made two jobs for one charge (%s): %s and %s. Ask for a refund of one.",
        charge.pk,
        charge.job_id,
        job_id,
    )
    return False


def trade_keys(image: GeneratedImage, job_id: str) -> None:
    """Our key led to a job that an equal request took by its looks, so take its key for ours.

    Nothing but the key tells the two apart, and afterwards each key stands for one job again.
    Without this, every repeat would lead back to the job that is taken.
    """
    charge = _charge(image)
    equal = Charge.objects.filter(body=charge.body, key_fingerprint=charge.key_fingerprint)
    with transaction.atomic():
        other = equal.filter(job_id=job_id).exclude(pk=charge.pk).first()
        if other is None:
            return
        Charge.objects.filter(pk=other.pk).update(idempotency_key=uuid4())  # keys are unique
        for one, same in ((charge, other), (other, charge)):
            Charge.objects.filter(pk=one.pk).update(
                idempotency_key=same.idempotency_key, first_sent_at=same.first_sent_at
            )


def not_sent(image: GeneratedImage, *, after: float) -> None:
    """This try did not arrive: back to ``pending``, unless an earlier one might have.

    What was frozen for it thaws. The next try may be hours away, and its own first sending is
    what the provider will remember the key from; uploaded references would have expired, too.
    """
    charge = _charge(image)
    if charge.maybe_sent:
        let_go(image, after=max(after, 1))
        return
    with transaction.atomic():
        waiting = move(
            row(image).filter(charged(maybe_sent=False), claim=image.claim),
            source=[Status.SUBMITTING],
            to=Status.PENDING,
            next_check_at=later(after),
            checks=F("checks") + 1,
            **UNHELD,
        )
        if waiting:
            Charge.objects.filter(pk=charge.pk, maybe_sent=False).update(
                body="", key_fingerprint="", first_sent_at=None
            )


def unknown(image: GeneratedImage) -> None:
    """This try may have been accepted: look for evidence soon, then repeat with the same key."""
    charge = _charge(image)
    Charge.objects.filter(pk=charge.pk).update(maybe_sent=True)
    let_go(image, after=backoff(charge.sendings))


def rejected(image: GeneratedImage, detail: str) -> None:
    """The provider refuses this request for good. Safe only where nothing ambiguous went before."""
    if _charge(image).maybe_sent:
        unknown(image)
        return
    _failed_unsent(image, charged(maybe_sent=False), ErrorCode.REJECTED, detail)


def reference_failed(image: GeneratedImage, detail: str) -> None:
    """A reference picture could not be uploaded; the request itself was never sent."""
    _failed_unsent(image, charged(body=""), ErrorCode.REFERENCE_FAILED, detail)


def _failed_unsent(image: GeneratedImage, proof: Q, code: ErrorCode, detail: str) -> None:
    """Fail and give the money back, as long as the charge still proves that nothing was made."""
    with transaction.atomic():
        failed = move(
            row(image).filter(proof, claim=image.claim),
            source=[Status.SUBMITTING],
            to=Status.FAILED,
            error_code=code,
            error_detail=detail,
            finished_at=Now(),
            next_check_at=None,
            **UNHELD,
        )
        if failed:
            ledger.release(_charge(image))
            announce(image, signals.image_failed)


def give_up_unknown(image: GeneratedImage) -> None:
    """No evidence, and the key is too old or another: only a person may decide what is next."""
    with transaction.atomic():
        failed = move(
            row(image).filter(claim=image.claim),
            source=[Status.SUBMITTING],
            to=Status.FAILED,
            error_code=ErrorCode.OUTCOME_UNKNOWN,
            finished_at=Now(),
            next_check_at=None,
            cost=Coalesce(F("cost"), F("price")),
            **UNHELD,
        )
        if failed:
            ledger.settle(_charge(image), None)
            announce(image, signals.image_failed)


def is_lost(image: GeneratedImage) -> bool:
    """Given up with its outcome unknown, and without a job that could be asked for."""
    return (
        image.status == Status.FAILED
        and image.error_code == ErrorCode.OUTCOME_UNKNOWN
        and image.job_id is None
    )


def still_lost(image: GeneratedImage) -> None:
    """A person asked, and there was no evidence: nothing is due until somebody asks again."""
    row(image).filter(claim=image.claim, status=Status.FAILED).update(next_check_at=None, **UNHELD)


def backoff(tries: int, *, first: float = 2.0, most: float = MOST_WAIT) -> float:
    """Seconds to wait after ``tries`` tries: doubling from ``first`` up to ``most``."""
    return min(first * 2.0 ** min(max(tries - 1, 0), 10), most)


def _charge(image: GeneratedImage) -> Charge:
    if image.charge is None:
        raise AssertionError(f"Picture {image.pk} is being sent without a charge")
    return image.charge

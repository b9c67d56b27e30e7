"""Files that come home at the same moment are linked together, and none at another's cost."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.dispatch import receiver
from django.test.utils import CaptureQueriesContext
from PIL import Image

from ideogram_django import conf, signals
from ideogram_django.budget import ledger
from ideogram_django.drains import files
from ideogram_django.drains.saving import Saving, _Stored
from ideogram_django.drains.tools import Tools
from ideogram_django.exceptions import PictureError
from ideogram_django.lifecycle import transitions
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    SpendingLimit,
    SpendingPeriod,
    StoredObject,
)
from ideogram_django.pictures import verifying
from ideogram_django.runs import targets
from ideogram_django.statuses import ChargeState, ErrorCode, ObjectKind, Status
from tests.magazine.models import Article

pytestmark = pytest.mark.django_db

Stored = list[tuple[GeneratedImage, Any]]


@pytest.fixture
def saving(settings: Any, tmp_path: Any) -> Any:
    settings.MEDIA_ROOT = str(tmp_path)
    tools = Tools(conf.current())
    yield Saving(tools)
    tools.close()


def stored(count: int, *, side: int = 16) -> Stored:
    """Pictures under one claim whose files lie in the storage and are not linked yet."""
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * count)
    for number, image in enumerate(GeneratedImage.objects.select_related("charge")):
        Charge.objects.filter(pk=image.charge.pk).update(job_id=f"job-{number}", maybe_sent=True)
        GeneratedImage.objects.filter(pk=image.pk).update(
            status=Status.FETCHING, job_id=f"job-{number}", charged_credits=3
        )
    images = transitions.claim(GeneratedImage.objects.all(), limit=count, lease=60)
    file = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(file, "PNG")
    answers: Stored = []
    for image, noted in zip(images, files.note_originals(images, "default"), strict=True):
        settings = conf.current()
        verified = verifying.verify(
            file, max_pixels=10**6, widths=settings.WIDTHS, formats=settings.FORMATS
        )
        file.seek(0)
        name = default_storage.save(noted.name, file)
        facts = {
            "width": verified.width,
            "height": verified.height,
            "format": verified.format,
            "size": 70,
            "sha256": f"{image.pk:064}",
            "color": verified.color,
        }
        answers.append((image, _Stored(noted=noted, name=name, verified=verified, facts=facts)))
    return answers


def linked(saving: Saving, answers: Stored) -> list[Any]:
    return list(saving._stored_together(answers))


def assert_whole(image: GeneratedImage, one: _Stored) -> None:
    """Finished, paid, let go, and with the file that was stored for it."""
    row = GeneratedImage.objects.select_related("charge").get(pk=image.pk)
    assert (row.status, row.file.name, row.sha256) == (
        Status.COMPLETED,
        one.name,
        f"{image.pk:064}",
    )
    assert (row.width, row.height, row.format, row.size) == (16, 16, one.facts["format"], 70)
    assert (row.next_check_at, row.claim, row.lease_until, row.checks) == (None, None, None, 0)
    assert (row.charge.state, row.charge.charged_credits) == (ChargeState.SETTLED, 3)
    assert row.cost == row.charge.charged == Decimal("0.03")
    assert row.charge.closed_at is not None
    assert row.finished_at is not None
    (noted,) = StoredObject.objects.filter(image=row)
    assert (noted.name, noted.kind, bool(noted.linked_at)) == (one.name, ObjectKind.ORIGINAL, True)


@pytest.mark.parametrize("count", [2, 30])
def test_a_few_statements_for_all(saving: Saving, count: int) -> None:
    answers = stored(count)
    with CaptureQueriesContext(connection) as queries:
        assert linked(saving, answers) == []
    updates = [one["sql"] for one in queries if one["sql"].startswith("UPDATE")]
    assert len(updates) == 3  # pictures, charges, objects
    assert len(queries) - len(updates) == 4  # two savepoints: one is the test's own transaction
    for image, one in answers:
        assert_whole(image, one)


def test_each_is_announced_once(saving: Saving, django_capture_on_commit_callbacks: Any) -> None:
    told: list[Any] = []

    @receiver(signals.image_completed, sender=GeneratedImage, weak=False, dispatch_uid="together")
    def tell(image: GeneratedImage, **kwargs: Any) -> None:
        told.append((image.pk, image.status))

    try:
        answers = stored(3)
        with django_capture_on_commit_callbacks(execute=True):
            linked(saving, answers)
    finally:
        signals.image_completed.disconnect(sender=GeneratedImage, dispatch_uid="together")
    assert sorted(told) == [(image.pk, Status.COMPLETED) for image, _one in answers]


def test_one_that_was_taken_over_stops_no_other(saving: Saving) -> None:
    answers = stored(4)
    (lost, its), others = answers[1], [answers[0], *answers[2:]]
    token = uuid4()
    GeneratedImage.objects.filter(pk=lost.pk).update(claim=token)
    tasks = linked(saving, answers)
    for image, one in others:
        assert_whole(image, one)
    lost.refresh_from_db()
    assert (lost.status, lost.claim, lost.file.name) == (Status.FETCHING, token, "")
    assert Charge.objects.get(image=lost.uuid).state == ChargeState.RESERVED
    # What was written for it belongs to nobody.
    (task,) = [task for task in tasks if task.images == (lost,)]
    task.done(task.run())
    assert not default_storage.exists(its.name)


def test_one_whose_money_was_closed_is_not_paid_again(saving: Saving) -> None:
    answers = stored(3)
    closed = answers[0][0].charge
    assert closed is not None
    ledger.settle(Charge.objects.get(pk=closed.pk), 2)
    linked(saving, answers)
    closed.refresh_from_db()
    assert (closed.charged_credits, closed.charged) == (2, Decimal("0.02"))
    row = GeneratedImage.objects.get(pk=answers[0][0].pk)
    assert (row.status, row.cost) == (Status.COMPLETED, Decimal("0.02"))
    for image, one in answers[1:]:
        assert_whole(image, one)


def test_one_that_cost_less_gives_back_to_its_limit(saving: Saving) -> None:
    SpendingLimit.objects.create(amount=10)
    answers = stored(3)
    assert SpendingPeriod.objects.get().committed == Decimal("0.09")
    answers[0][0].charged_credits = 1
    linked(saving, answers)
    assert SpendingPeriod.objects.get().committed == Decimal("0.07")
    charges = Charge.objects.order_by("pk").values_list("charged", flat=True)
    assert list(charges) == [Decimal("0.01"), Decimal("0.03"), Decimal("0.03")]


def test_an_estimate_stays_one(saving: Saving) -> None:
    answers = stored(2)
    answers[1][0].charged_credits = None
    linked(saving, answers)
    assert list(Charge.objects.order_by("pk").values_list("estimated", flat=True)) == [False, True]


def test_one_that_failed_fails_alone(saving: Saving) -> None:
    answers = stored(3)
    failed = answers[2][0]
    error = PictureError("full", code=ErrorCode.STORAGE_FAILED, permanent=False)
    linked(saving, [*answers[:2], (failed, error)])
    failed.refresh_from_db()
    assert (failed.status, failed.checks, failed.claim) == (Status.FETCHING, 1, None)
    for image, one in answers[:2]:
        assert_whole(image, one)


def test_what_has_widths_goes_on(saving: Saving) -> None:
    answers = stored(2, side=400)
    tasks = linked(saving, answers)
    assert [task.images[0] for task in tasks] == [image for image, _one in answers]
    rows = GeneratedImage.objects.values_list("status", "claim")
    assert {status for status, _claim in rows} == {Status.COMPLETED}
    assert None not in {claim for _status, claim in rows}


def test_a_record_that_was_named_meanwhile_gets_its_picture(saving: Saving) -> None:
    """Nothing seemed to follow when the picture was claimed."""
    answers = stored(2)
    article = Article.objects.create(title="The fox")
    target = targets.columns(article, Article._meta.get_field("cover"))
    GeneratedImage.objects.filter(pk=answers[0][0].pk).update(**target)
    (copy,) = linked(saving, answers)
    copy.done(copy.run())
    article.refresh_from_db()
    assert article.cover.storage.exists(article.cover.name)
    assert not GeneratedImage.objects.filter(next_check_at__isnull=False).exists()

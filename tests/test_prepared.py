"""An UPDATE that is compiled once says each time what the ORM would have said."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from ideogram_django.lifecycle.prepared import PreparedUpdate
from ideogram_django.models import GeneratedImage
from tests.test_gallery import pictures

pytestmark = pytest.mark.django_db


def changed(rows: Any, given: Any) -> tuple[Any, dict[str, Any]]:
    chosen = rows.filter(Q(job_id__isnull=True) | Q(job_id=given["job_id"]), uuid=given["uuid"])
    return chosen, {"job_id": given["job_id"], "cost": given["cost"], "finished_at": Now()}


def test_each_time_with_its_own_values() -> None:
    update = PreparedUpdate(changed, ("uuid", "job_id", "cost"))
    one, two = pictures(2)
    rows = GeneratedImage.objects.all()
    for image, cost in ((one, "0.03"), (two, None)):
        assert update(rows, uuid=image.uuid, job_id=str(image.uuid), cost=cost) == 1
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.job_id, two.job_id) == (str(one.uuid), str(two.uuid))
    assert str(one.cost) == "0.030000"
    assert two.cost is None
    assert one.finished_at is not None
    # Neither another job nor an unknown picture.
    values = {"job_id": "else", "cost": None}
    assert update(rows, uuid=one.uuid, **values) == 0
    assert update(rows, uuid=uuid.uuid4(), **values) == 0


def test_it_is_the_statement_of_the_orm() -> None:
    update = PreparedUpdate(changed, ("uuid", "job_id", "cost"))
    given = {"uuid": uuid.uuid4(), "job_id": "a", "cost": None}
    with CaptureQueriesContext(connection) as asked:
        update(GeneratedImage.objects.all(), **given)
        rows, changes = changed(GeneratedImage.objects.all(), given)
        rows.update(**changes)
    ours, theirs = (query["sql"].replace("(", "").replace(")", "") for query in asked)
    assert ours == theirs  # but for the parentheses around what an expression stands for


@pytest.mark.parametrize("text", ["plain", "O'Hara", "100 %", "%s %(uuid)s %%"])
def test_constants_are_taken_as_they_are(text: str) -> None:
    def constant(rows: Any, given: Any) -> tuple[Any, dict[str, Any]]:
        changes = {"alt_text": text, "cost": Decimal("0.5"), "width": 7, "decorative": True}
        return rows.filter(uuid=given["uuid"]), changes

    update = PreparedUpdate(constant, ("uuid",))
    [one] = pictures(1)
    assert update(GeneratedImage.objects.all(), uuid=one.uuid) == 1
    one.refresh_from_db()
    assert (one.alt_text, one.cost, one.width, one.decorative) == (text, Decimal("0.5"), 7, True)


def test_rows_with_conditions_of_their_own_are_refused() -> None:
    update = PreparedUpdate(changed, ("uuid", "job_id", "cost"))
    with pytest.raises(ValueError, match="conditions"):
        update(GeneratedImage.objects.drafts(), uuid=uuid.uuid4(), job_id="a", cost=None)


def test_an_error_breaks_the_transaction_as_the_orms_would() -> None:
    update = PreparedUpdate(changed, ("uuid", "job_id", "cost"))
    one, two = pictures(2)
    rows = GeneratedImage.objects.all()
    update(rows, uuid=one.uuid, job_id="a", cost=None)
    with transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic():
            update(rows, uuid=two.uuid, job_id="a", cost=None)
        assert not connection.needs_rollback
    two.refresh_from_db()
    assert two.job_id is None

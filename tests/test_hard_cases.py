"""Cases that a hostile reader of the code thought of. Each one lost money or a picture once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone

from ideogram_django import checks, conf
from ideogram_django.apiframe.payloads import JobStatus, WebhookCall
from ideogram_django.budget import limits
from ideogram_django.drains import provider
from ideogram_django.drains.saving import Saving
from ideogram_django.drains.tools import Tools
from ideogram_django.lifecycle import sending, settling, transitions
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProviderState,
    SpendingLimit,
    SpendingPeriod,
)
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ChargeState, ErrorCode, PauseCode, Status
from tests.drain import (
    FAST,
    KEY,
    configured,
    drain,
    drain_to_end,
    drain_until,
    make_due,
    twin,
)

__all__ = ["twin"]


def claimed() -> GeneratedImage:
    """A picture in a worker's hands, its request frozen."""
    GeneratedImage.objects.generate("A fox")
    (image,) = transitions.claim(
        GeneratedImage.objects.all(), limit=1, lease=60, to=Status.SUBMITTING
    )
    return image


def sent() -> GeneratedImage:
    drain_until(lambda: GeneratedImage.objects.filter(job_id__isnull=False).exists())
    return GeneratedImage.objects.get()


def test_a_commit_whose_confirmation_is_lost_keeps_its_file(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database says that the connection broke, but had committed: the step is repeated."""
    stored, lost = Saving._stored, []

    def once_lost(self: Saving, *arguments: Any) -> Any:
        following = list(stored(self, *arguments))
        if not lost:
            lost.append(True)
            raise OperationalError("server closed the connection unexpectedly")
        return following

    monkeypatch.setattr(Saving, "_stored", once_lost)
    image = GeneratedImage.objects.generate("A fox")
    drain_until(lambda: GeneratedImage.objects.completed().exists())
    GeneratedImage.objects.update(lease_until=None)
    drain_to_end(image)
    assert lost
    assert default_storage.exists(image.file.name)
    assert len(image.renditions) == 2


def test_a_worker_that_dies_while_saving_the_job_id_orders_once(
    settings: Any, tmp_path: Any, transactional_db: None
) -> None:
    with Simulator(
        api_keys=[KEY], credits=100, seconds_per_job=0.1, honours_idempotency=False
    ) as twin:
        settings.MEDIA_ROOT = str(tmp_path)
        settings.IDEOGRAM_DJANGO = {**FAST, "API_BASE_URL": twin.base_url}
        image = claimed()
        tools = Tools(conf.current())
        frozen = sending.freeze(image, conf.current(), {})
        job = tools.client.submit(frozen.body, frozen.idempotency_key)
        tools.close()
        # As an older version left it: the charge knows the job, the picture does not.
        Charge.objects.update(job_id=job.job_id, maybe_sent=True)
        GeneratedImage.objects.update(lease_until=None)
        drain_to_end(image)
        assert image.status == Status.COMPLETED
        assert len(twin.ledger) == 1


def test_a_webhook_that_names_another_job_than_the_answer_is_alarmed(
    twin: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    image = claimed()
    sending.freeze(image, conf.current(), {})
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    call = WebhookCall(
        event="completed",
        job_id=first,
        status=JobStatus.COMPLETED,
        image_urls=("https://cdn.apiframe.ai/a.png",),
    )
    assert settling.heard(GeneratedImage.objects.all(), image.uuid, 1, call)
    assert sending.accepted(image, second, first_check=1) is False
    charge = Charge.objects.get()
    assert (charge.job_id, charge.other_job_ids) == (first, [second])
    assert "two jobs for one charge" in caplog.text


def test_a_refund_that_comes_after_giving_up_is_booked(twin: Simulator, settings: Any) -> None:
    SpendingLimit.objects.create(amount=1)
    image = GeneratedImage.objects.generate("A fox [slow] [fail]")
    sent()
    with configured(settings, GIVE_UP_AFTER=0.001):
        drain_to_end(image)
    assert image.error_code == ErrorCode.GAVE_UP
    assert Charge.objects.get().estimated is True
    twin.finish_all()
    image.refresh()
    drain_to_end(image)
    charge = Charge.objects.get()
    assert (image.error_code, image.cost) == (ErrorCode.PROVIDER_FAILED, 0)
    assert (charge.state, charge.charged, charge.estimated) == (ChargeState.RELEASED, 0, False)
    assert SpendingPeriod.objects.get().committed == 0


def test_no_new_attempt_before_the_first_one_is_settled(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox [policy]")
    image = sent()
    call = WebhookCall(
        event="failed", job_id=str(image.job_id), status=JobStatus.FAILED, error="policy"
    )
    settling.heard(GeneratedImage.objects.all(), image.uuid, 1, call)
    with pytest.raises(ValidationError) as caught:
        image.retry(confirm_charge=True)
    assert caught.value.code == "not_settled"
    drain_to_end(image)
    assert Charge.objects.get().state == ChargeState.RELEASED
    image.retry()
    assert Charge.objects.count() == 2


def test_a_key_with_a_line_end_is_found_at_start_up(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {"API_KEY": "afk_abc\n"}
    assert "ideogram_django.E002" in [message.id for message in checks.check_settings()]


def test_a_broken_account_is_not_hidden_by_a_smaller_trouble(twin: Simulator) -> None:
    GeneratedImage.objects.generate("A fox [forever]")
    sent()
    provider.stop()
    provider.pause(PauseCode.INSUFFICIENT_CREDITS)
    twin.revoke_key(KEY)
    before = len(twin.requests)
    for _number in range(6):
        make_due()
        drain()
    assert ProviderState.load().pause_code == PauseCode.UNAUTHORIZED
    assert len(twin.requests) - before <= 2


def test_what_a_person_stopped_stays_stopped(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    provider.state()
    provider.stop()
    provider.pause(PauseCode.UNAUTHORIZED)
    provider.account_is_well(50, conf.current())
    assert ProviderState.load().pause_code == ""
    drain()
    assert twin.ledger == []
    provider.resume()
    drain_to_end(image)
    assert image.status == Status.COMPLETED


def test_limits_are_locked_in_one_order(twin: Simulator) -> None:
    SpendingLimit.objects.create(period="day", amount=100)
    month = SpendingLimit.objects.create(period="month", amount=100)
    # The month's period exists before the day's: their keys run against their limits'.
    SpendingPeriod.objects.create(limit=month, start=limits.period_start(month))
    GeneratedImage.objects.generate("A fox")
    held = Charge.objects.get().periods
    by_limit = list(SpendingPeriod.objects.order_by("limit_id").values_list("pk", flat=True))
    assert held == by_limit
    assert held != sorted(held)


def test_a_day_without_credits_does_not_age_the_key(twin: Simulator) -> None:
    twin.credits = 1
    image = GeneratedImage.objects.generate("A fox")
    drain()
    charge = Charge.objects.get()
    assert (charge.first_sent_at, charge.body) == (None, "")
    Charge.objects.update(created_at=timezone.now() - timedelta(hours=30))
    twin.credits = 50
    ProviderState.objects.update(probe_after=None)
    twin.fail_next("503")
    drain_to_end(image)
    assert (image.status, len(twin.ledger)) == (Status.COMPLETED, 1)


def test_a_file_that_was_too_big_is_fetched_again_for_nothing(
    twin: Simulator, settings: Any
) -> None:
    image = GeneratedImage.objects.generate("A fox")
    with configured(settings, MAX_IMAGE_PIXELS=1000):
        drain_to_end(image)
    assert image.error_code == ErrorCode.TOO_MANY_PIXELS
    image.retry()
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert (len(twin.ledger), Charge.objects.count()) == (1, 1)


def test_two_equal_pictures_whose_jobs_were_mixed_up_both_finish(twin: Simulator) -> None:
    """The first one's request never arrived, the second one's did, and its answer got lost."""
    first, second = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
    twin.fail_next("cut-before")
    twin.fail_next("cut")
    drain_to_end(first, second)
    assert {first.status, second.status} == {Status.COMPLETED}
    assert len(twin.ledger) == 2
    assert {charge.job_id for charge in Charge.objects.all()} == {
        entry.job_id for entry in twin.ledger
    }

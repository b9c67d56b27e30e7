"""From a prompt to a file in storage, and every other end, against the twin."""

from __future__ import annotations

import hashlib
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import transaction

from ideogram_django import signals
from ideogram_django.models import Charge, GeneratedImage, ProviderState, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ChargeState, ErrorCode, Status
from tests.drain import configured, drain, drain_to_end, drain_until, make_due, twin

__all__ = ["twin"]


def stored_files() -> set[str]:
    found: set[str] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        if not default_storage.exists(folder):
            continue
        subfolders, names = default_storage.listdir(folder)
        folders += [f"{folder}/{name}".lstrip("/") for name in subfolders]
        found |= {f"{folder}/{name}".lstrip("/") for name in names}
    return found


def assert_storage_is_honest() -> None:
    """Every object is named by a row, every row's object is whole, nothing else lies about."""
    linked = StoredObject.objects.filter(deleted_at__isnull=True)
    assert stored_files() == {noted.name for noted in linked}
    assert not linked.filter(linked_at__isnull=True).exists()
    for image in GeneratedImage.objects.completed():
        with default_storage.open(image.file.name) as file:
            content = file.read()
        assert len(content) == image.size
        assert hashlib.sha256(content).hexdigest() == image.sha256


def test_a_prompt_becomes_a_picture(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate('A poster that says "Open late"', aspect_ratio="16:9")
    assert (image.status, image.price) == (Status.PENDING, Decimal("0.03"))

    drain_to_end(image)

    assert image.status == Status.COMPLETED
    assert image.error_code == ""
    assert image.cost == Decimal("0.03")
    assert image.width > image.height
    assert [one["width"] for one in image.renditions] == [64, 160]
    assert_storage_is_honest()
    charge = Charge.objects.get()
    assert (charge.state, charge.charged_credits, charge.job_id) == (
        ChargeState.SETTLED,
        3,
        image.job_id,
    )
    assert [entry.job_id for entry in twin.ledger] == [image.job_id]


def test_only_what_was_set_is_sent(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox", style_type="DESIGN", seed=7)
    drain_to_end(image)
    (sent,) = [r for r in twin.requests if r.path == "/v2/images/generate"]
    assert sent.body == {
        "prompt": "A fox",
        "model": "ideogram-v4-turbo",
        "ideogramParams": {"style_type": "DESIGN", "seed": 7},
    }


def test_the_same_request_id_gives_the_same_picture(twin: Simulator) -> None:
    request_id = uuid.uuid4()
    first = GeneratedImage.objects.generate("A fox", request_id=request_id)
    second = GeneratedImage.objects.generate("A fox", request_id=request_id)
    assert first.pk == second.pk
    assert Charge.objects.count() == 1


def test_a_request_id_of_another_user_is_refused(twin: Simulator, django_user_model: Any) -> None:
    one = django_user_model.objects.create_user("one")
    other = django_user_model.objects.create_user("other")
    request_id = uuid.uuid4()
    GeneratedImage.objects.generate("A fox", request_id=request_id, requested_by=one)
    with pytest.raises(ValidationError) as caught:
        GeneratedImage.objects.generate("A fox", request_id=request_id, requested_by=other)
    assert caught.value.code == "request_id"
    assert GeneratedImage.objects.count() == 1


def test_many_pictures_share_a_sheet(twin: Simulator) -> None:
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 4)
    assert len({image.batch for image in images}) == 1
    assert {image.bulk for image in images} == {False}
    drain_to_end(*images)
    assert {image.status for image in images} == {Status.COMPLETED}
    assert len(twin.ledger) == 4
    assert_storage_is_honest()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   "}, "prompt"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": "bell \x07"}, "prompt"),
        ({"prompt": "nul \x00"}, "prompt"),
        ({"prompt": "A fox", "model": "ideogram-v5"}, "model"),
        ({"prompt": "A fox", "model": "ideogram-v3-quality"}, "model"),
        ({"prompt": "A fox", "style_type": "Auto"}, "style_type"),
        ({"prompt": "A fox", "seed": -1}, "seed"),
        ({"prompt": "A fox", "seed": True}, "seed"),
        ({"prompt": "A fox", "seed": 1.5}, "seed"),
        ({"prompt": "A fox", "aspect_ratio": "16x9"}, "aspect_ratio"),
        ({"prompt": "A fox", "reference_image": "http://example.com/a.png"}, "reference_image"),
        ({"prompt": "A fox", "reference_image": "https://127.0.0.1/a.png"}, "reference_image"),
        ({"prompt": "A fox", "reference_image": "https://0x7f.1/a.png"}, "reference_image"),
        ({"prompt": "A fox", "reference_image": "https://intranet/a.png"}, "reference_image"),
        ({"prompt": "A fox", "reference_image": "picture:nonsense"}, "reference_image"),
        (
            {"prompt": "A fox", "style_reference_images": ["https://example.com/a.png"] * 4},
            "style_reference_images",
        ),
    ],
)
def test_bad_input_writes_and_spends_nothing(
    twin: Simulator, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        GeneratedImage.objects.generate(options.pop("prompt"), **options)
    assert list(caught.value.message_dict) == [field]
    assert all(len(sentence) > 15 for sentence in caught.value.messages)
    assert GeneratedImage.objects.count() == 0
    assert Charge.objects.count() == 0


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("[fail]", ErrorCode.PROVIDER_FAILED),
        ("[policy]", ErrorCode.REFUSED),
        ("[capacity]", ErrorCode.PROVIDER_BUSY),
        ("[cancelled]", ErrorCode.PROVIDER_CANCELLED),
    ],
)
def test_a_failed_job_gives_the_money_back(twin: Simulator, mark: str, code: ErrorCode) -> None:
    image = GeneratedImage.objects.generate(f"A fox {mark}")
    drain_to_end(image)
    assert (image.status, image.error_code, image.cost) == (Status.FAILED, code, 0)
    assert str(code.label) == image.error_message
    assert Charge.objects.get().state == ChargeState.RELEASED
    assert twin.credits == 100_000


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("[hostile]", ErrorCode.NOT_A_PICTURE),
        ("[bomb]", ErrorCode.TOO_MANY_PIXELS),
        ("[huge]", ErrorCode.TOO_LARGE),
        ("[foreign-url]", ErrorCode.HOST_REFUSED),
        ("[redirect]", ErrorCode.HOST_REFUSED),
        ("[expired]", ErrorCode.RESULT_EXPIRED),
    ],
)
def test_an_unusable_file_is_told_and_leaves_nothing(
    twin: Simulator, mark: str, code: ErrorCode
) -> None:
    image = GeneratedImage.objects.generate(f"A fox {mark}")
    drain_to_end(image)
    assert (image.status, image.error_code) == (Status.FAILED, code)
    assert image.cost == Decimal("0.03")
    StoredObject.objects.update(created_at="2000-01-01T00:00:00Z")
    drain()
    assert stored_files() == set()
    assert_storage_is_honest()


@pytest.mark.parametrize(
    "mark",
    [
        "[429]",
        "[503]",
        "[504]",
        "[1010]",
        "[cut]",
        "[cut-before]",
        "[nonsense]",
        "[poll-429]",
        "[poll-503]",
        "[file-503]",
        "[string-result]",
        "[null-progress]",
    ],
)
def test_trouble_on_the_way_ends_in_one_picture_and_one_charge(twin: Simulator, mark: str) -> None:
    image = GeneratedImage.objects.generate(f"A fox {mark}")
    drain_to_end(image)
    assert (image.status, image.error_code) == (Status.COMPLETED, "")
    assert len(twin.ledger) == 1
    assert Charge.objects.get().state == ChargeState.SETTLED
    assert_storage_is_honest()


def test_draft_spends_nothing_until_started(twin: Simulator) -> None:
    draft = GeneratedImage.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    make_due()
    drain()
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT
    assert twin.ledger == []

    draft.generate()
    drain_to_end(draft)
    assert draft.status == Status.COMPLETED
    with pytest.raises(ValidationError) as caught:
        draft.generate()
    assert caught.value.code == "already_started"
    assert len(twin.ledger) == 1


def test_cancel_before_sending_gives_back(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    image.cancel()
    assert image.status == Status.CANCELLED
    assert Charge.objects.get().state == ChargeState.RELEASED
    drain()
    assert twin.ledger == []

    image.retry()
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert len(twin.ledger) == 1


def test_cancel_after_sending_is_refused(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain()
    with pytest.raises(ValidationError) as caught:
        image.cancel()
    assert caught.value.code == "already_sent"
    assert Charge.objects.get().state == ChargeState.RESERVED


def test_retry_of_a_refund_is_a_new_attempt(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    twin.fail_next("fail")
    drain_to_end(image)
    assert image.status == Status.FAILED

    image.retry()
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    first, second = Charge.objects.order_by("attempt")
    assert (first.state, second.state) == (ChargeState.RELEASED, ChargeState.SETTLED)
    assert first.idempotency_key != second.idempotency_key


def test_retry_of_a_paid_failure_needs_a_yes(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    twin.fail_next("expired")
    drain_to_end(image)
    assert image.error_code == ErrorCode.RESULT_EXPIRED
    with pytest.raises(ValidationError) as caught:
        image.retry()
    assert caught.value.code == "confirm_charge"
    assert Charge.objects.count() == 1

    image.retry(confirm_charge=True)
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert len(twin.ledger) == 2


def test_an_unusable_file_is_fetched_again_or_made_anew(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    twin.fail_next("hostile")
    drain_to_end(image)
    image.retry()
    drain_to_end(image)
    assert image.error_code == ErrorCode.NOT_A_PICTURE
    assert len(twin.ledger) == 1

    image.retry(confirm_charge=True)
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert len(twin.ledger) == 2


def test_retry_of_a_finished_job_is_free(twin: Simulator, settings: Any) -> None:
    image = GeneratedImage.objects.generate("A fox [foreign-url]")
    drain_to_end(image)
    assert image.error_code == ErrorCode.HOST_REFUSED
    GeneratedImage.objects.update(
        result_url=f"{twin.base_url}/images/{image.job_id}-1.png"
    )  # as after an administrator allowed the host
    image.retry()
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert Charge.objects.count() == 1


def test_variations_and_rerender_are_new_pictures(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox", seed=7)
    drain_to_end(image)
    variations = image.variations(3)
    final = image.rerender(model="ideogram-v4-quality")
    assert {one.parent_id for one in [*variations, final]} == {image.pk}
    assert {one.seed for one in variations} == {None}
    assert final.price == Decimal("0.10")
    drain_to_end(*variations, final)
    assert {one.status for one in [*variations, final]} == {Status.COMPLETED}


def test_signals_come_after_commit_once(twin: Simulator) -> None:
    heard: list[tuple[str, str]] = []

    def completed(sender: Any, image: GeneratedImage, **kwargs: Any) -> None:
        assert not transaction.get_connection().in_atomic_block
        heard.append(("completed", str(image.uuid)))

    def failed(sender: Any, image: GeneratedImage, **kwargs: Any) -> None:
        heard.append((image.error_code, str(image.uuid)))

    signals.image_completed.connect(completed)
    signals.image_failed.connect(failed)
    try:
        good = GeneratedImage.objects.generate("A fox")
        bad = GeneratedImage.objects.generate("A fox [policy]")
        drain_to_end(good, bad)
    finally:
        signals.image_completed.disconnect(completed)
        signals.image_failed.disconnect(failed)
    assert sorted(heard) == sorted([("completed", str(good.uuid)), ("refused", str(bad.uuid))])


def test_own_reference_pictures_are_uploaded_first(twin: Simulator) -> None:
    reference = GeneratedImage.objects.generate("A fox")
    drain_to_end(reference)
    image = GeneratedImage.objects.generate(
        "The same fox, at sea", model="ideogram-v4-balanced", reference_image=reference
    )
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    sent = [r for r in twin.requests if r.path == "/v2/images/generate"][-1]
    assert sent.body["ideogramParams"]["image"].startswith(f"{twin.base_url}/uploads/")


def test_a_missing_reference_fails_before_it_is_paid(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox", reference_image=uuid.uuid4())
    drain_to_end(image)
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.REFERENCE_FAILED)
    assert Charge.objects.get().state == ChargeState.RELEASED
    assert twin.ledger == []


def test_broken_account_pauses_and_recovers_by_itself(twin: Simulator) -> None:
    twin.credits = 1
    image = GeneratedImage.objects.generate("A fox")
    drain()
    image.refresh_from_db()
    state = ProviderState.load()
    assert (image.status, state.pause_code) == (Status.PENDING, "insufficient_credits")
    assert Charge.objects.get().state == ChargeState.RESERVED
    submissions = len([r for r in twin.requests if r.path == "/v2/images/generate"])
    make_due()
    drain(3)
    assert len([r for r in twin.requests if r.path == "/v2/images/generate"]) == submissions

    twin.credits = 50
    ProviderState.objects.update(probe_after=None)
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    assert ProviderState.load().pause_code == ""


def test_revoked_key_pauses_everything(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    twin.revoke_key("afk_" + "0" * 40)
    drain()
    image.refresh_from_db()
    assert image.status == Status.PENDING
    assert ProviderState.load().pause_code == "unauthorized"
    assert "afk_" not in ProviderState.load().pause_detail


def test_spending_switch_stops_submissions(twin: Simulator, settings: Any) -> None:
    image = GeneratedImage.objects.generate("A fox")
    with configured(settings, SPENDING_ENABLED=False):
        drain()
        image.refresh_from_db()
        assert image.status == Status.PENDING
        with pytest.raises(ValidationError) as caught:
            GeneratedImage.objects.generate("Another")
        assert caught.value.code == "spending_stopped"
    drain_to_end(image)
    assert len(twin.ledger) == 1


def test_identical_prompts_whose_answers_were_lost_are_matched_one_to_one(
    settings: Any, tmp_path: Any, transactional_db: None
) -> None:
    from tests.drain import FAST, KEY

    with Simulator(
        api_keys=[KEY], credits=100, seconds_per_job=0.1, honours_idempotency=False
    ) as twin:
        settings.MEDIA_ROOT = str(tmp_path / "media")
        settings.IDEOGRAM_DJANGO = {**FAST, "API_BASE_URL": twin.base_url}
        images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 3)
        twin.fail_next("cut", 3)
        drain_to_end(*images)
        assert {image.status for image in images} == {Status.COMPLETED}
        assert len(twin.ledger) == 3
        assert sorted(image.job_id for image in images) == sorted(e.job_id for e in twin.ledger)


def test_many_are_polled_by_the_list(twin: Simulator, settings: Any) -> None:
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 6)
    with configured(settings, FIRST_POLL_WITH_WEBHOOK=30, POLL_INTERVAL=30):
        drain()
        twin.finish_all()
        make_due()
        drain()
    drain_to_end(*images)
    lists = [r for r in twin.requests if r.path.startswith("/v2/jobs?")]
    singles = [r for r in twin.requests if r.path.startswith("/v2/jobs/")]
    assert lists
    assert len(singles) < len(images)


def test_wait_refuses_to_hang_in_a_transaction(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        image.wait()
    with pytest.raises(TimeoutError):
        image.wait(timeout=0.01, interval=0.001)


def test_deleting_a_picture_deletes_its_files_and_keeps_the_ledger(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)
    number = image.uuid
    assert len(stored_files()) == 3
    image.delete()
    drain()
    assert stored_files() == set()
    assert not StoredObject.objects.filter(deleted_at__isnull=True).exists()
    assert Charge.objects.get().image_id == number


def test_max_in_flight_is_kept(twin: Simulator, settings: Any) -> None:
    with configured(settings, MAX_IN_FLIGHT=2):
        images = GeneratedImage.objects.generate_many([{"prompt": "A fox [forever]"}] * 5)
        drain(3)
        for image in images:
            image.refresh_from_db()
        assert sorted(image.status for image in images).count(Status.PENDING) == 3
        assert len(twin.ledger) == 2


def test_unfinished_after_too_long_is_given_up_and_may_still_come(
    twin: Simulator, settings: Any
) -> None:
    image = GeneratedImage.objects.generate("A fox [slow]")
    drain_until(lambda: GeneratedImage.objects.filter(job_id__isnull=False).exists())
    with configured(settings, GIVE_UP_AFTER=0.001):
        drain_to_end(image)
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.GAVE_UP)
    twin.finish_all()
    image.refresh()
    drain_to_end(image)
    assert (image.status, image.error_code) == (Status.COMPLETED, "")
    assert len(twin.ledger) == 1

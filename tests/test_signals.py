"""What a site is told: each turn once, after the commit, and never a turn that was undone."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.dispatch import Signal
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ideogram_django import conf, signals
from ideogram_django.apiframe.payloads import JobStatus, WebhookCall
from ideogram_django.budget import ledger
from ideogram_django.lifecycle import sending, settling, transitions
from ideogram_django.models import Charge, GeneratedImage, Place, Run
from ideogram_django.runs import approving, feeding, targets
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ErrorCode, RunPause, Status
from tests.drain import drain, drain_to_end, drain_until, twin
from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article
from tests.shown_files import page, written

__all__ = ["twin"]

pytestmark = pytest.mark.django_db(transaction=True)

ALL = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
Heard = list[tuple[str, Any, dict[str, Any]]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Name, sender and arguments of everything that is sent."""
    told: Heard = []

    def receiver(name: str) -> Callable[..., None]:
        def hear(sender: Any, signal: Any, **arguments: Any) -> None:
            assert not connection.in_atomic_block
            told.append((name, sender, arguments))

        return hear

    receivers = {name: receiver(name) for name in ALL}
    for name, hear in receivers.items():
        getattr(signals, name).connect(hear)
    yield told
    for name, hear in receivers.items():
        getattr(signals, name).disconnect(hear)


def names(heard: Heard) -> list[str]:
    return [name for name, _sender, _arguments in heard]


def stored(**columns: Any) -> GeneratedImage:
    return GeneratedImage.objects.create(
        **{"prompt": "A lake", "status": "completed", "uploaded": True, "file": "a.png", **columns}
    )


def test_every_signal_is_public() -> None:
    assert sorted([*ALL, "deliver"]) == sorted(signals.__all__)


# --- the life of a picture ------------------------------------------------------------------------


def test_a_picture_that_comes_out_well(twin: Simulator, heard: Heard) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)

    assert names(heard) == ["image_requested", "image_submitted", "image_completed"]
    assert {sender for _name, sender, _arguments in heard} == {GeneratedImage}
    requested, submitted, completed = (arguments["image"] for _n, _s, arguments in heard)
    assert {requested, submitted, completed} == {image}
    assert requested.status == Status.PENDING
    assert submitted.job_id
    assert completed.file


def test_a_picture_that_fails_and_is_tried_again(
    twin: Simulator,
    heard: Heard,
) -> None:
    twin.fail_next("fail")
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)
    assert names(heard) == ["image_requested", "image_submitted", "image_failed"]
    assert heard[-1][2]["image"].error_code == "provider_failed"

    del heard[:]
    image.retry()
    drain_to_end(image)
    assert names(heard) == ["image_requested", "image_submitted", "image_completed"]


def test_fetching_a_paid_file_again_is_no_new_request(
    twin: Simulator,
    heard: Heard,
) -> None:
    image = GeneratedImage.objects.generate("A fox [foreign-url]")
    drain_to_end(image)
    GeneratedImage.objects.update(result_url=f"{twin.base_url}/images/{image.job_id}-1.png")
    del heard[:]
    image.retry()
    drain_to_end(image)
    assert names(heard) == ["image_completed"]


def test_a_draft_that_is_started_and_taken_back(heard: Heard) -> None:
    image = GeneratedImage.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    assert heard == []
    image.generate()
    image.cancel()
    assert names(heard) == ["image_requested", "image_cancelled"]
    assert heard[-1][2]["image"].status == Status.CANCELLED


def test_what_was_rolled_back_is_not_told(heard: Heard) -> None:
    with transaction.atomic():
        GeneratedImage.objects.generate("A fox")
        transaction.set_rollback(True)
    assert heard == []


def test_two_presses_of_one_button_are_told_once(heard: Heard) -> None:
    request_id = uuid.uuid4()
    for _press in range(2):
        GeneratedImage.objects.generate("A fox", request_id=request_id)
    draft = GeneratedImage.objects.create(prompt="A hare", model="ideogram-v4-turbo")
    draft.generate()
    with pytest.raises(ValidationError):
        GeneratedImage.objects.get(pk=draft.pk).generate()
    assert names(heard) == ["image_requested"] * 2


def sent(**columns: Any) -> GeneratedImage:
    """A picture whose request is on its way: claimed, frozen, not answered."""
    GeneratedImage.objects.generate("A fox")
    (image,) = transitions.claim(
        GeneratedImage.objects.all(), limit=1, lease=60, to=Status.SUBMITTING
    )
    sending.freeze(image, conf.current(), {})
    return image


def call_about(job: str) -> WebhookCall:
    return WebhookCall(
        event="completed",
        job_id=job,
        status=JobStatus.COMPLETED,
        progress=100,
        image_urls=("https://cdn2.apiframe.ai/a.png",),
        error="",
        model="ideogram-v4-turbo",
        credit_cost=3,
    )


def test_a_webhook_that_overtakes_the_answer_makes_no_second_submission(heard: Heard) -> None:
    image = sent()
    assert settling.heard(GeneratedImage.objects.all(), image.uuid, 1, call_about("job-1"))
    for _answer in range(2):
        assert sending.accepted(image, "job-1", first_check=1)
    assert names(heard) == ["image_requested", "image_submitted"]


def test_a_lost_answer_is_told_when_the_job_is_known(heard: Heard) -> None:
    """Nothing but the webhook ever named the job: it is told with the file, and before it."""
    image = sent()
    settling.heard(GeneratedImage.objects.all(), image.uuid, 1, call_about("job-1"))
    (image,) = transitions.claim(GeneratedImage.objects.all(), limit=1, lease=60)
    with transaction.atomic():
        assert settling.completed(image, name="a.png", width=1, height=1)
    assert names(heard) == ["image_requested", "image_submitted", "image_completed"]


# --- receivers ------------------------------------------------------------------------------------


def test_a_receiver_that_raises_is_logged_and_stops_nobody(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**arguments: Any) -> None:
        raise LookupError("no such desk")

    signals.image_requested.connect(broken)
    try:
        with caplog.at_level(logging.ERROR):
            image = GeneratedImage.objects.generate("A fox")
    finally:
        signals.image_requested.disconnect(broken)
    assert image.status == Status.PENDING
    assert names(heard) == ["image_requested"]
    (record,) = [one for one in caplog.records if one.exc_info]
    assert "no such desk" in str(record.exc_info)


def test_many_pictures_cost_one_query_and_none_where_nobody_listens() -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 30)
        return len(found)

    told: list[Any] = []

    def hear(image: GeneratedImage, **arguments: Any) -> None:
        told.append(image)

    silent = queries()
    signals.image_requested.connect(hear)
    try:
        assert queries() == silent + 1
    finally:
        signals.image_requested.disconnect(hear)
    assert len(told) == 30


# --- given to a record ----------------------------------------------------------------------------


@pytest.fixture
def editor() -> User:
    return User.objects.create_superuser("editor", password="x")


def attached(heard: Heard) -> list[tuple[Any, Any, str]]:
    return [
        (arguments["image"], arguments["record"], arguments["field"])
        for name, _sender, arguments in heard
        if name == "image_attached"
    ]


def article_form(user: User, **data: Any) -> ArticleForm:
    form = ArticleForm({"title": "Open late", **data}, user=user)
    assert form.is_valid(), form.errors
    return form


def test_choosing_in_a_form(heard: Heard, editor: User) -> None:
    image = stored()
    article = article_form(editor, hero=str(image.uuid)).save()
    assert attached(heard) == [(image, article, "hero")]

    del heard[:]
    form = ArticleForm(
        {"title": "Open later", "hero": str(image.uuid)}, instance=article, user=editor
    )
    form.save()
    assert heard == []  # the same picture as before
    article.save()
    assert heard == []


def test_having_one_made_in_a_form(heard: Heard, editor: User) -> None:
    data = {"hero-prompt": "A fox", "hero-make": "1", "hero-request": str(uuid.uuid4())}
    article = article_form(editor, **data).save()
    assert names(heard) == ["image_requested", "image_attached"]
    ((image, record, field),) = attached(heard)
    assert (image.pk, record.pk, field) == (article.hero_id, article.pk, "hero")


def test_a_record_that_is_not_saved_gets_nothing(heard: Heard, editor: User) -> None:
    form = article_form(editor, hero=str(stored().uuid))
    Article.objects.create(title="Open late")
    with pytest.raises(IntegrityError):
        form.save()
    assert heard == []


def test_the_action_of_an_admin_and_an_image_field(
    twin: Simulator,
    heard: Heard,
) -> None:
    """A plain ``ImageField`` has its picture when the worker has copied the file."""
    article = Article.objects.create(title="Open late")
    image = GeneratedImage.objects.generate(
        "A fox",
        target_type=ContentType.objects.get_for_model(Article),
        target_id=str(article.pk),
        target_field="cover",
    )
    drain_to_end(image)
    ((told, record, field),) = attached(heard)
    assert (told, record, field) == (image, article, "cover")
    assert record.cover.name.startswith("covers/")
    assert names(heard)[-2:] == ["image_completed", "image_attached"]


def run_for(article: Article, *, approve: bool) -> Run:
    """What the admin's action makes of one record."""
    target = targets.columns(article, Article._meta.get_field("hero"))
    run = Run.objects.prepare([{"prompt": "A fox", **target}], name="Heroes", approve=approve)
    run.start()
    return run


def test_a_run_that_asks_nobody(heard: Heard) -> None:
    article = Article.objects.create(title="Open late")
    image = run_for(article, approve=False).images.get()
    assert attached(heard) == [(image, article, "hero")]
    assert attached(heard)[0][1].hero == image


def test_a_run_whose_pictures_are_approved(heard: Heard) -> None:
    article = Article.objects.create(title="Open late")
    image = run_for(article, approve=True).images.get()
    assert attached(heard) == []
    GeneratedImage.objects.update(status=Status.COMPLETED, file="a.png", uploaded=True)
    for _press in range(2):
        assert approving.approve(image)
    assert attached(heard) == [(image, article, "hero")]


def test_a_fixed_place(heard: Heard, editor: User, client: Client) -> None:
    image = stored()
    client.force_login(editor)
    data = {"name": "Top", "key": "top", "image": str(image.uuid)}
    client.post("/admin/ideogram_django/place/add/", data)
    place = Place.objects.get()
    assert attached(heard) == [(image, place, "image")]
    url = f"/admin/ideogram_django/place/{place.pk}/change/"
    client.post(url, {**data, "name": "Very top"})
    assert len(attached(heard)) == 1


# --- the documentation ----------------------------------------------------------------------------


def test_the_page_names_every_signal_with_its_arguments(heard: Heard) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", page("signals.md"), re.MULTILINE)
    assert [name for name, _arguments in rows] == ALL
    told = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in rows}
    assert told.pop("image_attached") == {"image", "record", "field"}
    assert all(told[name] == {name.partition("_")[0]} for name in told)


def test_the_receivers_of_the_page(
    tmp_path: Path,
    editor: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "newsroom")
    before = {name: list(getattr(signals, name).receivers) for name in ALL}
    with written("signals.md", tmp_path):
        import newsroom.receivers  # type: ignore[import-not-found]  # noqa: F401
        from newsroom.reconciling import not_told  # type: ignore[import-not-found]

        try:
            run = prepared(1)
            run.start()
            run.halt()
            image = stored()
            article_form(editor, hero=str(image.uuid)).save()
            assert not_told() == [image]
            GeneratedImage.objects.update(extra={"told": True})
            assert not_told() == []
            failing = sent()
            sending.rejected(failing, "no")
        finally:
            for name, receivers in before.items():
                getattr(signals, name).receivers = receivers
                getattr(signals, name).sender_receivers_cache.clear()
    assert [record.getMessage() for record in caplog.records if "newsroom" in record.name] == [
        "“Harbours” is paused: Somebody paused it.",
        "Open late got A lake as its hero",
        f"No picture for 'A fox': {ErrorCode.REJECTED.label}",
    ]


# --- runs -----------------------------------------------------------------------------------------


def runs(heard: Heard) -> list[tuple[str, Any]]:
    return [(name, arguments["run"]) for name, sender, arguments in heard if sender is Run]


def prepared(count: int, **options: Any) -> Run:
    prompts = [{"prompt": f"Harbour {number}"} for number in range(count)]
    return Run.objects.prepare(prompts, **{"name": "Harbours", **options})


def test_a_run_to_its_end(twin: Simulator, heard: Heard) -> None:
    run = prepared(2)
    run.start()
    drain_until(lambda: Run.objects.filter(state=Run.State.FINISHED).exists())
    drain(2)
    ((name, told),) = runs(heard)
    assert (name, told) == ("run_finished", run)
    assert told.report().completed == 2
    assert names(heard).count("image_requested") == 2


def test_a_run_that_is_paused_and_stopped(heard: Heard) -> None:
    run = prepared(2, ceiling=Decimal("0.03"))
    run.start()
    run.halt()
    run.resume()
    feeding.feed(conf.current())  # one, and then it has come to its ceiling
    ledger.settle(Charge.objects.get(), None)
    GeneratedImage.objects.filter(status=Status.PENDING).update(status=Status.COMPLETED)
    feeding.feed(conf.current())
    run.refresh_from_db()
    run.stop()
    with pytest.raises(ValidationError):
        run.stop()
    told = [(name, one.pause) for name, one in runs(heard)]
    assert told == [
        ("run_paused", RunPause.PERSON),
        ("run_paused", RunPause.CEILING),
        ("run_stopped", ""),
    ]
    assert Charge.objects.count() == 1

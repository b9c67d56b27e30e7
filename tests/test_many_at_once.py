"""Answers that come in together are saved together, and the odd one out as carefully as ever."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Timer
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Model
from django.test.utils import CaptureQueriesContext

from ideogram_django import conf
from ideogram_django.apiframe.payloads import Job, JobStatus
from ideogram_django.drains import loop, polling
from ideogram_django.drains.submitting import Submitting
from ideogram_django.drains.tasks import Task
from ideogram_django.lifecycle import sending, settling, transitions, watching
from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from tests.drain import configured, drain, make_due, twin

__all__ = ["twin"]


def ask_for(count: int, mark: str = "[forever]") -> list[GeneratedImage]:
    return GeneratedImage.objects.generate_many([{"prompt": f"{mark} {n}"} for n in range(count)])


def being_sent(count: int) -> list[GeneratedImage]:
    ask_for(count)
    return transitions.claim(
        GeneratedImage.objects.all(), limit=count, lease=60, to=Status.SUBMITTING
    )


def with_jobs(images: Sequence[GeneratedImage]) -> list[tuple[GeneratedImage, str]]:
    return [(image, str(uuid.uuid4())) for image in images]


def statuses() -> set[str]:
    return set(GeneratedImage.objects.values_list("status", flat=True))


# --- waiting for company --------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(("backlog", "taken"), [(0, 2), (1, 1)], ids=["idle", "more to give out"])
def test_an_answer_waits_for_the_next_one_while_there_is_nothing_else_to_do(
    settings: Any, monkeypatch: pytest.MonkeyPatch, backlog: int, taken: int
) -> None:
    configured(settings, CONCURRENCY=2)
    monkeypatch.setattr(loop, "GATHER", 30.0)
    monkeypatch.setattr(loop, "CLAIM_FROM", 0.5)  # there is never room enough to look for more
    work = loop._Drain(conf.current())
    task = Task(images=(), run=lambda: None, done=lambda _answer: None)
    answers = [Future[Any](), Future[Any]()]
    work.running = dict.fromkeys(answers, task)
    work.backlog.extend([task] * backlog)
    work.ready.put(answers[0])
    after = Timer(0.2, work.ready.put, [answers[1]])
    after.start()
    try:
        assert len(work._ready()) == taken
    finally:
        after.join()
        work.close()


# --- sending --------------------------------------------------------------------------------------


def test_bodies_are_frozen_for_all_at_once(twin: Simulator) -> None:
    images = being_sent(5)
    with CaptureQueriesContext(connection) as queries:
        frozen = sending.freeze_all(images, conf.current(), {})
    assert len(queries) == 1
    for image, one in zip(images, frozen, strict=True):
        charge = Charge.objects.get(pk=image.charge_id)
        assert charge.body.encode() == one.body
        assert image.prompt in charge.body
        assert (charge.sendings, charge.first_sent_at is not None) == (1, True)
    again = sending.freeze_all(being_sent_again(images), conf.current(), {})
    assert again == frozen
    assert set(Charge.objects.values_list("sendings", flat=True)) == {2}


def test_a_body_that_somebody_else_froze_meanwhile_is_the_one_that_is_sent(
    twin: Simulator,
) -> None:
    images = being_sent(3)
    theirs = {"body": '{"model":"theirs"}', "idempotency_key": uuid.uuid4(), "sendings": 4}
    Charge.objects.filter(pk=images[1].charge_id).update(**theirs)
    frozen = sending.freeze_all(images, conf.current(), {})
    charges = [Charge.objects.get(pk=image.charge_id) for image in images]
    assert [one.body.decode() for one in frozen] == [charge.body for charge in charges]
    assert [one.idempotency_key for one in frozen] == [str(one.idempotency_key) for one in charges]
    assert frozen[1].body.decode() == theirs["body"]
    assert [charge.sendings for charge in charges] == [1, 4, 1]
    assert images[1].charge is not None
    assert images[1].charge.body == theirs["body"]


def being_sent_again(images: Sequence[GeneratedImage]) -> list[GeneratedImage]:
    return [GeneratedImage.objects.select_related("charge").get(pk=image.pk) for image in images]


def test_ids_are_saved_for_all_at_once(twin: Simulator) -> None:
    jobs = with_jobs(being_sent(5))
    with CaptureQueriesContext(connection) as queries:
        assert sending.accepted_together(jobs, first_check=60)
    assert len([one for one in queries if one["sql"].startswith("UPDATE")]) == 2
    for image, job_id in jobs:
        row = GeneratedImage.objects.select_related("charge").get(pk=image.pk)
        assert (row.status, row.job_id, row.claim) == (Status.SUBMITTED, job_id, None)
        assert row.charge is not None
        assert (row.charge.job_id, row.charge.maybe_sent) == (job_id, True)


def test_nothing_is_saved_together_where_a_webhook_was_faster(twin: Simulator) -> None:
    jobs = with_jobs(being_sent(3))
    GeneratedImage.objects.filter(pk=jobs[1][0].pk).update(job_id=str(uuid.uuid4()))
    assert not sending.accepted_together(jobs, first_check=60)
    assert statuses() == {Status.SUBMITTING}
    assert not Charge.objects.filter(job_id__isnull=False).exists()


def test_nothing_is_saved_together_where_a_job_belongs_to_another(twin: Simulator) -> None:
    images = being_sent(3)
    first = str(uuid.uuid4())
    assert sending.accepted(images[0], first, first_check=60)
    assert not sending.accepted_together(
        [(images[1], first), (images[2], str(uuid.uuid4()))], first_check=60
    )
    assert GeneratedImage.objects.filter(status=Status.SUBMITTING).count() == 2


def test_one_whose_answer_gets_lost_among_many_is_the_only_doubtful_one(twin: Simulator) -> None:
    ask_for(6)
    twin.fail_next("cut", 1)
    drain()
    sent = GeneratedImage.objects.filter(status=Status.SUBMITTED)
    assert (sent.count(), sent.filter(charge__job_id=F("job_id")).count()) == (5, 5)
    doubtful = GeneratedImage.objects.get(status=Status.SUBMITTING)
    assert Charge.objects.get(pk=doubtful.charge_id).maybe_sent


def test_where_saving_together_fails_each_is_saved_by_itself(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(self: Submitting, answers: Sequence[Any]) -> None:
        asked.append(len(answers))
        raise RuntimeError("a bug")

    monkeypatch.setattr(Submitting, "_posted_together", broken)
    ask_for(8)
    drain()
    assert asked, "Answers never came in together"
    assert statuses() == {Status.SUBMITTED}


def test_what_a_claim_reads_is_all_that_sending_and_polling_need(
    twin: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that it left out would be read for each picture by itself."""
    read_later: list[str] = []

    def watched(self: Any, *arguments: Any, fields: Any = None, **options: Any) -> None:
        read_later.extend(fields or ())
        reload(self, *arguments, fields=fields, **options)

    reload = Model.refresh_from_db
    monkeypatch.setattr(Model, "refresh_from_db", watched)
    with configured(settings, POLL_INTERVAL=60):
        ask_for(20)
        drain()
        for image in GeneratedImage.objects.all()[:5]:  # not in the list: asked about singly
            GeneratedImage.objects.filter(pk=image.pk).update(job_id=str(uuid.uuid4()))
        make_due()
        drain()
    assert set(GeneratedImage.objects.values_list("checks", flat=True)) == {1}
    assert read_later == []


@pytest.mark.parametrize("columns", [sending.COLUMNS, watching.COLUMNS], ids=["send", "poll"])
def test_what_a_claim_reads_is_what_django_would_have_loaded(
    twin: Simulator, columns: Sequence[str]
) -> None:
    parameters = {"style_reference_images": ["https://example.com/a.png"], "seed": 7}
    GeneratedImage.objects.generate_many([{"prompt": f"A fox {n}", **parameters} for n in range(3)])
    claimed = transitions.claim(GeneratedImage.objects.all(), limit=3, lease=60, only=columns)
    assert len(claimed) == 3
    loaded = GeneratedImage.objects.select_related("charge").in_bulk()
    asked = {name.removeprefix("charge__") for name in columns if name.startswith("charge__")}
    for image in claimed:
        same = loaded[image.pk]
        assert image == same
        assert (image._state.db, image._state.adding) == (same._state.db, False)
        names = [name for name in columns if not name.startswith("charge__")]
        with CaptureQueriesContext(connection) as queries:
            told = [getattr(image, name) for name in names if name != "charge"]
            charge = image.charge if asked else None
            of_charge = [getattr(charge, name) for name in asked]
        assert not queries.captured_queries
        assert told == [getattr(same, name) for name in names if name != "charge"]
        assert of_charge == [getattr(same.charge, name) for name in asked]
        assert image.charge == same.charge
        assert (image.extra, image.price) == (same.extra, same.price)  # read when asked for
        image.refresh_from_db()
        image.save()


# --- polling --------------------------------------------------------------------------------------


def polled(count: int) -> list[GeneratedImage]:
    ask_for(count)
    drain()
    make_due()
    return transitions.claim(GeneratedImage.objects.all(), limit=count, lease=60)


def running(image: GeneratedImage, progress: int | None) -> Job:
    return Job(id=str(image.job_id), status=JobStatus.PROCESSING, progress=progress)


def test_what_is_under_way_is_noted_for_all_at_once(twin: Simulator) -> None:
    images = polled(4)
    told = [10, 20, None, 20]
    with CaptureQueriesContext(connection) as queries:
        changed = settling.still_running(
            [(image, running(image, p), 60.0) for image, p in zip(images, told, strict=True)]
        )
    assert (changed, len(queries)) == (4, 1)
    rows = {row.pk: row for row in GeneratedImage.objects.all()}
    assert [rows[image.pk].progress for image in images] == [10, 20, images[2].progress, 20]
    assert {row.claim for row in rows.values()} == {None}
    assert statuses() == {Status.PROCESSING}


def test_who_lost_its_claim_is_not_touched(twin: Simulator) -> None:
    images = polled(3)
    other = uuid.uuid4()
    GeneratedImage.objects.filter(pk=images[0].pk).update(claim=other)
    changed = settling.still_running([(image, running(image, 50), 60.0) for image in images])
    assert changed == 2
    taken_over = GeneratedImage.objects.get(pk=images[0].pk)
    assert (taken_over.claim, taken_over.checks) == (other, images[0].checks)


@pytest.fixture
def walking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful counts as very many; nothing is left of an earlier walk."""
    monkeypatch.setattr(polling, "WALK_FROM", 5)
    monkeypatch.setattr(polling, "PAGE", 5)
    monkeypatch.setattr(polling, "_walks", {})


def asked_for_jobs(twin: Simulator) -> tuple[int, int]:
    """Pages of the list that were read, and single jobs."""
    paths = [one.path for one in twin.requests if one.method == "GET"]
    lists = [path for path in paths if path.startswith("/v2/jobs") and "/v2/jobs/" not in path]
    return len(lists), len([path for path in paths if path.startswith("/v2/jobs/")])


def test_very_many_are_asked_about_page_by_page(
    twin: Simulator, settings: Any, walking: None
) -> None:
    with configured(settings, POLL_INTERVAL=60):
        ask_for(20)
        drain()
        make_due()
        before = asked_for_jobs(twin)
        drain()
    pages, singles = (a - b for a, b in zip(asked_for_jobs(twin), before, strict=True))
    assert (pages, singles) == (4, 0)
    assert set(GeneratedImage.objects.values_list("checks", flat=True)) == {1}


def test_what_the_list_does_not_have_is_asked_about_one_by_one(
    twin: Simulator, settings: Any, walking: None
) -> None:
    with configured(settings, POLL_INTERVAL=60):
        ask_for(12)
        drain()
        lost = GeneratedImage.objects.all()[:8]
        for image in lost:
            GeneratedImage.objects.filter(pk=image.pk).update(job_id=str(uuid.uuid4()))
        make_due()
        drain()
    assert set(GeneratedImage.objects.values_list("checks", flat=True)) == {1}
    assert GeneratedImage.objects.filter(not_found=1).count() == 8

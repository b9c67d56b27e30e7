"""Bulk runs: prepared, started a few at a time, paused, stopped, and true to the cent."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Sum

from ideogram_django import conf, lifecycle
from ideogram_django.models import Charge, GeneratedImage, Run, SpendingLimit
from ideogram_django.runs import feeding
from ideogram_django.statuses import ChargeState, RunPause, Status

pytestmark = pytest.mark.django_db

DRAFT = Decimal("0.03")


def prepared(count: int = 6, **options: Any) -> Run:
    prompts = [{"prompt": f"Harbour {number}"} for number in range(1, count + 1)]
    return Run.objects.prepare(prompts, **{"name": "Harbours", "at_once": 2, **options})


def feed() -> int:
    return feeding.feed(conf.current())


def count(run: Run, *statuses: Status) -> int:
    return run.images.filter(status__in=statuses).count()


# --- preparing ------------------------------------------------------------------------------------


def test_preparing_spends_nothing_and_tells_the_price():
    run = prepared(6)

    report = run.report()
    assert run.state == Run.State.PREPARED
    assert (report.count, report.waiting) == (6, 6)
    assert report.to_come == 6 * DRAFT
    assert report.committed == 0
    assert Charge.objects.count() == 0
    assert feed() == 0


def test_one_wrong_line_and_nothing_is_written():
    with pytest.raises(ValidationError, match="Picture 2"):
        Run.objects.prepare([{"prompt": "A"}, {"prompt": ""}], name="Wrong")
    assert Run.objects.count() == GeneratedImage.objects.count() == 0


def test_an_empty_list_is_refused():
    with pytest.raises(ValidationError, match="nothing to make"):
        Run.objects.prepare([], name="Empty")


def test_preparing_twice_with_one_id_is_one_run():
    run_id = uuid.uuid4()
    first = prepared(3, run_id=run_id)
    second = prepared(3, run_id=run_id)
    assert first == second
    assert GeneratedImage.objects.count() == 3


# --- running --------------------------------------------------------------------------------------


def test_never_more_in_progress_than_the_run_may():
    run = prepared(5)
    run.start()

    assert feed() == 2
    assert feed() == 0
    assert count(run, Status.PENDING) == 2
    assert count(run, Status.DRAFT) == 3


def test_a_run_comes_to_its_end_and_the_ledger_agrees(ideogram):
    run = prepared(5)
    run.start()
    for _round in range(5):
        feed()
        ideogram.finish()
    feed()

    run.refresh_from_db()
    report = run.report()
    assert run.state == Run.State.FINISHED
    assert run.finished_at is not None
    assert (report.completed, report.done, report.percent) == (5, 5, 100)
    settled = Charge.objects.filter(state=ChargeState.SETTLED).aggregate(sum=Sum("charged"))["sum"]
    assert report.charged == report.committed == settled == 5 * DRAFT
    ideogram.assert_charged(credits=15)


def test_the_drain_feeds_it(ideogram):
    run = prepared(2)
    run.start()
    ideogram.step()
    ideogram.finish()
    ideogram.step()

    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert count(run, Status.COMPLETED) == 2


def test_its_pictures_give_way_to_single_ones():
    run = prepared(2)
    assert set(run.images.values_list("bulk", flat=True)) == {True}


# --- brakes ---------------------------------------------------------------------------------------


def test_pausing_starts_nothing_more_and_resuming_goes_on():
    run = prepared(5)
    run.start()
    feed()
    run.halt()
    GeneratedImage.objects.filter(status=Status.PENDING).update(status=Status.FETCHING)

    assert feed() == 0
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.PERSON)

    run.resume()
    GeneratedImage.objects.filter(status=Status.FETCHING).update(status=Status.COMPLETED)
    assert feed() == 2


def test_a_pause_holds_back_what_was_not_sent_yet(ideogram, settings):
    run = prepared(9, at_once=8)
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IN_FLIGHT": 2}
    run.start()
    ideogram.step()
    sent = len(ideogram.generated)
    assert sent < 8

    run.halt()
    ideogram.finish()

    assert len(ideogram.generated) == sent
    report = run.report()
    assert (report.completed, report.waiting, report.reserved) == (sent, 9 - sent, 0)
    assert report.charged == sent * DRAFT
    run.resume()
    ideogram.finish()
    assert (run.report().completed, len(ideogram.generated)) == (9, 9)
    assert run.report().charged == 9 * DRAFT
    ideogram.assert_charged(credits=27)


def test_what_may_have_been_sent_is_not_held_back():
    run = prepared(2)
    run.start()
    feed()
    first, second = run.pictures
    Charge.objects.filter(pk=first.charge_id).update(maybe_sent=True)

    run.halt()

    assert list(run.pictures.values_list("status", flat=True)) == [Status.PENDING, Status.DRAFT]
    assert run.report().reserved == DRAFT
    assert Charge.objects.get(pk=second.charge_id).state == ChargeState.RELEASED


def test_a_pause_for_want_of_money_lets_go_on_what_is_paid_for(ideogram):
    run = prepared(4, ceiling=2 * DRAFT, at_once=4)
    run.start()
    feed()
    feed()
    ideogram.finish()
    run.refresh_from_db()
    assert (run.pause, run.report().completed) == (RunPause.CEILING, 2)


@pytest.mark.parametrize("state", ["prepared", "running", "paused"])
def test_nobody_starts_a_runs_drafts_past_it(state):
    run = prepared(3, ceiling=Decimal(0))
    if state != "prepared":
        run.start()
    if state == "paused":
        run.halt()
    with pytest.raises(ValidationError, match="bulk run") as refused:
        run.pictures[2].generate()
    assert refused.value.code == "of_a_run"
    assert Charge.objects.count() == 0

    run.stop()
    run.pictures[2].generate()  # nobody else does any more
    assert Charge.objects.count() == 1


@pytest.mark.parametrize("verb", ["start", "resume"])
def test_what_is_to_come_is_told_at_the_price_that_is_paid(settings, verb):
    run = prepared(3)
    if verb == "resume":
        run.start()
        run.halt()
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "PRICES": {"ideogram-v4-turbo": 5},
    }
    getattr(run, verb)()
    assert run.report().to_come == Decimal("0.15")


def test_stopping_gives_back_what_was_not_sent():
    run = prepared(5)
    run.start()
    feed()

    run.stop()

    report = run.report()
    assert (run.state, run.is_over) == (Run.State.STOPPED, True)
    assert (report.by_status["cancelled"], report.waiting) == (2, 3)
    assert report.committed == 0
    assert feed() == 0
    with pytest.raises(ValidationError, match="Stopped"):
        run.resume()


def test_it_stops_at_its_ceiling_to_the_cent(ideogram):
    run = prepared(5, ceiling=Decimal("0.10"), at_once=4)
    run.start()
    for _round in range(4):
        feed()
        ideogram.finish()

    run.refresh_from_db()
    report = run.report()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.CEILING)
    assert report.committed == Decimal("0.09")
    assert (report.completed, report.waiting) == (3, 2)

    Run.objects.filter(pk=run.pk).update(ceiling=Decimal("0.15"))
    run.resume()
    assert feed() == 2


def test_a_refund_makes_room_below_the_ceiling(ideogram):
    prompts = ["Harbour [fail]", *["Harbour"] * 4]
    run = Run.objects.prepare(
        [{"prompt": one} for one in prompts], name="Harbours", at_once=3, ceiling=3 * DRAFT
    )
    run.start()
    assert feed() == 3
    # One has failed, and the provider is being asked what became of its credits.
    run.images.filter(prompt="Harbour [fail]").update(status=Status.FAILED)

    assert feed() == 0
    assert not feeding.hungry(conf.current())
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING

    run.images.filter(status=Status.FAILED).update(status=Status.PENDING)
    for _round in range(3):
        ideogram.finish()
        feed()
    run.refresh_from_db()
    report = run.report()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.CEILING)
    assert (report.completed, report.failed, report.charged) == (3, 1, 3 * DRAFT)


def test_a_spending_limit_pauses_it_and_is_never_passed():
    user = User.objects.create_user("editor")
    SpendingLimit.objects.create(user=user, amount=Decimal("0.07"))
    run = prepared(5, requested_by=user, at_once=5)
    run.start()

    assert feed() == 2
    assert feed() == 0
    run.refresh_from_db()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.LIMIT)


def test_with_spending_switched_off_it_waits(settings):
    run = prepared(2)
    run.start()
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    assert feed() == 0
    assert not feeding.hungry(conf.current())
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING


@pytest.mark.parametrize("verb", ["halt", "resume"])
def test_what_is_not_running_cannot_be_braked(verb):
    run = prepared(1)
    with pytest.raises(ValidationError) as refused:
        getattr(run, verb)()
    assert refused.value.code == "run_state"


def test_starting_twice_is_refused():
    run = prepared(1)
    run.start()
    with pytest.raises(ValidationError):
        Run.objects.get(pk=run.pk).start()


# --- what can go wrong ----------------------------------------------------------------------------


def test_a_draft_that_can_no_longer_be_made_is_passed_over(settings):
    run = prepared(3, at_once=3)
    run.images.filter(prompt="Harbour 2").update(model="ideogram-gone")
    run.start()

    assert feed() == 2
    left = run.images.get(status=Status.DRAFT)
    assert left.prompt == "Harbour 2"
    assert "ideogram-gone" in left.error_detail
    assert run.report().unusable == 1


def test_failures_are_told_by_kind_and_can_be_tried_again(ideogram):
    prompts = ["Harbour [fail]", "Harbour [policy]", "Harbour"]
    run = Run.objects.prepare([{"prompt": p} for p in prompts], name="Harbours", at_once=3)
    run.start()
    feed()
    ideogram.finish()
    feed()

    run.refresh_from_db()
    report = run.report()
    assert run.state == Run.State.FINISHED
    assert report.failed == 2
    assert dict(report.by_error) == {"provider_failed": 1, "refused": 1}
    assert report.charged == DRAFT

    again = run.try_failures_again()
    assert (again.state, again.again_of) == (Run.State.PREPARED, run)
    (one,) = again.images.all()
    assert one.parent.error_code == "provider_failed"

    with pytest.raises(ValidationError, match="Nothing failed"):
        again.try_failures_again()


def test_what_was_tried_again_by_itself_is_not_paid_for_twice(ideogram):
    run = Run.objects.prepare([{"prompt": "Harbour"}] * 2, name="Harbours", at_once=3)
    ideogram.fail_next(count=2)
    run.start()
    ideogram.finish()
    assert run.report().failed == 2
    again = run.try_failures_again()

    run.pictures[0].retry(confirm_charge=True)
    again.start()
    ideogram.finish()

    report = again.report()
    assert (report.completed, report.unusable) == (1, 1)
    assert "by itself meanwhile" in again.images.get(status=Status.DRAFT).error_detail
    assert GeneratedImage.objects.completed().count() == 2
    ideogram.assert_charged(credits=6)


def test_the_report_outlives_deleted_pictures(ideogram):
    run = prepared(2)
    run.start()
    feed()
    ideogram.finish()
    run.images.all().delete()
    assert run.report().charged == 2 * DRAFT


def test_profiles_are_composed_once():
    from ideogram_django.models import ProfileVersion, PromptProfile

    profile = PromptProfile.objects.create(name="season")
    ProfileVersion.objects.create(profile=profile, number=1, suffix="Linocut.")
    run = prepared(1, profile="season")
    run.start()
    feed()
    image = run.images.get()
    assert (image.prompt, image.typed_prompt) == ("Harbour 1 Linocut.", "Harbour 1")
    assert image.profile_version == 1


# --- fair to everybody ----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 8])
def test_a_single_picture_is_sent_before_a_runs_next_ones(ideogram, settings, threads):
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "CONCURRENCY": threads}
    run = prepared(200, at_once=20)
    run.start()
    assert feed() == 20
    # They are done, and the run's next ones are due before anybody asks for anything.
    GeneratedImage.objects.in_progress().update(status=Status.COMPLETED, next_check_at=None)
    assert feed() == 20
    due = set(run.images.filter(status=Status.PENDING).values_list("uuid", flat=True))

    mine = GeneratedImage.objects.generate("An editor's picture")
    for _slice in range(10):  # one is enough, but where the machine is busy with something else
        ideogram.step()
        let_go = dict(Charge.objects.values_list("image_id", "first_sent_at"))
        if sent := [one for one in due if let_go[one]]:
            break

    # The order in which the drain lets them go. In which they arrive is the threads' and the
    # network's affair: eight begin at the same moment.
    assert sent
    assert all(let_go[mine.uuid] <= let_go[one] for one in sent)


def test_runs_take_turns():
    first, second = prepared(4, at_once=1), prepared(4, at_once=1)
    for run in (first, second):
        run.start()
    user = User.objects.create_user("editor")
    SpendingLimit.objects.create(user=user, amount=Decimal("0.09"))
    Run.objects.update(requested_by=user)
    GeneratedImage.objects.update(requested_by=user)
    for _round in range(3):
        feed()
        GeneratedImage.objects.filter(status=Status.PENDING).update(status=Status.COMPLETED)
    made = [count(run, Status.COMPLETED) for run in (first, second)]
    assert sorted(made) == [1, 2]


def test_never_more_at_the_provider_than_the_site_allows(ideogram, settings):
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IN_FLIGHT": 3}
    run = prepared(10, at_once=8)
    run.start()
    most = 0
    for _step in range(12):
        ideogram.step()
        most = max(most, count(run, Status.SUBMITTING, Status.SUBMITTED, Status.PROCESSING))
    assert 0 < most <= 3
    assert count(run, Status.COMPLETED) == 10


def test_one_run_that_cannot_pay_keeps_no_other_waiting(monkeypatch):
    poor, rich = prepared(2), prepared(2)
    for run in (poor, rich):
        run.start()
    start_many = lifecycle.start_many

    def somebody_was_quicker(images: Any, **options: Any) -> None:
        if images[0].run_id == poor.pk:
            raise ValidationError("Somebody took the money.", code="over_limit")
        start_many(images, **options)

    monkeypatch.setattr(lifecycle, "start_many", somebody_was_quicker)
    assert feed() == 2
    assert count(rich, Status.PENDING) == 2
    poor.refresh_from_db()
    assert poor.state == Run.State.RUNNING


def test_one_run_that_breaks_the_feeding_keeps_no_other_waiting(monkeypatch):
    broken, sound = prepared(2), prepared(2)
    for run in (broken, sound):
        run.start()
    start_many = lifecycle.start_many

    def hook_of_the_site(images: Any, **options: Any) -> None:
        if images[0].run_id == broken.pk:
            raise ZeroDivisionError
        start_many(images, **options)

    monkeypatch.setattr(lifecycle, "start_many", hook_of_the_site)
    assert feed() == 2
    assert count(sound, Status.PENDING) == 2
    broken.refresh_from_db()
    assert broken.fed_at is not None  # the others come first the next time

"""A run is steered by several people and fed by several workers at the same moment."""

from __future__ import annotations

import uuid
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from ideogram_django import conf
from ideogram_django.admin.samples import Sample, make_sheet
from ideogram_django.lifecycle import transitions
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProfileVersion,
    PromptProfile,
    Run,
    SampleSheet,
    SpendingLimit,
    SpendingPeriod,
)
from ideogram_django.runs import feeding
from ideogram_django.statuses import ChargeState, Status
from tests.reliability import oracle
from tests.reliability.test_parallel_limits import at_once
from tests.reliability.world import World

pytestmark = pytest.mark.redis

PRICE = Decimal("0.03")


def prepared(count: int, **options: Any) -> Run:
    requests = [{"prompt": f"Harbour {number}"} for number in range(count)]
    return Run.objects.prepare(requests, **{"name": "Harbours", "at_once": 8, **options})


def feed() -> int:
    return sum(feeding.feed(conf.current()) for _round in range(3))


def test_four_workers_feed_one_run_up_to_its_ceiling_and_its_number(world: World) -> None:
    run = prepared(40, ceiling=7 * PRICE)
    run.start()
    assert sum(at_once([feed] * 4)) == 7
    assert run.report().committed == 7 * PRICE
    assert Charge.objects.count() == 7

    other = prepared(40)
    other.start()
    assert sum(at_once([feed] * 4)) == 8
    assert other.images.in_progress().count() == 8
    assert oracle.limits() == []


def test_two_runs_and_four_workers_share_one_limit(world: World) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.30"), period="day")
    runs = [prepared(40), prepared(40)]
    for run in runs:
        run.start()
    at_once([feed] * 4)
    assert SpendingPeriod.objects.get().committed == Charge.objects.count() * PRICE
    assert Charge.objects.count() <= 10
    feed()
    assert Charge.objects.count() == 10
    assert oracle.limits() == []


def test_failures_are_tried_again_once_whoever_presses(world: World) -> None:
    run = prepared(3)
    run.start()
    feed()
    run.images.update(status=Status.FAILED, error_code="provider_failed", next_check_at=None)
    presses = at_once([lambda: Run.objects.get(pk=run.pk).try_failures_again()] * 4)
    assert sum(isinstance(one, Run) for one in presses) == 1
    assert presses.count("nothing_failed") == 3
    assert GeneratedImage.objects.filter(run__again_of=run).count() == 3


def test_a_pause_and_a_drain_that_takes_the_same_pictures(world: World) -> None:
    """Each is either taken, and its money stays reserved, or held back, and it is not."""
    run = prepared(40, at_once=40)
    run.start()
    assert feed() == 40

    def take() -> int:
        rows = GeneratedImage.objects.filter(status=Status.PENDING)
        claimed = partial(transitions.claim, rows, lease=60, to=Status.SUBMITTING)
        return sum(len(claimed(limit=4)) for _round in range(5))

    taken, _paused = at_once([take, lambda: Run.objects.get(pk=run.pk).halt()])
    by_status = run.report().by_status
    assert by_status.get(Status.SUBMITTING, 0) == taken
    assert by_status.get(Status.DRAFT, 0) == 40 - taken
    assert Charge.objects.filter(state=ChargeState.RESERVED).count() == taken
    assert run.report().committed == taken * PRICE
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED


def test_going_on_is_pressed_by_two(world: World) -> None:
    run = prepared(20)
    run.start()
    run.halt()

    def press() -> None:
        mine = Run.objects.get(pk=run.pk)
        mine.resume()
        feeding.feed_one(mine, conf.current())

    outcomes = at_once([press] * 3)
    assert sorted(outcomes, key=str) == [None, "run_state", "run_state"]
    assert run.images.in_progress().count() == 8


def test_a_sample_sheet_that_is_asked_for_twice_at_once_is_one(world: World) -> None:
    profile = PromptProfile.objects.create(name="season")
    version = ProfileVersion.objects.create(profile=profile, number=1, suffix="Linocut.")
    form = {"number": "1", "price": Sample.of(version).price, "request_id": str(uuid.uuid4())}
    sheets = at_once([partial(make_sheet, profile, by=None, **form)] * 4)
    assert sorted(fresh for _images, fresh in sheets) == [False, False, False, True]
    assert SampleSheet.objects.count() == 1
    assert Charge.objects.count() == GeneratedImage.objects.count() == len(profile.subjects)

"""A limit holds whatever the number of processes, and money is given back exactly once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.utils import load_backend
from django.utils import timezone

from ideogram_django.budget import ledger
from ideogram_django.lifecycle import transitions
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit, SpendingPeriod
from ideogram_django.statuses import ChargeState, Status
from tests.reliability import oracle
from tests.reliability.world import World, other_connection
from tests.site import ROOT

pytestmark = pytest.mark.redis

PRICE = Decimal("0.03")


def press_at_once(world: World, *, processes: int, presses: int, size: int) -> dict[str, int]:
    """What became of all presses together."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.reliability.settings",
        "TEST_SQLITE_NAME": world.site.database,
        "TEST_POSTGRES_NAME": world.site.database,
        "TEST_REDIS_URL": world.site.redis_url,
        "TEST_QUEUE": world.site.queue,
        "TEST_IDEOGRAM": json.dumps(world.site.ideogram),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.presses", str(presses), str(size)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _number in range(processes)
    ]
    try:
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        outcomes = [json.loads(one.communicate(timeout=90)[0]) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()
    return {name: sum(one[name] for one in outcomes) for name in outcomes[0]}


def test_a_hundred_presses_from_four_processes_against_room_for_ten(world: World) -> None:
    """Exactly ten rows, ten reservations, and not a cent above the limit."""
    SpendingLimit.objects.create(amount=Decimal("0.30"), period="day")
    outcome = press_at_once(world, processes=4, presses=25, size=1)
    assert outcome == {"taken": 10, "over_limit": 90}
    assert GeneratedImage.objects.filter(status=Status.PENDING).count() == 10
    assert Charge.objects.filter(state=ChargeState.RESERVED).count() == 10
    assert SpendingPeriod.objects.get().committed == Decimal("0.30")
    world.recover()
    oracle.check(world.twin, world.site)
    assert len(world.twin.ledger) == 10


def test_sheets_in_parallel_are_taken_whole_or_not_at_all(world: World) -> None:
    """Two limits, sheets of four, room for seven sheets and two pictures."""
    SpendingLimit.objects.create(amount=Decimal("0.90"), period="day")
    SpendingLimit.objects.create(amount=Decimal("5.00"), period="month")
    outcome = press_at_once(world, processes=3, presses=6, size=4)
    assert outcome == {"taken": 7, "over_limit": 11}
    assert GeneratedImage.objects.count() == Charge.objects.count() == 28
    assert set(SpendingPeriod.objects.values_list("committed", flat=True)) == {28 * PRICE}
    batches = list(GeneratedImage.objects.values_list("batch", flat=True))
    assert {batches.count(batch) for batch in batches} == {4}
    assert oracle.limits() == []


def at_once(actions: list[Callable[[], Any]], settings: Any = None) -> list[Any]:
    """Run them in threads with a database connection each, started together; what each gave."""
    barrier = threading.Barrier(len(actions))
    settings = settings or connections["default"].settings_dict
    outcomes: list[Any] = [None] * len(actions)

    def run(number: int) -> None:
        connection = load_backend(settings["ENGINE"]).DatabaseWrapper(dict(settings), "default")
        connections["default"] = connection
        try:
            barrier.wait(30)
            outcomes[number] = actions[number]()
        except ValidationError as error:
            outcomes[number] = error.code
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def test_release_and_settle_at_once_change_the_money_once(world: World) -> None:
    """Whoever is first decides; nobody gives the same reservation back a second time."""
    SpendingLimit.objects.create(amount=Decimal(1))
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 5)
    for image in images:
        outcomes = at_once(
            [
                partial(ledger.release, charge_of(image)),
                partial(ledger.settle, charge_of(image), 0),
                partial(ledger.settle, charge_of(image), None),  # an estimate, which may be mended
                partial(ledger.release, charge_of(image)),
            ]
        )
        assert outcomes.count(True) in (1, 2)
        assert charge_of(image).charged == 0
        assert oracle.limits() == []
    assert SpendingPeriod.objects.get().committed == 0


def test_a_cancel_pressed_by_everybody_gives_back_once(world: World) -> None:
    SpendingLimit.objects.create(amount=Decimal(1))
    image = GeneratedImage.objects.generate("A fox")
    outcomes = at_once([image_of(image).cancel for _number in range(6)])
    assert sorted(outcomes, key=str) == [None, *["already_sent"] * 5]
    assert SpendingPeriod.objects.get().committed == 0
    assert Charge.objects.get().state == ChargeState.RELEASED


def test_a_cancel_that_waits_for_a_claim_comes_too_late(world: World) -> None:
    """The claim is not committed yet when the button is pressed."""
    image = GeneratedImage.objects.generate("A fox")
    outcome = while_another_claims(image.cancel)
    assert outcome == "already_sent"
    assert image_of(image).status == Status.SUBMITTING
    assert Charge.objects.get().state == ChargeState.RESERVED


def test_a_claim_that_waits_for_another_gets_nothing(world: World) -> None:
    """Both have read the same row as due; one of them gets it."""
    GeneratedImage.objects.generate("A fox")
    rows = GeneratedImage.objects.filter(status=Status.PENDING)
    claim = partial(transitions.claim, rows, limit=5, lease=60, to=Status.SUBMITTING)
    assert while_another_claims(claim) == []


def while_another_claims(action: Callable[[], Any]) -> Any:
    """The action's outcome when somebody else's claim of every row is not committed yet."""
    outcomes: list[Any] = []
    settings = connections["default"].settings_dict
    table = GeneratedImage._meta.db_table
    soon = timezone.now() + timedelta(minutes=1)
    with other_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN" if other.vendor == "postgresql" else "BEGIN IMMEDIATE")
        cursor.execute(
            f"UPDATE {table} SET status = 'submitting', lease_until = %s",  # noqa: S608
            [soon if other.vendor == "postgresql" else str(soon.replace(tzinfo=None))],
        )
        thread = threading.Thread(target=lambda: outcomes.extend(at_once([action], settings)))
        thread.start()
        time.sleep(0.3)  # for the action to come to its UPDATE, and wait there
        cursor.execute("COMMIT")
        thread.join(30)
    return outcomes[0]


def test_a_cancel_against_a_claim(world: World) -> None:
    """Either it was cancelled and never sent, or it was sent and could not be cancelled."""
    SpendingLimit.objects.create(amount=Decimal(1))
    for _number in range(5):
        image = GeneratedImage.objects.generate("A fox")
        before = len(world.twin.ledger)
        outcome = at_once([image_of(image).cancel, world.work])[0]
        world.recover()
        image.refresh_from_db()
        sent = len(world.twin.ledger) - before
        assert (image.status, outcome, sent) in {
            (Status.CANCELLED, None, 0),
            (Status.COMPLETED, "already_sent", 1),
        }
    oracle.check(world.twin, world.site)


def test_a_retry_pressed_by_everybody_opens_one_charge(world: World) -> None:
    SpendingLimit.objects.create(amount=Decimal(1))
    image = GeneratedImage.objects.generate("A fox [fail]")
    world.recover()
    assert image_of(image).status == Status.FAILED
    outcomes = at_once([image_of(image).retry for _number in range(6)])
    assert outcomes.count(None) == 1
    assert Charge.objects.count() == 2
    assert SpendingPeriod.objects.get().committed == PRICE
    world.recover()
    oracle.check(world.twin, world.site)


def charge_of(image: GeneratedImage) -> Charge:
    return Charge.objects.get(image=image)


def image_of(image: GeneratedImage) -> GeneratedImage:
    return GeneratedImage.objects.get(pk=image.pk)

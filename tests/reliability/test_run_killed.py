"""A bulk run of a thousand prompts through everything: paused, its worker killed, resumed, stopped
at its ceiling. What it reports is what the ledger holds, and what the provider took, to the cent.

Each time, two pictures are on their way in that very moment: the provider has made and charged
them, and nobody has read its answer yet.
"""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ideogram_django.models import Charge, Run
from ideogram_django.statuses import RunPause, Status
from tests.reliability import oracle
from tests.reliability.world import World
from tests.site import wait_until

PRICE = Decimal("0.03")
CEILING = Decimal("0.90")
CSV = "prompt,aspect_ratio\n" + "".join(
    f'"A harbour, number {number}{" [fail]" if number % 20 == 7 else ""}",1:1\n'
    for number in range(1, 1001)
)
HURRY: dict[str, Any] = {"WIDTHS": [48], "POLL_INTERVAL": 0.1, "DRAIN_SLICE": 3, "LEASE": 3}

pytestmark = [
    pytest.mark.redis,
    pytest.mark.parametrize(
        "simulator_options",
        [{"seconds_per_job": 0.0, "credits": 10_000, "picture_long_side": 64}],
        ids=["fast"],
    ),
    pytest.mark.parametrize("changes", [HURRY], ids=["hurried"]),
]


def adds_up(world: World, run: Run, lines: list[dict[str, str]]) -> None:
    """Report, ledger, the lines of the export, and the provider's own ledger."""
    report = run.report()
    ledger = sum((one.charged or Decimal(0) for one in Charge.objects.all()), Decimal(0))
    taken = sum(one.credits for one in world.twin.ledger if not one.refunded)
    assert report.reserved == 0
    assert report.charged == report.committed == ledger == taken * Decimal("0.01")
    assert ledger == report.completed * PRICE
    assert len(lines) == report.count == 1000
    assert sum(Decimal(line["charged"]) for line in lines) == ledger
    assert [line["number"] for line in lines] == [str(number) for number in range(1, 1001)]
    oracle.check(world.twin, world.site)


def at_ceiling(run: Run) -> None:
    """As much as its ceiling lets it, and not a picture more."""
    report = run.report()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.CEILING)
    assert report.committed == CEILING
    assert report.completed == CEILING / PRICE
    assert report.failed > 0
    assert report.waiting == 1000 - report.completed - report.failed


def export(run: Run, client: Client) -> list[dict[str, str]]:
    response: Any = client.get(f"/admin/ideogram_django/run/{run.pk}/report/")
    content = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content)))


@pytest.fixture
def client(world: World, settings: Any) -> Client:
    settings.ROOT_URLCONF = "tests.urls"  # the admin, for this process
    client = Client()
    client.force_login(User.objects.create_superuser("admin", "a@example.com", "x"))
    return client


def done(run: Run) -> int:
    return int(run.images.filter(status=Status.COMPLETED).count())


def settled(run: Run) -> bool:
    run.refresh_from_db()
    waiting = run.images.filter(next_check_at__isnull=False)
    return run.state == Run.State.PAUSED and not waiting.exists()


def test_from_the_admin(world: World, client: Client) -> None:
    response = client.post(
        "/admin/ideogram_django/run/add/",
        {
            "run_id": "0f0f0f0f-0000-4000-8000-000000000001",
            "name": "Harbours",
            "file": SimpleUploadedFile("harbours.csv", CSV.encode()),
            "ceiling": str(CEILING),
            "at_once": "8",
        },
    )
    run = Run.objects.get()
    page = f"/admin/ideogram_django/run/{run.pk}"
    assert response.headers["Location"] == f"{page}/change/"

    def press(step: str, **data: str) -> None:
        client.post(f"{page}/step/", {"step": step, **data})
        run.refresh_from_db()

    def total_shown() -> str:
        shown = client.get(f"{page}/change/").content.decode()
        total = re.search(r'name="total" value="([^"]+)"', shown)
        assert total is not None
        return total[1]

    assert Decimal(total_shown()) == 1000 * PRICE
    world.site.start_worker()
    world.twin.hold("after", 2)
    press("start", total=total_shown())
    world.wait_held(2)
    world.wait(lambda: done(run) >= 3)

    press("pause")
    assert run.state == Run.State.PAUSED
    world.twin.release()
    world.wait(lambda: not run.images.in_progress().exists())
    assert run.report().waiting == 1000 - len(world.twin.jobs)

    world.twin.hold("after", 2)
    press("resume", total=total_shown())
    world.wait_held(2)
    world.site.processes[-1].kill()
    world.twin.release(drop=True)
    assert run.images.in_progress().exists()

    world.site.start_worker()
    world.site.start_sync("--wake")
    wait_until(lambda: settled(run), timeout=120, tell=world.site.describe)
    at_ceiling(run)

    client.post(f"{page}/stop/")
    run.refresh_from_db()
    assert run.state == Run.State.STOPPED
    world.recover()
    adds_up(world, run, export(run, client))


def test_from_the_command_line(world: World, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "harbours.csv"
    path.write_text(CSV)

    def command(*arguments: str) -> Any:
        return world.site.manage("command", "ideogram_generate", *arguments)

    world.twin.hold("after", 2)
    first = command(
        *("--csv", str(path), "--run", "Harbours", "--ceiling", str(CEILING)),
        # Two are held, so that one by one they do not reach the ceiling before Ctrl-C.
        *("--at-once", "3", "--yes", "--wait"),
    )
    world.wait(Run.objects.exists)
    run = Run.objects.get()
    world.wait_held(2)
    world.wait(lambda: done(run) >= 3)
    first.interrupt()
    world.wait(lambda: Run.objects.filter(state=Run.State.PAUSED).exists())
    world.twin.release()
    assert first.code() == 130
    run.refresh_from_db()
    assert (run.state, run.pause) == (Run.State.PAUSED, RunPause.PERSON)
    assert f"--resume {run.uuid}" in first.log.read_text()

    # Whoever works on it now is killed: the command is the worker.
    world.twin.hold("after", 2)
    second = command("--resume", str(run.uuid), "--yes", "--wait")
    world.wait_held(2)
    second.kill()
    world.twin.release(drop=True)
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING

    third = command("--resume", str(run.uuid), "--yes", "--wait")
    assert third.code() == 4
    assert "It has come to its ceiling." in third.log.read_text()
    run.refresh_from_db()
    at_ceiling(run)

    last = command("--stop", str(run.uuid))
    assert last.code() == 0
    run.refresh_from_db()
    assert run.state == Run.State.STOPPED
    world.recover()
    adds_up(world, run, export(run, client))
    assert "Charged $0.90, ceiling $0.90." in last.log.read_text()

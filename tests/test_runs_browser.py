"""Bulk runs as people meet them: a page that keeps itself up to date, and pages for everyone."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from ideogram_django import conf
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import feeding, targets
from ideogram_django.statuses import Status
from tests.accessibility import OUTSIDE, faults
from tests.browsing import Visit
from tests.magazine.models import Article

playwright = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
expect = playwright.expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RUNS = "/admin/ideogram_django/run/"
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmütze" * 2


def prepared(count: int = 4, **options: Any) -> Run:
    prompts = [{"prompt": f"Harbour {number} {LONG_WORD}"} for number in range(1, count + 1)]
    return Run.objects.prepare(prompts, **{"name": "Harbours", "at_once": 2, **options})


def page(run: Run) -> str:
    return f"{RUNS}{run.pk}/change/"


def feed() -> None:
    feeding.feed(conf.current())


def finish(run: Run, most: int = 100) -> None:
    """As a drain would, with a file for each."""
    for image in run.pictures.in_progress()[:most]:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 48), "navy").save(buffer, "PNG")
        name = image.file.storage.save("a.png", ContentFile(buffer.getvalue()))
        GeneratedImage.objects.filter(pk=image.pk).update(
            status=Status.COMPLETED, file=name, width=64, height=48, next_check_at=None
        )


def test_the_page_follows_its_run_to_the_end(visit: Visit) -> None:
    run = prepared()
    window = visit(page(run))
    expect(window.get_by_text("Nothing was sent, nothing was spent.")).to_be_visible()
    window.locator("#ideogram-run-start").focus()
    window.keyboard.press("Enter")
    expect(window.get_by_text("0 of 4 pictures are done.")).to_be_visible()
    expect(window.locator(".ideogram-run-busy li")).to_have_count(2)

    finish(run, 1)
    expect(window.get_by_text("1 of 4 pictures are done.")).to_be_visible()
    # All that the page knows of is done, and the next ones are not started yet.
    finish(run)
    expect(window.get_by_text("2 of 4 pictures are done.")).to_be_visible()
    expect(window.locator(".ideogram-run-busy li")).to_have_count(0)
    feed()
    expect(window.locator(".ideogram-run-busy li")).to_have_count(2, timeout=15_000)
    live = window.locator("[aria-live]")
    expect(live).to_have_text("The run goes on: 50% is done.")

    finish(run)
    feed()
    expect(window.get_by_text("4 of 4 pictures were made.")).to_be_visible(timeout=15_000)
    expect(live).to_have_text("Finished")
    expect(window.locator(".ideogram-run-newest img")).to_have_count(4)
    expect(window.locator("#ideogram-run-ceiling")).to_be_hidden()


def test_the_list_follows_them_too(visit: Visit) -> None:
    run = prepared()
    run.start()
    feed()
    window = visit(RUNS)
    expect(window.get_by_text("0 of 4 pictures are done.")).to_be_visible()
    finish(run)
    expect(window.get_by_text("2 of 4 pictures are done.")).to_be_visible()


def test_what_is_typed_as_a_ceiling_survives_the_news(visit: Visit) -> None:
    run = prepared()
    run.start()
    feed()
    window = visit(page(run))
    window.get_by_label("Ceiling (USD)").fill("12.5")
    finish(run, 1)
    expect(window.get_by_text("1 of 4 pictures are done.")).to_be_visible()
    expect(window.get_by_label("Ceiling (USD)")).to_have_value("12.5")
    expect(window.get_by_label("Ceiling (USD)")).to_be_focused()
    window.keyboard.press("Enter")
    expect(window.get_by_text("The ceiling was changed.")).to_be_visible()
    assert Run.objects.get(pk=run.pk).ceiling == Decimal("12.5")


def test_without_the_script_everything_works_by_loading_again(visit: Visit) -> None:
    window = visit(RUNS, javascript=False)
    window.get_by_role("link", name="Make pictures from a CSV file").click()
    window.get_by_label("Name").fill("Harbours")
    file = {"name": "harbours.csv", "mimeType": "text/csv", "buffer": b"prompt\nA harbour\nB\n"}
    window.get_by_label("CSV file").set_input_files(files=[file])
    window.get_by_label("At once").fill("1")
    window.get_by_role("button", name="Look it over").click()
    window.get_by_role("button", name="Start · $0.06").click()
    run = Run.objects.get()
    window.get_by_role("button", name="Pause").click()
    assert Run.objects.get().state == Run.State.PAUSED
    window.get_by_role("button", name="Go on · $0.06").click()
    finish(run)
    feed()
    window.reload()
    expect(window.get_by_text("1 of 2 pictures are done.")).to_be_visible()
    window.get_by_role("link", name="Stop…").click()
    window.get_by_role("button", name="Stop it for good").click()
    expect(window.get_by_text("The run was stopped.")).to_be_visible()
    assert Run.objects.get().state == Run.State.STOPPED


def proposing() -> Run:
    records = [Article.objects.create(title=f"Harbour {LONG_WORD} {one}") for one in range(3)]
    field = Article._meta.get_field("hero")
    run = Run.objects.prepare(
        [{"prompt": one.title, **targets.columns(one, field)} for one in records],
        name="Heroes",
        approve=True,
        at_once=9,
    )
    run.start()
    feed()
    finish(run)
    feed()
    return run


def test_proposals_are_ticked_and_approved(visit: Visit) -> None:
    run = proposing()
    window = visit(page(run))
    window.get_by_role("link", name="Look at 3 proposals…").click()
    window.get_by_role("checkbox").nth(1).check()
    window.get_by_role("button", name="Approve the ticked ones").click()
    expect(window.get_by_text("The picture was approved.")).to_be_visible()
    window.get_by_role("button", name="Reject: Harbour").first.click()
    expect(window.get_by_text("The picture was rejected.")).to_be_visible()
    images = list(run.pictures)
    assert [one.hero for one in Article.objects.order_by("pk")] == [None, images[1], None]


def at_its_ceiling() -> str:
    run = prepared(ceiling=Decimal("0.03"), at_once=1)
    run.start()
    feed()
    run.images.in_progress().update(status=Status.FAILED, error_code="provider_failed")
    Run.objects.update(ceiling=Decimal("0.01"), state="paused", pause="ceiling")
    return page(run)


def running() -> str:
    run = prepared(30, at_once=4)
    run.start()
    feed()
    finish(run, 2)
    return page(run)


def proposals() -> str:
    return f"{RUNS}{proposing().pk}/proposals/"


def stopping() -> str:
    run = prepared()
    run.start()
    return f"{RUNS}{run.pk}/stop/"


def listed() -> str:
    at_its_ceiling()
    running()
    return RUNS


@pytest.mark.parametrize(
    "prepare",
    [
        listed,
        lambda: RUNS,
        lambda: f"{RUNS}add/",
        lambda: page(prepared()),
        running,
        at_its_ceiling,
        stopping,
        proposals,
    ],
    ids=["list", "empty list", "add", "prepared", "running", "ceiling", "stop", "proposals"],
)
def test_every_page_is_for_everyone(visit: Visit, axe: Any, prepare: Callable[[], str]) -> None:
    path = prepare()
    window = visit(path)
    assert list(faults(window, axe)) == []
    for width in (1280, 390):
        window = visit(path, language="ar", width=width)
        assert window.evaluate(OUTSIDE) == []

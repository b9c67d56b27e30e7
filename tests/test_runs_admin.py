"""Bulk runs in the admin: by whom, from what, with which brakes, and what a record gets of it."""

from __future__ import annotations

import csv
import io
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ideogram_django.admin import GenerateImagesMixin
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProfileVersion,
    PromptProfile,
    Run,
    SpendingLimit,
)
from ideogram_django.statuses import Status
from tests.magazine.models import Article, Author
from tests.people import SPEND, client_of, staff, text

pytestmark = pytest.mark.django_db

RUNS = "/admin/ideogram_django/run/"
ADD = f"{RUNS}add/"
GALLERY = "/admin/ideogram_django/generatedimage/"
ARTICLES = "/admin/magazine/article/"
DRAFT = Decimal("0.03")
HOSTILE = """<script>alert(1)</script> {{ x }} "x" onerror='y' %(count)s & ü"""


def page(run: Run) -> str:
    return f"{RUNS}{run.pk}/change/"


def step(client: Client, run: Run, name: str, **data: Any) -> Any:
    return client.post(f"{RUNS}{run.pk}/step/", {"step": name, **data}, follow=True)


def press(client: Client, run: Run, name: str) -> Any:
    """A button with a price, sent with what the page says."""
    shown = re.search(r'name="total" value="([^"]+)"', text(client.get(page(run))))
    return step(client, run, name, total=shown[1] if shown else "")


def start(client: Client, run: Run) -> Any:
    return press(client, run, "start")


def form(content: str | bytes, **changes: Any) -> dict[str, Any]:
    data = content.encode() if isinstance(content, str) else content
    return {
        "run_id": str(uuid.uuid4()),
        "name": "Harbours",
        "file": SimpleUploadedFile("harbours.csv", data, content_type="text/csv"),
        "ceiling": "",
        "at_once": "2",
        **changes,
    }


def prepared(user: User, count: int = 4, **options: Any) -> Run:
    prompts = [{"prompt": f"Harbour {number}"} for number in range(1, count + 1)]
    defaults = {"name": "Harbours", "at_once": 2, "requested_by": user}
    return Run.objects.prepare(prompts, **{**defaults, **options})


def again(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


@pytest.fixture
def editor() -> User:
    return staff(SPEND, "view_generatedimage")


# --- who may what -------------------------------------------------------------------------------


def test_who_may_have_pictures_made_sees_and_steers_their_own(browser, editor):
    mine, other = prepared(editor), prepared(staff(SPEND))
    body = text(browser.get(RUNS))
    assert page(mine) in body
    assert page(other) not in body
    assert browser.get(page(mine)).status_code == 200
    assert browser.get(page(other), follow=True).redirect_chain[-1][0] == RUNS
    assert step(browser, other, "start", total="0.120000").status_code == 403
    assert again(other).state == Run.State.PREPARED


def test_who_may_only_view_looks_and_touches_nothing(editor):
    run = prepared(editor)
    viewer = client_of(staff("view_run"))
    body = text(viewer.get(page(run)))
    assert "4 pictures to be made" in body
    assert "Start ·" not in body
    assert "Discard" not in body
    assert viewer.get(ADD).status_code == 403
    for name in ("start", "pause", "resume", "ceiling", "raise", "again", "discard"):
        assert step(viewer, run, name, total="0.120000").status_code == 403
    assert viewer.post(f"{RUNS}{run.pk}/stop/").status_code == 403
    assert viewer.get(f"{RUNS}{run.pk}/report/").status_code == 200
    assert again(run).state == Run.State.PREPARED


def test_who_may_change_runs_brakes_them_and_spends_nothing(editor):
    run = prepared(editor)
    run.start()
    guard = client_of(staff("view_run", "change_run"))
    step(guard, run, "pause")
    assert again(run).state == Run.State.PAUSED
    assert step(guard, run, "resume").status_code == 403
    guard.post(f"{RUNS}{run.pk}/stop/")
    assert again(run).state == Run.State.STOPPED


def test_who_may_spend_and_only_view_others_spends_on_none_of_theirs(editor):
    """A run counts against the limits of the one who asked for it."""
    run = prepared(editor, ceiling=DRAFT)
    viewer = client_of(staff("view_run", SPEND))
    body = text(viewer.get(page(run)))
    assert "4 pictures to be made" in body
    assert "Start ·" not in body
    assert "Save the ceiling" not in body
    steps = ("start", "pause", "resume", "ceiling", "raise", "again", "discard")
    for name in steps:
        assert step(viewer, run, name, total="0.120000", ceiling="9").status_code == 403
    assert viewer.post(f"{RUNS}{run.pk}/stop/").status_code == 403
    assert (again(run).state, again(run).ceiling) == (Run.State.PREPARED, DRAFT)
    chief = client_of(staff("view_run", "change_run", SPEND))
    start(chief, run)
    assert again(run).state == Run.State.RUNNING


def test_a_start_at_another_price_than_the_button_said_is_not_one(browser, editor, settings):
    run = prepared(editor)
    shown = re.search(r'name="total" value="([^"]+)"', text(browser.get(page(run))))
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "PRICES": {"ideogram-v4-turbo": 5}}
    body = text(step(browser, run, "start", total=shown[1]))
    assert "Something changed meanwhile." in body
    assert "Start · $0.20" in body
    assert (again(run).state, Charge.objects.count()) == (Run.State.PREPARED, 0)


@pytest.mark.parametrize("path", ["", "add/", "1/change/", "1/step/", "1/stop/", "1/report/"])
def test_others_see_nothing(path):
    stranger = client_of(staff("view_generatedimage"))
    assert stranger.get(f"{RUNS}{path}").status_code in (403, 405)


def test_the_pages_answer_only_to_the_methods_that_they_have(browser, editor):
    run = prepared(editor)
    assert browser.get(f"{RUNS}{run.pk}/step/").status_code == 405
    assert browser.post(page(run)).status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(editor)
    assert guarded.post(f"{RUNS}{run.pk}/step/", {"step": "start"}).status_code == 403


# --- from a CSV file ----------------------------------------------------------------------------


def test_a_csv_file_becomes_a_prepared_run(browser, editor):
    response = browser.post(
        ADD, form("prompt;count\nA harbour;2\nA market;\n", ceiling="0.06"), follow=True
    )
    run = Run.objects.get()
    assert response.redirect_chain == [(page(run), 302)]
    assert (run.name, run.source, run.at_once, run.ceiling) == (
        "Harbours",
        "harbours.csv",
        2,
        Decimal("0.06"),
    )
    assert run.requested_by == editor
    assert [one.prompt for one in run.pictures] == ["A harbour", "A harbour", "A market"]
    body = text(response)
    assert "3 pictures to be made" in body
    assert "Start · at most $0.06" in body
    assert "Nothing was sent, nothing was spent." in body
    assert Charge.objects.count() == 0


def test_wrong_lines_are_told_by_number_and_nothing_is_written(browser):
    wrong = "prompt,seed,aspect_ratio\nA,x,1:1\nB,1,7:3\n,2,1:1\na,b,c,d\n"
    body = text(browser.post(ADD, form(wrong, name="My harbours")))
    for number in (2, 3, 4, 5):
        assert f"Line {number}: " in body
    assert 'value="My harbours"' in body
    assert "Nothing was made, nothing was spent." in body
    assert Run.objects.count() == GeneratedImage.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"file": SimpleUploadedFile("x.csv", "prompt\nFüchse\n".encode("latin-1"))}, "UTF-8"),
        ({"file": SimpleUploadedFile("x.xlsx", b"PK")}, "“xlsx” is not allowed"),
        ({"file": SimpleUploadedFile("x.csv", b"prompt\n" + b"A\n" * 10_001)}, "at most 10000"),
        ({"file": ""}, "This field is required."),
        ({"name": " "}, "This field is required."),
        ({"ceiling": "-1"}, "greater than or equal to 0"),
        ({"at_once": "0"}, "greater than or equal to 1"),
        ({"run_id": "nonsense"}, "This page is out of date."),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(browser, changes, sentence):
    response = browser.post(ADD, form("prompt\nA harbour\n", **changes))
    assert sentence in text(response)
    assert Run.objects.count() == 0


def test_the_same_form_sent_twice_is_one_run(browser):
    run_id = str(uuid.uuid4())
    urls = [
        browser.post(ADD, form("prompt\nA harbour\n", run_id=run_id)).url for _press in range(2)
    ]
    assert urls == [page(Run.objects.get())] * 2
    assert GeneratedImage.objects.count() == 1


def test_somebody_elses_form_is_refused(browser):
    run_id = str(uuid.uuid4())
    browser.post(ADD, form("prompt\nA harbour\n", run_id=run_id))
    other = client_of(staff(SPEND))
    body = text(other.post(ADD, form("prompt\nA harbour\n", run_id=run_id)))
    assert "belongs to somebody else" in body
    assert Run.objects.count() == 1


def test_a_profile_holds_for_every_line_that_names_none(browser):
    for name in ("season", "night"):
        profile = PromptProfile.objects.create(name=name)
        ProfileVersion.objects.create(profile=profile, number=1, suffix=f"In the {name}.")
    file = "prompt,profile\nA harbour,\nA market,night\n"
    browser.post(ADD, form(file, profile="season"))
    assert [one.prompt for one in Run.objects.get().pictures] == [
        "A harbour In the season.",
        "A market In the night.",
    ]


# --- brakes -------------------------------------------------------------------------------------


def test_start_says_the_price_and_begins_at_once(browser, editor):
    run = prepared(editor)
    assert "Start · $0.12" in text(browser.get(page(run)))
    body = text(start(browser, run))
    assert "The run has started." in body
    assert "2 in progress" in body
    assert "0 of 4 pictures are done." in body
    assert run.images.filter(status=Status.PENDING).count() == 2
    assert Charge.objects.count() == 2
    assert "This run is “Running” by now." in text(step(browser, run, "start"))


def test_a_price_that_changed_since_it_was_shown_is_shown_again(browser, editor):
    run = prepared(editor)
    body = text(step(browser, run, "start", total="0.090000"))
    assert "Something changed meanwhile." in body
    assert again(run).state == Run.State.PREPARED


def test_pause_and_go_on(browser, editor):
    run = prepared(editor)
    start(browser, run)
    body = text(step(browser, run, "pause"))
    assert "Paused. Nothing more is started" in body
    assert "Go on · $0.12" in body  # nothing was sent yet
    assert again(run).state == Run.State.PAUSED
    assert "Something changed meanwhile." in text(step(browser, run, "resume", total="0.03"))
    assert again(run).state == Run.State.PAUSED
    body = text(press(browser, run, "resume"))
    assert "The run goes on." in body
    assert "by now" in text(step(browser, run, "resume"))


def test_at_its_ceiling_it_waits_until_that_is_raised(browser, editor, ideogram):
    run = prepared(editor, ceiling=2 * DRAFT)
    start(browser, run)
    ideogram.finish()
    ideogram.step()
    body = text(browser.get(page(run)))
    assert "It has come to its ceiling." in body
    assert "Raise the ceiling…" in body
    assert "Go on ·" not in body

    response = step(browser, run, "raise", ceiling="a lot")
    assert "Enter a number." in text(response)
    assert 'value="a lot"' in text(response)
    assert again(run).ceiling == 2 * DRAFT

    step(browser, run, "raise", ceiling="0.09")
    run = again(run)
    assert (run.state, run.ceiling) == (Run.State.RUNNING, 3 * DRAFT)
    assert Charge.objects.count() == 3


def test_a_ceiling_can_be_taken_away_and_not_from_what_is_over(browser, editor):
    run = prepared(editor, ceiling=DRAFT)
    step(browser, run, "ceiling", ceiling="")
    assert again(run).ceiling is None
    run.stop()
    assert "by now" in text(step(browser, run, "ceiling", ceiling="5"))
    assert again(run).ceiling is None


def test_stopping_asks_first_and_says_what_would_happen(browser, editor):
    run = prepared(editor)
    start(browser, run)
    run.images.filter(prompt="Harbour 1").update(status=Status.PROCESSING)
    body = text(browser.get(f"{RUNS}{run.pk}/stop/"))
    assert "3 pictures that were not sent yet are not made" in body
    assert "1 picture is at the provider already." in body
    assert again(run).state == Run.State.RUNNING

    body = text(browser.post(f"{RUNS}{run.pk}/stop/", follow=True))
    assert "The run was stopped." in body
    run = again(run)
    assert run.state == Run.State.STOPPED
    assert run.report().committed == DRAFT
    assert browser.get(f"{RUNS}{run.pk}/stop/").status_code == 302
    assert "by now" in text(browser.post(f"{RUNS}{run.pk}/stop/", follow=True))


def test_a_run_that_was_never_started_can_be_discarded(browser, editor):
    run = prepared(editor)
    body = text(step(browser, run, "discard"))
    assert "“Harbours” is gone." in body
    assert Run.objects.count() == GeneratedImage.objects.count() == 0
    run = prepared(editor)
    run.start()
    assert "never started" in text(step(browser, run, "discard"))
    assert again(run).images.count() == 4


def test_what_moves_is_not_deleted(editor):
    run = prepared(editor)
    run.start()
    cleaner = client_of(staff("view_run", "delete_run"))
    data = {"action": "delete_selected", "_selected_action": run.pk, "post": "yes"}
    cleaner.post(RUNS, data)
    assert Run.objects.filter(pk=run.pk).exists()
    assert cleaner.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"}).status_code == 403
    run.stop()
    cleaner.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"})
    assert Run.objects.count() == GeneratedImage.objects.count() == 0


def test_a_limit_that_has_no_room_for_all_is_told_before(browser, editor):
    SpendingLimit.objects.create(user=editor, amount=Decimal("0.10"))
    run = prepared(editor, at_once=4)
    assert "no room for all of it" in text(browser.get(page(run)))
    start(browser, run)
    assert run.images.filter(status=Status.PENDING).count() == 3


def test_with_spending_switched_off_nothing_is_offered(browser, editor, settings):
    run = prepared(editor)
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    body = text(browser.get(page(run)))
    assert "Making pictures is switched off on this site." in body
    assert "Start ·" not in body


# --- what failed, and the report ----------------------------------------------------------------


@pytest.fixture
def ended(editor: User, ideogram: Any) -> Run:
    """Two made, two failed, each for its own reason."""
    prompts = ["A [fail]", "=B()", "C [policy]", HOSTILE]
    run = Run.objects.prepare(
        [{"prompt": one} for one in prompts], name="Four", requested_by=editor, at_once=4
    )
    run.start()
    for _round in range(3):
        ideogram.step()
        ideogram.finish()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    return run


def test_failures_are_told_by_kind_and_lead_to_their_pictures(browser, ended):
    body = text(browser.get(page(ended)))
    assert "2 of 4 pictures were made." in body
    assert "The provider could not make this picture." in body
    assert "The provider&#x27;s rules do not allow this picture." in body
    assert "Try the failed one again · $0.03" in body
    link = f"{GALLERY}?run={ended.uuid}&amp;status=failed&amp;error=refused"
    assert link in body
    shown = text(browser.get(link.replace("&amp;", "&")))
    assert "C [policy]" in shown
    assert "A [fail]" not in shown


def test_failures_are_tried_again_as_a_new_run_once(browser, ended):
    run_id = str(uuid.uuid4())
    for _press in range(2):
        response = step(browser, ended, "again", run_id=run_id)
    new = Run.objects.get(again_of=ended)
    assert response.redirect_chain[-1][0] == page(new)
    assert [one.prompt for one in new.pictures] == ["A [fail]"]
    assert "Start · $0.03" in text(response)
    body = text(browser.get(page(ended)))
    assert "Its failures are tried again in" in body
    assert "Try the failed one again" not in body
    assert step(browser, ended, "again", run_id="nonsense").status_code == 200
    assert Run.objects.count() == 2


def test_the_report_adds_up_with_the_ledger(browser, ended):
    ended.images.filter(prompt="=B()").delete()
    response = browser.get(f"{RUNS}{ended.pk}/report/")
    assert response["Content-Disposition"] == 'attachment; filename="four.csv"'
    content = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["status"] for row in rows] == ["Failed", "Failed", "Finished", "Deleted"]
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[2]["prompt"] == HOSTILE
    assert rows[1]["error"].startswith("The provider's rules")
    charged = sum(Decimal(row["charged"]) for row in rows)
    ledger = sum(charge.charged for charge in Charge.objects.all())
    assert charged == ledger == ended.report().charged == 2 * DRAFT


def test_a_report_holds_no_formula(browser, ended):
    content = b"".join(browser.get(f"{RUNS}{ended.pk}/report/").streaming_content).decode()
    assert "\n2,'=B()," in content.replace("\r", "")


def test_hostile_words_are_only_words(browser, editor):
    run = Run.objects.prepare([{"prompt": HOSTILE}], name=HOSTILE, requested_by=editor)
    for path in (RUNS, page(run), f"{RUNS}{run.pk}/stop/"):
        body = browser.get(path).content.decode()
        assert "<script>alert" not in body
        assert "&lt;script&gt;alert(1)" in body


def test_each_page_has_its_path_and_its_buttons_once(browser, editor):
    """Django 6.1 keeps both elsewhere than Djangos before it."""
    run = prepared(editor)
    for path in (page(run), f"{RUNS}{run.pk}/stop/", f"{RUNS}{run.pk}/proposals/", ADD):
        body = browser.get(path).content.decode()
        assert body.count("Report as CSV") == (path == page(run))
        assert len(re.findall(r'<(?:ol|div) class="breadcrumbs"', body)) == 1
        if path not in (page(run), ADD):
            assert re.search(rf'class="breadcrumbs".*href="{page(run)}".*aria-current', body, re.S)


# --- the list, the gallery, the news ------------------------------------------------------------


def test_the_list_tells_state_progress_and_money(browser, ended, editor):
    running = prepared(editor, ceiling=Decimal("0.09"))
    running.start()
    start(browser, running)
    body = text(browser.get(RUNS))
    assert "2 of 4 pictures were made." in body
    assert "2 failed." in body
    assert "$0.06" in body
    assert "0 of 4 pictures are done." in body
    assert "$0.00 of $0.09" in body


def test_the_list_asks_the_database_as_often_for_9_as_for_3(
    browser, editor, django_assert_num_queries
):
    for _number in range(3):
        prepared(editor).start()
    browser.get(RUNS)
    with CaptureQueriesContext(connection) as three:
        browser.get(RUNS)
    for _number in range(6):
        prepared(editor).start()
    with CaptureQueriesContext(connection) as nine:
        browser.get(RUNS)
    assert len(nine) == len(three)


def test_the_gallery_leaves_out_what_a_run_has_not_started(browser, editor):
    run = prepared(editor)
    start(browser, run)
    shown = text(browser.get(GALLERY))
    assert "Harbour 2" in shown
    assert "Harbour 3" not in shown
    assert "Harbour 3" in text(browser.get(f"{GALLERY}?run={run.uuid}"))
    assert "Harbour" not in text(browser.get(f"{GALLERY}?run={uuid.uuid4()}"))
    assert browser.get(f"{GALLERY}?run=nonsense").status_code in (200, 302)


def test_pages_ask_about_a_run_as_about_a_picture(browser, editor):
    run = prepared(editor)
    url = f"/ideogram/status/?ids={run.uuid}"

    def told(client: Client) -> list[dict[str, Any]]:
        return client.get(url).json().get("images", [])

    assert told(browser)[0]["status"] == "draft"  # nothing happens by itself
    start(browser, run)
    (before,) = told(browser)
    assert (before["progress"], before["label"]) == (0, "The run goes on: 0% is done.")
    run.images.filter(prompt="Harbour 1").update(status=Status.COMPLETED)
    (after,) = told(browser)
    assert after["status"] != before["status"]
    assert (after["progress"], after["sentence"]) == (25, "1 of 4 pictures are done.")
    run.images.filter(status=Status.PENDING).update(status=Status.COMPLETED)
    step(browser, run, "pause")
    assert told(browser)[0]["status"] == "completed"  # again nothing
    assert told(client_of(staff(SPEND, "view_generatedimage"))) == []
    assert client_of(staff()).get(url).status_code == 403
    assert Client().get(url).status_code == 403
    assert told(client_of(staff("view_run")))[0]["uuid"] == str(run.uuid)


# --- from records -------------------------------------------------------------------------------


class Asking(GenerateImagesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    generate_images_field = "hero"
    generate_images_prompt = "{title|upper|truncatewords:2}, by {author.name}"


class Secretive(Asking):
    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).exclude(title="Harbour")


class Seasonal(GenerateImagesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    generate_images_field = "hero"
    generate_images_profile = "season"


class Covers(GenerateImagesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    generate_images_field = "cover"
    generate_images_prompt = "{title|shout}"


@pytest.fixture
def articles(ideogram: Any) -> list[Article]:
    author = Author.objects.create(name="Ada")
    old = GeneratedImage.objects.generate("Old")
    ideogram.finish()
    old.refresh_from_db()
    return [
        Article.objects.create(title="Night trains of the north", author=author, hero=old),
        Article.objects.create(title="Harbour", author=author),
        Article.objects.create(title="Market", author=author),
    ]


@pytest.fixture
def publisher() -> Client:
    return client_of(staff("view_article", "change_article", SPEND))


def select(client: Client, articles: list[Article]) -> str:
    keys = [one.pk for one in articles]
    data = {"action": "generate_images", "_selected_action": keys}
    return str(client.post(ARTICLES, data).url)


def confirm(client: Client, url: str, which: str = "all") -> Any:
    found = re.search(r'name="fingerprint" value="([^"]+)"', text(client.get(url)))
    data = {"fingerprint": found[1] if found else "", "which": which}
    return client.post(url, data, follow=True)


def decide(client: Client, run: Run, step: str, **data: Any) -> str:
    url = f"{RUNS}{run.pk}/proposals/"
    return text(client.post(url, {"step": step, **data}, follow=True))


def heroes(articles: list[Article]) -> list[GeneratedImage | None]:
    return [Article.objects.get(pk=one.pk).hero for one in articles]


def made(run: Run, ideogram: Any) -> list[GeneratedImage]:
    for _round in range(3):
        ideogram.step()
        ideogram.finish()
    return list(run.pictures)


def test_records_keep_what_they_have_until_somebody_approves(host, articles, publisher, ideogram):
    host(Asking)
    url = select(publisher, articles)
    body = text(publisher.get(url))
    assert "NIGHT TRAINS …, by Ada" in body
    assert "Nothing is replaced by itself" in body

    response = confirm(publisher, url)
    run = Run.objects.get()
    assert response.redirect_chain[-1][0] == page(run)
    assert (run.name, run.approve, run.ceiling) == ("Images for 3 articles", True, 3 * DRAFT)
    images = made(run, ideogram)
    old = articles[0].hero
    assert heroes(articles) == [old, None, None]
    assert "Look at 3 proposals…" in text(publisher.get(page(run)))

    shown = text(publisher.get(f"{RUNS}{run.pk}/proposals/"))
    assert shown.count("To be decided") == 3
    body = decide(publisher, run, f"approve:{images[0].pk}")
    assert "The picture was approved." in body
    assert "Approved and in use" in body
    assert heroes(articles) == [images[0], None, None]
    decide(publisher, run, "reject", picture=[images[1].pk])
    assert heroes(articles) == [images[0], None, None]
    seen = max(one.finished_at for one in images).isoformat()
    decide(publisher, run, "approve_all", seen=seen)
    assert heroes(articles) == [images[0], None, images[2]]
    changed = LogEntry.objects.filter(content_type__model="article")
    assert set(changed.values_list("object_id", flat=True)) == {
        str(articles[0].pk),
        str(articles[2].pk),
    }


def test_a_record_that_changed_meanwhile_is_told_and_kept(host, articles, publisher, ideogram):
    host(Asking)
    confirm(publisher, select(publisher, articles))
    run = Run.objects.get()
    images = made(run, ideogram)
    chosen = GeneratedImage.objects.get(prompt="Old")
    Article.objects.filter(title="Harbour").update(hero=chosen)
    Article.objects.filter(title="Market").delete()
    shown = text(publisher.get(f"{RUNS}{run.pk}/proposals/"))
    assert "Not used: the record was changed meanwhile" in shown
    assert "The record is gone." in shown
    body = decide(publisher, run, "approve", picture=[one.pk for one in images])
    assert "The picture was approved." in body
    assert f"They keep what they have: Harbour and {images[2].target_id}." in body
    assert heroes(articles[:2]) == [images[0], chosen]


def test_what_came_after_the_page_was_shown_is_not_approved_unseen(
    host, articles, publisher, ideogram
):
    host(Asking)
    confirm(publisher, select(publisher, articles))
    run = Run.objects.get()
    images = made(run, ideogram)
    seen = min(one.finished_at for one in images).isoformat()
    decide(publisher, run, "approve_all", seen=seen)
    assert sum(one is not None for one in heroes(articles[1:])) <= 1
    decide(publisher, run, "approve_all", seen="nonsense")
    assert run.images.filter(picked=False).exists()


def test_approving_needs_the_right_to_change_the_record(host, articles, publisher, ideogram):
    host(Asking)
    confirm(publisher, select(publisher, articles))
    run = Run.objects.get()
    images = made(run, ideogram)
    viewer = client_of(staff("view_run", "view_article"))
    shown = text(viewer.get(f"{RUNS}{run.pk}/proposals/"))
    assert shown.count("To be decided") == 3
    assert 'value="approve' not in shown
    response = viewer.post(f"{RUNS}{run.pk}/proposals/", {"step": f"approve:{images[1].pk}"})
    assert response.status_code == 403
    assert heroes(articles)[1] is None
    assert "Tick at least one" in decide(publisher, run, "approve")
    other = GeneratedImage.objects.get(prompt="Old")
    assert "Tick at least one" in decide(publisher, run, f"approve:{other.pk}")


def test_a_record_that_is_gone_is_told_and_its_picture_can_be_put_aside(
    host, articles, publisher, ideogram
):
    host(Asking)
    confirm(publisher, select(publisher, articles[1:2]))
    run = Run.objects.get()
    (image,) = made(run, ideogram)
    articles[1].delete()
    assert "or is gone. It keeps what it has" in decide(publisher, run, f"approve:{image.pk}")
    assert "Look at 1 proposal…" in text(publisher.get(page(run)))
    assert "The picture was rejected." in decide(publisher, run, f"reject:{image.pk}")
    assert "Look at 1 proposal…" not in text(publisher.get(page(run)))


def test_records_that_their_own_admin_hides_are_neither_named_nor_changed(
    host, articles, publisher, ideogram
):
    host(Asking)
    confirm(publisher, select(publisher, articles))
    run = Run.objects.get()
    images = made(run, ideogram)
    host(Secretive)
    other = client_of(staff("view_run", "view_article", "change_article"))
    shown = text(other.get(f"{RUNS}{run.pk}/proposals/"))
    assert shown.count("You may not see this record.") == 1
    # Its prompt is the run's, which whoever may view runs sees.
    assert "<strong>Harbour</strong>" not in shown
    refused = other.post(f"{RUNS}{run.pk}/proposals/", {"step": f"approve:{images[1].pk}"})
    assert refused.status_code == 403
    refused = other.post(f"{RUNS}{run.pk}/proposals/", {"step": f"reject:{images[1].pk}"})
    assert refused.status_code == 403
    decide(other, run, "approve", picture=[one.pk for one in images])
    assert heroes(articles) == [images[0], None, images[2]]


@pytest.mark.parametrize("key", ["9" * 25, "9" * 5000, "-1", "1e3", "٣", "", "x"])
def test_what_is_no_key_is_no_proposal(host, articles, publisher, ideogram, key):
    host(Asking)
    confirm(publisher, select(publisher, articles[1:2]))
    run = Run.objects.get()
    made(run, ideogram)
    assert "Tick at least one" in decide(publisher, run, f"approve:{key}")
    assert "Tick at least one" in decide(publisher, run, "reject", picture=[key])
    assert heroes(articles)[1] is None


def test_a_list_confirmed_twice_is_one_run(host, articles, publisher):
    host(Asking)
    url = select(publisher, articles)
    found = re.search(r'name="fingerprint" value="([^"]+)"', text(publisher.get(url)))
    before = dict(publisher.session.items())
    for _press in range(2):
        store = publisher.session
        store.update(before)
        store.save()
        publisher.post(url, {"fingerprint": found[1], "which": "all"})
    assert Run.objects.count() == 1
    assert GeneratedImage.objects.exclude(prompt="Old").count() == 3


def test_all_or_as_far_as_the_limit_goes(host, articles, publisher):
    host(Asking)
    SpendingLimit.objects.create(amount=Decimal("0.07"))
    url = select(publisher, articles)
    body = text(publisher.get(url))
    assert "A spending limit has no room for all of them." in body
    assert "As far as the limit goes: 2 pictures now · $0.06" in body
    assert "only $0.07 is left this month" in text(confirm(publisher, url))
    assert Run.objects.count() == 0
    confirm(publisher, url, "limit")
    run = Run.objects.get()
    assert run.images.count() == 3
    assert run.images.filter(status=Status.PENDING).count() == 2


def test_a_profile_frames_what_the_record_gives(host, articles, publisher):
    host(Seasonal)
    profile = PromptProfile.objects.create(name="season")
    ProfileVersion.objects.create(
        profile=profile, number=3, prefix="Linocut.", aspect_ratio="3:2", style_type="DESIGN"
    )
    url = select(publisher, articles[1:2])
    assert "Linocut. Harbour, editorial illustration" in text(publisher.get(url))
    confirm(publisher, url)
    (image,) = Run.objects.get().images.all()
    assert image.prompt == "Linocut. Harbour, editorial illustration"
    assert image.typed_prompt == "Harbour, editorial illustration"
    assert (image.profile, image.profile_version, image.aspect_ratio) == ("season", 3, "3:2")


def test_a_profile_that_is_not_there_is_told_on_each_record(host, articles, publisher):
    host(Seasonal)
    body = text(publisher.get(select(publisher, articles)))
    assert body.count("There is no prompt profile “season”.") == 3
    assert "No picture can be made for the selected records." in body


def test_a_filter_that_there_is_not_is_told(host, articles, publisher):
    host(Covers)
    body = text(publisher.get(select(publisher, articles[:1])))
    assert "names “title|shout”, which is no column, or no filter." in body

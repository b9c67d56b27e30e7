"""The pytest plugin: what a site's own tests say, and what they are told when they are wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection, transaction

from ideogram_django import signals, testing, wakeups
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ErrorCode, Status
from ideogram_django.testing import FAULTS, Ideogram

pytest_plugins = ["pytester"]


def draw(prompt: str = "A fox", **options: Any) -> GeneratedImage:
    return GeneratedImage.objects.generate(prompt, **options)


def test_a_prompt_is_finished_inside_the_tests_transaction(
    ideogram: Ideogram, ideogram_media: Path
) -> None:
    assert transaction.get_connection().in_atomic_block
    image = draw("A poster that says “Open late”", aspect_ratio="16:9")
    ideogram.finish()

    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    assert Path(image.file.path).is_relative_to(ideogram_media)
    assert [one["width"] for one in image.renditions] == [320, 640]
    ideogram.assert_generated("Open late", times=1, aspect_ratio="16:9", model="ideogram-v4-turbo")
    ideogram.assert_charged(credits=3)
    assert [charge.prompt for charge in ideogram.charges] == [image.prompt]
    assert ideogram.requests[0].path == "/v2/images/generate"


def test_it_works_without_a_surrounding_transaction_too(
    ideogram: Ideogram, transactional_db: None
) -> None:
    assert not transaction.get_connection().in_atomic_block
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED


@pytest.mark.parametrize("kind", ["", "transactional_db"])
def test_signals_are_sent_once_either_way(
    request: pytest.FixtureRequest, ideogram: Ideogram, kind: str
) -> None:
    if kind:
        request.getfixturevalue(kind)
    heard: list[uuid.UUID] = []

    def completed(image: GeneratedImage, **kwargs: Any) -> None:
        heard.append(image.uuid)

    signals.image_completed.connect(completed)
    try:
        image = draw()
        ideogram.finish()
        ideogram.finish()
    finally:
        signals.image_completed.disconnect(completed)
    assert heard == [image.uuid]


def test_no_queue_is_asked_and_nothing_is_logged_about_it(
    ideogram: Ideogram, transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert wakeups.wake() is False
    assert wakeups.worker_count() is None
    draw()
    ideogram.finish()
    assert [record for record in caplog.records if "wakeups" in record.name] == []


def test_a_step_sends_and_does_not_finish(ideogram: Ideogram) -> None:
    image = draw("A fox [forever]")
    ideogram.step()
    image.refresh_from_db()
    assert image.status == Status.SUBMITTED


def test_a_picture_that_never_ends_fails_the_test_with_its_name(ideogram: Ideogram) -> None:
    draw("A fox [forever]")
    with pytest.raises(
        pytest.fail.Exception, match=r"'A fox \[forever\]' is (submitted|processing)"
    ):
        ideogram.finish()


def test_an_empty_account_is_told(ideogram: Ideogram) -> None:
    ideogram.credits = 2
    image = draw()
    with pytest.raises(pytest.fail.Exception, match="not enough credits"):
        ideogram.finish()
    image.refresh_from_db()
    assert image.status == Status.PENDING

    ideogram.credits = 50
    ideogram.finish()
    ideogram.assert_charged(credits=3)


@pytest.mark.parametrize(
    ("kind", "code", "credits"),
    [
        ("policy", ErrorCode.REFUSED, 0),
        ("fail", ErrorCode.PROVIDER_FAILED, 0),
        ("hostile", ErrorCode.NOT_A_PICTURE, 3),
    ],
)
def test_failures_can_be_ordered(
    ideogram: Ideogram, kind: str, code: ErrorCode, credits: int
) -> None:
    ideogram.fail_next(kind)
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert (image.status, image.error_code) == (Status.FAILED, code)
    ideogram.assert_charged(credits=credits)


def test_the_next_two_meet_trouble_and_get_through(ideogram: Ideogram) -> None:
    ideogram.fail_next("429", 2)
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 3)
    ideogram.finish()
    assert GeneratedImage.objects.completed().count() == len(images)
    ideogram.assert_generated("A fox", times=3)


def test_an_unknown_fault_is_an_error(ideogram: Ideogram) -> None:
    with pytest.raises(ValueError, match="Unknown fault 'flood'"):
        ideogram.fail_next("flood")


def test_nothing_spent_notices_a_reservation(ideogram: Ideogram) -> None:
    ideogram.assert_nothing_spent()
    GeneratedImage.objects.create(prompt="A draft", model="ideogram-v4-turbo")
    ideogram.assert_nothing_spent()
    draw()
    with pytest.raises(AssertionError, match=r"1 charges are reserved.*ideogram\.finish\(\)"):
        ideogram.assert_nothing_spent()
    ideogram.finish()
    with pytest.raises(AssertionError, match=r"Expected 0 credits .* took 3, the ledger holds 3"):
        ideogram.assert_nothing_spent()


def test_a_wrong_expectation_says_what_was_generated(ideogram: Ideogram) -> None:
    with pytest.raises(AssertionError, match="Nothing was generated"):
        ideogram.assert_generated("A fox")
    draw("A fox", seed=7)
    with pytest.raises(AssertionError, match=r"in progress: 1; was ideogram\.finish\(\) called"):
        ideogram.assert_generated("A fox")
    ideogram.finish()
    with pytest.raises(AssertionError, match=r"Generated were: .*'A fox'.*'seed': 7"):
        ideogram.assert_generated("A fox", seed=8)
    with pytest.raises(AssertionError, match="Expected 2 pictures for 'A fox', found 1"):
        ideogram.assert_generated("A fox", times=2)


def test_the_sites_other_settings_are_kept(settings: Any, request: pytest.FixtureRequest) -> None:
    settings.IDEOGRAM_DJANGO = {"API_KEY": "afk_real", "WIDTHS": [64], "STORAGE": "pictures"}
    settings.STORAGES = {
        **settings.STORAGES,
        "pictures": {"BACKEND": "somewhere.expensive.Bucket"},
    }
    ideogram = request.getfixturevalue("ideogram")
    assert settings.IDEOGRAM_DJANGO["WIDTHS"] == [64]
    assert settings.IDEOGRAM_DJANGO["API_KEY"] == "afk_tests"
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert storages["pictures"].exists(image.file.name)


def test_the_server_alone_needs_no_database(ideogram_server: Simulator) -> None:
    assert ideogram_server.base_url.startswith("http://127.0.0.1:")
    assert ideogram_server.ledger == []


def test_the_plugin_is_imported_before_django_is_configured() -> None:
    script = (
        "import sys, ideogram_django.testing\n"
        "assert 'ideogram_django.models' not in sys.modules\n"
        "from django.conf import settings\n"
        "assert not settings.configured\n"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=60)


SITE = """
SECRET_KEY = "site"
USE_TZ = True
ROOT_URLCONF = "pages"
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django_rq", "ideogram_django",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
RQ_QUEUES = {"default": {"URL": "redis://redis.invalid:6379/0"}}
IDEOGRAM_DJANGO = {"API_KEY": "afk_real"}
"""

PYTEST = """
[pytest]
pythonpath = .
django_find_project = false
filterwarnings = error
DJANGO_SETTINGS_MODULE = site_settings
"""

DOCUMENT = Path(__file__).parent.parent / "docs" / "testing.md"
EXAMPLES: dict[str, str] = dict(
    re.findall(
        r"^```python\n# (\w+)\.py\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.M
    )
)
"""The files of the documentation, by their names."""
SHORT_EXAMPLE = re.findall(
    r"^```python\n((?:(?!^```).)*?def test_.*?)^```$",
    (DOCUMENT.parent.parent / "README.md").read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture
def other_site(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small site of its own, with the documentation's pages and no line about the plugin."""
    # The package under test, also where another copy of it is installed.
    package = str(Path(testing.__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    pytester.makepyfile(site_settings=SITE, pages=EXAMPLES["pages"])
    pytester.makeini(PYTEST)
    return pytester


def test_the_documented_tests_pass_without_any_configuration(other_site: pytest.Pytester) -> None:
    assert set(EXAMPLES) == {
        *("pages", "conftest", "test_posters", "test_instantly", "test_in_a_class"),
    }
    tests = {name: code for name, code in EXAMPLES.items() if name.startswith("test_")}
    (tests["test_readme"],) = SHORT_EXAMPLE
    other_site.makepyfile(**tests)
    result = other_site.runpytest_subprocess(timeout=150)
    result.assert_outcomes(passed=sum(code.count("def test_") for code in tests.values()))
    assert "Redis" not in result.stdout.str()


def test_the_documented_conftest_finishes_everything_at_once(other_site: pytest.Pytester) -> None:
    other_site.makepyfile(
        conftest=EXAMPLES["conftest"],
        test_all="""
            from ideogram_django.models import GeneratedImage

            def test_it(client):
                client.post("/posters/new/", {"title": "Open late"})
                assert GeneratedImage.objects.get().has_file
        """,
    )
    other_site.runpytest_subprocess(timeout=120).assert_outcomes(passed=1)


def test_tests_run_in_parallel(other_site: pytest.Pytester) -> None:
    """Every process and every test has a twin, a ledger, a database and a folder of its own."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    other_site.makepyfile(
        test_many="""
            import os
            import pytest
            from ideogram_django.models import GeneratedImage

            @pytest.mark.parametrize("number", range(6))
            def test_posters(ideogram_instant, ideogram_media, client, number):
                assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"
                for one in range(number):
                    client.post("/posters/new/", {"title": f"{number} {one}"})
                ideogram_instant.assert_completed(number)
                ideogram_instant.assert_charged(credits=3 * number)
                files = [path for path in ideogram_media.rglob("*.png")]
                assert len(files) == number

            @pytest.mark.django_db(transaction=True)
            def test_with_real_commits(ideogram_instant, client):
                client.post("/posters/new/", {"title": "Open late"})
                ideogram_instant.assert_charged(credits=3)
        """
    )
    result = other_site.runpytest_subprocess("-n", "2", timeout=150)
    result.assert_outcomes(passed=7)


# --- everything at the commit ---------------------------------------------------------------------


def test_under_db_the_end_of_the_outermost_block_is_the_commit(ideogram_instant: Ideogram) -> None:
    with transaction.atomic():
        with transaction.atomic():
            image = draw()
        ideogram_instant.assert_pending(1)
        assert ideogram_instant.generated == []
    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    assert image.next_check_at is None


def test_with_real_commits_the_commit_is_the_commit(
    ideogram_instant: Ideogram, transactional_db: None
) -> None:
    with transaction.atomic():
        image = draw()
        ideogram_instant.assert_pending(1)
    assert image.wait(timeout=0).has_file


@pytest.mark.parametrize("kind", ["", "transactional_db"])
def test_what_is_rolled_back_is_never_sent(
    request: pytest.FixtureRequest, ideogram_instant: Ideogram, kind: str
) -> None:
    if kind:
        request.getfixturevalue(kind)
    with pytest.raises(RuntimeError):
        _draw_and_fail()
    draw("Another one")
    ideogram_instant.assert_generated(times=1)
    ideogram_instant.assert_not_generated("A fox")


@transaction.atomic
def _draw_and_fail() -> None:
    draw()
    raise RuntimeError("The form was wrong after all.")


@pytest.mark.parametrize("kind", ["", "transactional_db"])
def test_receivers_may_ask_for_more_and_it_is_finished_too(
    request: pytest.FixtureRequest, ideogram_instant: Ideogram, kind: str
) -> None:
    if kind:
        request.getfixturevalue(kind)

    def final(image: GeneratedImage, **kwargs: Any) -> None:
        if image.model == "ideogram-v4-turbo":
            image.rerender(model="ideogram-v4-quality")

    signals.image_completed.connect(final)
    try:
        draw()
    finally:
        signals.image_completed.disconnect(final)
    ideogram_instant.assert_completed(2)
    ideogram_instant.assert_charged(credits=13)


def test_what_is_asked_of_a_picture_outside_of_a_block_is_done_at_once(
    ideogram_instant: Ideogram,
) -> None:
    ideogram_instant.fail_next("refused")
    image = draw()
    image.refresh_from_db()
    assert image.error_code == ErrorCode.REFUSED
    image.retry()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED


def test_a_run_is_over_when_it_was_started(ideogram_instant: Ideogram) -> None:
    run = Run.objects.prepare([{"prompt": f"Harbour {n}"} for n in range(5)], name="All", at_once=2)
    ideogram_instant.assert_nothing_generated()
    run.start()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    ideogram_instant.assert_charged(credits=15)


def test_a_picture_that_never_ends_fails_the_test_where_it_was_asked_for(
    ideogram_instant: Ideogram,
) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"\[forever\]"):
        draw("A fox [forever]")


def test_it_works_in_the_threads_of_a_live_server(
    ideogram_instant: Ideogram, transactional_db: None
) -> None:
    """Pages are made there, each thread with a connection of its own."""
    image = GeneratedImage.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(_generate_elsewhere, image.pk).result()
    image.refresh_from_db()
    assert image.has_file


def _generate_elsewhere(pk: int) -> None:
    try:
        GeneratedImage.objects.get(pk=pk).generate()
    finally:
        connection.close()


@pytest.fixture
def put_back() -> Iterator[None]:
    """Ends after the fixtures that are asked for behind it."""

    def changed() -> list[Any]:
        return [wakeups.wake, wakeups.wake_after_commit, transaction.Atomic.__exit__]

    before = changed()
    yield
    assert changed() == before


def test_afterwards_everything_is_as_before(put_back: None, ideogram_instant: Ideogram) -> None:
    draw()
    ideogram_instant.assert_completed(1)


# --- runs -----------------------------------------------------------------------------------------


def test_finish_carries_runs_to_their_end(
    ideogram: Ideogram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long: it gives up when nothing ends any more, not after some number of passes."""
    monkeypatch.setattr("ideogram_django.testing.kit.MOST_PASSES", 4)
    prompts = [{"prompt": f"Harbour {number}"} for number in range(5)]
    run = Run.objects.prepare(prompts, name="Harbours", at_once=1)
    ideogram.finish()
    ideogram.assert_nothing_generated()

    run.start()
    ideogram.finish()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    ideogram.assert_completed(5)
    ideogram.assert_charged(credits=15)


def test_a_run_that_is_paused_is_left_alone(ideogram: Ideogram) -> None:
    prompts = [{"prompt": f"Harbour {number}"} for number in range(4)]
    run = Run.objects.prepare(prompts, name="Harbours", ceiling=Decimal("0.06"))
    run.start()
    ideogram.finish()
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED
    ideogram.assert_completed(2)


def test_a_run_that_cannot_go_on_fails_the_test_with_its_name(ideogram: Ideogram) -> None:
    ideogram.credits = 3
    Run.objects.prepare([{"prompt": "A fox"}] * 2, name="Foxes").start()
    with pytest.raises(pytest.fail.Exception, match=r"(?s)not enough credits.*'Foxes' is running"):
        ideogram.finish()


# --- assertions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_a_failure_can_be_ordered_by_its_code(ideogram: Ideogram, code: str) -> None:
    ideogram.fail_next(code)
    draw()
    ideogram.finish()
    ideogram.assert_failed(code, count=1)


def test_assertions_about_nothing(ideogram: Ideogram) -> None:
    ideogram.assert_nothing_generated()
    ideogram.assert_not_generated("fox")
    draw()
    with pytest.raises(AssertionError, match=r"nothing is generated.*in progress: 1"):
        ideogram.assert_nothing_generated()
    ideogram.finish()
    ideogram.assert_not_generated("hare")
    ideogram.assert_not_generated("fox", seed=7)
    with pytest.raises(AssertionError, match="Expected no picture for 'fox', found 1"):
        ideogram.assert_not_generated("fox")
    with pytest.raises(AssertionError, match=r"Generated were: .*'A fox'"):
        ideogram.assert_nothing_generated()


def test_assertions_about_numbers(ideogram: Ideogram) -> None:
    draw("A hare [policy]")  # not the next one: which of two is sent first is anybody's guess
    draw("A fox")
    ideogram.assert_pending(2)
    with pytest.raises(AssertionError, match="Expected 1 picture in progress, found 2"):
        ideogram.assert_pending(1)
    ideogram.finish()
    ideogram.assert_pending(0)
    ideogram.assert_completed(1)
    with pytest.raises(
        AssertionError, match=r"2 pictures completed, found 1.*'A hare \[policy\]' is failed"
    ):
        ideogram.assert_completed(2)
    ideogram.assert_failed()
    ideogram.assert_failed("refused", count=1)
    with pytest.raises(
        AssertionError, match=r"a picture to fail with 'not_a_picture', found 0.*\(refused\)"
    ):
        ideogram.assert_failed("not_a_picture")
    with pytest.raises(AssertionError, match="Expected 2 pictures to fail, found 1"):
        ideogram.assert_failed(count=2)
    with pytest.raises(ValueError, match="no error code 'policy'"):
        ideogram.assert_failed("policy")

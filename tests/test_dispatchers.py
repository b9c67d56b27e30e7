"""The seam to the queue: any queue can wake the workers, and none can lose a picture."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import django
import pytest
from django.core import checks as django_checks
from django.core.cache import cache
from django.core.checks import CheckMessage
from django.core.management import CommandError, call_command
from django.db import transaction

from ideogram_django import drains, tasks, wakeups
from ideogram_django.models import GeneratedImage
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from ideogram_django.wakeups import Dispatcher
from tests.drain import twin
from tests.shown_files import files, page, written

__all__ = ["twin"]

needs_tasks = pytest.mark.skipif(
    django.VERSION < (6, 0), reason="django.tasks came with Django 6.0"
)
DUMMY = "django.tasks.backends.dummy.DummyBackend"
IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"


def use(settings: Any, path: str, **changes: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "DISPATCHER": path, **changes}


@pytest.fixture(autouse=True)
def shared_cache(settings: Any, tmp_path: Any) -> Iterator[None]:
    """One that other processes could see as well."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path / "cache"),
        }
    }
    yield
    cache.clear()


@pytest.fixture
def cache_of_each_process(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def found() -> list[CheckMessage]:
    return django_checks.run_checks(tags=["ideogram_django"])


def ids() -> list[str]:
    return [str(message.id).removeprefix("ideogram_django.") for message in found()]


# --- a queue of one's own -------------------------------------------------------------------------


class Shelf(Dispatcher):
    """As small as a dispatcher can be: something that a worker looks at."""

    waiting_there: ClassVar[list[str]] = []

    def put(self) -> None:
        self.waiting_there.append(wakeups.JOB)


class Broken(Dispatcher):
    def put(self) -> None:
        raise ConnectionError("the broker is away")


class Counted(Shelf):
    can_count = True

    def waiting(self) -> int:
        return len(self.waiting_there)

    def worker_count(self) -> int:
        return 0


@pytest.fixture
def shelf(settings: Any) -> list[str]:
    use(settings, "tests.test_dispatchers.Shelf")
    Shelf.waiting_there.clear()
    return Shelf.waiting_there


@pytest.mark.django_db(transaction=True)
def test_many_requests_knock_once_after_the_commit(shelf: list[str]) -> None:
    with transaction.atomic():
        GeneratedImage.objects.generate("A fox")
        assert shelf == []
    GeneratedImage.objects.generate("A hare")
    assert shelf == ["ideogram_django.jobs.drain"]


@pytest.mark.parametrize(("pictures", "knocks"), [(20, 1), (2, 0)])
def test_a_busy_drain_calls_another_worker_once(
    twin: Simulator, settings: Any, pictures: int, knocks: int
) -> None:
    """One order knocks once, however many pictures it has; idle workers would sleep on."""
    use(settings, f"{__name__}.Shelf", CONCURRENCY=4, DRAIN_SLICE=1)
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * pictures)
    Shelf.waiting_there.clear()
    wakeups.open_gate()  # as its job does
    seen: list[int] = []
    drains.work(sync=False, linger=0, meanwhile=lambda: seen.append(len(Shelf.waiting_there)))
    assert seen[-1] == len(Shelf.waiting_there) == knocks
    Shelf.waiting_there.clear()


@pytest.mark.django_db(transaction=True)
def test_a_drain_opens_the_gate_before_its_first_look(twin: Simulator, settings: Any) -> None:
    use(settings, "tests.test_dispatchers.Shelf")
    Shelf.waiting_there.clear()
    image = GeneratedImage.objects.generate("A fox")
    assert len(Shelf.waiting_there) == 1
    drains.work_in_queue()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    GeneratedImage.objects.generate("A hare")
    assert len(Shelf.waiting_there) == 2


def test_a_queue_that_is_away_is_logged_and_leaves_the_gate_open(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    use(settings, "tests.test_dispatchers.Broken")
    assert wakeups.wake() is False
    assert "the broker is away" in caplog.text
    use(settings, "tests.test_dispatchers.Shelf")
    Shelf.waiting_there.clear()
    assert wakeups.wake() is True
    assert len(Shelf.waiting_there) == 1


def test_to_insist_is_to_look_where_one_can(shelf: list[str], settings: Any) -> None:
    wakeups.wake()
    shelf.clear()  # a worker took it and died
    assert wakeups.wake(insist=True) is True
    assert shelf == []  # this queue cannot tell; the gate opens by itself
    use(settings, "tests.test_dispatchers.Counted")
    assert wakeups.wake(insist=True) is True
    assert len(shelf) == 1
    assert wakeups.wake(insist=True) is True
    assert len(shelf) == 1


@pytest.mark.usefixtures("cache_of_each_process")
def test_without_a_shared_cache_no_knock_is_lost(shelf: list[str]) -> None:
    """A gate that no other process can open would swallow half a minute of them."""
    wakeups.wake()
    wakeups.wake()
    assert len(shelf) == 2
    assert ids() == ["W007"]


@pytest.mark.django_db
def test_the_doctor_and_the_command_know_what_a_queue_cannot_tell(
    shelf: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert wakeups.waiting() is None
    assert wakeups.worker_count() is None
    with contextlib.suppress(CommandError):  # nothing runs here, so it has much to say
        call_command("ideogram_doctor")
    assert "woken by Shelf" in capsys.readouterr().out
    call_command("ideogram_generate", "A fox", "--yes")
    out, err = capsys.readouterr()
    assert "No worker listens" not in out + err


def test_a_site_without_django_rq(settings: Any, shelf: list[str]) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_rq"]
    del settings.RQ_QUEUES
    assert ids() == []
    assert wakeups.wake() is True


# --- django.tasks ---------------------------------------------------------------------------------

TASKS = "ideogram_django.tasks.TasksDispatcher"


@pytest.mark.skipif(django.VERSION >= (6, 0), reason="this Django has django.tasks")
def test_an_older_django_says_so(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    use(settings, TASKS)
    (message,) = found()
    assert message.id == "ideogram_django.E012"
    assert "Django 6.0" in message.msg
    assert message.hint
    assert wakeups.wake() is False
    assert "Django 6.0" in caplog.text
    assert not hasattr(tasks, "drain")


@pytest.fixture
def dummy(settings: Any) -> Any:
    """A backend that keeps the tasks, as a table or a broker would."""
    from django.tasks import task_backends

    settings.TASKS = {"default": {"BACKEND": DUMMY}}
    use(settings, TASKS)
    backend: Any = task_backends["default"]
    backend.clear()
    return backend


@needs_tasks
@pytest.mark.django_db(transaction=True)
def test_a_worker_of_the_task_backend_makes_the_picture(
    twin: Simulator, settings: Any, dummy: Any
) -> None:
    use(settings, TASKS)
    image = GeneratedImage.objects.generate("A fox")
    GeneratedImage.objects.generate("A hare")
    (result,) = dummy.results
    assert result.task.module_path == "ideogram_django.tasks.drain"
    assert (result.args, result.kwargs) == ([], {})  # the knock carries nothing
    result.task.call()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    assert ids() == []


@needs_tasks
def test_the_tasks_queue(settings: Any, dummy: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.TASKS = {"default": {"BACKEND": DUMMY, "QUEUES": ["default", "pictures"]}}
    use(settings, TASKS, QUEUE="pictures")
    from django.tasks import task_backends

    assert wakeups.wake() is True
    (result,) = task_backends["default"].results  # type: ignore[attr-defined]
    assert result.task.queue_name == "pictures"
    assert ids() == []

    use(settings, TASKS, QUEUE="elsewhere")
    (message,) = found()
    assert message.id == "ideogram_django.E012"
    assert "default, pictures" in message.msg
    assert wakeups.wake() is False
    assert "elsewhere" in caplog.text


@needs_tasks
@pytest.mark.django_db(transaction=True)
def test_the_immediate_backend_would_hold_up_the_page(
    twin: Simulator, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TASKS = {"default": {"BACKEND": IMMEDIATE}}
    use(settings, TASKS)
    image = GeneratedImage.objects.generate("A fox")
    image.refresh_from_db()
    assert image.status == Status.PENDING
    assert twin.requests == []
    assert "immediate backend" in caplog.text
    assert ids() == ["E012"]


@needs_tasks
def test_without_a_shared_cache_the_check_says_so(dummy: Any, cache_of_each_process: None) -> None:
    assert ids() == ["W007"]


def test_nothing_of_it_is_loaded_by_the_rest() -> None:
    """Only the setting names it: a site on another queue never imports the module."""
    code = (
        "import django; django.setup();"
        "from ideogram_django import admin, views, drains;"
        "import sys; assert 'ideogram_django.tasks' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"DJANGO_SETTINGS_MODULE": "tests.settings"}
    )


# --- the documentation ----------------------------------------------------------------------------


class Celery:
    """As much of it as the page uses: a decorator, and a task that is put on a list."""

    def __init__(self) -> None:
        self.put: list[Any] = []

    def shared_task(self, **options: Any) -> Any:
        def decorate(function: Any) -> Any:
            function.apply_async = lambda **options: self.put.append(function)
            return function

        return decorate


@pytest.mark.django_db(transaction=True)
def test_the_queue_of_the_page(
    twin: Simulator, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    celery = Celery()
    monkeypatch.setitem(sys.modules, "celery", celery)  # type: ignore[arg-type]
    with written("queues.md", tmp_path):
        names = {"IDEOGRAM_DJANGO": dict(settings.IDEOGRAM_DJANGO)}
        exec(files("queues.md")["settings.py"], names)  # noqa: S102 - our own page
        settings.IDEOGRAM_DJANGO = names["IDEOGRAM_DJANGO"]
        assert ids() == []
        image = GeneratedImage.objects.generate("A fox")
        (drain,) = celery.put
        drain()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED


@needs_tasks
def test_another_alias_of_the_page(settings: Any, tmp_path: Any) -> None:
    from django.tasks import task_backends

    settings.TASKS = {"default": {"BACKEND": DUMMY}, "pictures": {"BACKEND": DUMMY}}
    with written("queues.md", tmp_path):
        use(settings, "newsroom.tasks_queue.PicturesDispatcher")
        assert wakeups.wake() is True
    (result,) = task_backends["pictures"].results  # type: ignore[attr-defined]
    assert result.task.backend == "pictures"


def test_the_page_names_every_part() -> None:
    rows = re.findall(r"^\| (`.+?) \|", page("queues.md"), re.MULTILINE)
    named = set(re.findall(r"`(\w+)", " ".join(rows))) | {"can_count", "wake"}
    parts = {name for name in vars(Dispatcher) if not name.startswith("_")}
    assert parts == named

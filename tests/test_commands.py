"""``ideogram_generate`` and ``ideogram_doctor``, against the twin over a real socket."""

from __future__ import annotations

import io
import json
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import features
from rq import Worker

from ideogram_django import migrations
from ideogram_django.budget.models import SpendingLimit
from ideogram_django.drains import loop, provider
from ideogram_django.models import Charge, GeneratedImage, ProviderState, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ErrorCode, PauseCode, Status
from tests.drain import KEY, configured, drain, drain_to_end, twin

__all__ = ["twin"]


def run(command: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def refused(command: str, *arguments: str) -> str:
    """What the command says when it refuses; nothing is spent."""
    with pytest.raises(CommandError) as caught:
        run(command, *arguments)
    assert Charge.objects.count() == 0
    return str(caught.value)


def csv_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> str:
    path = tmp_path / "pictures.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


# --- ideogram_generate --------------------------------------------------------------------------


def test_one_prompt_is_made_while_waiting(twin: Simulator) -> None:
    out = run("ideogram_generate", "A fox", "--aspect-ratio", "16:9", "--yes", "--wait")
    image = GeneratedImage.objects.get()
    assert (image.status, image.aspect_ratio) == (Status.COMPLETED, "16:9")
    lines = out.splitlines()
    assert lines[0] == "1 picture · $0.03."
    assert lines[-2] == "1 of 1 finished"
    assert lines[-1] == f"{image.uuid}  {image.url}"
    assert len(twin.ledger) == 1


@pytest.mark.parametrize("answer", ["y\n", "YES\n", "y"])
def test_the_price_comes_first_and_yes_goes_on(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    out = run("ideogram_generate", "A fox", "--count", "4")
    assert out.startswith("4 pictures · $0.12. Go on? [y/N] ")
    assert GeneratedImage.objects.filter(status=Status.PENDING).count() == 4
    assert "No worker listens now" in out


@pytest.mark.parametrize("answer", ["\n", "n\n", "what\n"])
def test_anything_else_spends_nothing(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert refused("ideogram_generate", "A fox") == "Nothing was made and nothing was spent."


def test_without_an_answer_it_says_how_to_give_one(
    twin: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "--yes" in refused("ideogram_generate", "A fox")


def test_a_csv_file_with_options_for_the_lines_that_say_nothing(
    twin: Simulator, tmp_path: Path
) -> None:
    path = csv_file(
        tmp_path,
        "\ufeffPrompt;Aspect Ratio;count;seed;alt_text\r\n"
        "A fox, red;;;;Ein Fuchs\r\n"
        ";;;;\r\n"
        '"A poster\nin two lines";1:1;2;;\r\n'
        "A hare;;;7;\r\n",
    )
    run("ideogram_generate", "--csv", path, "--aspect-ratio", "16:9", "--yes")
    made = GeneratedImage.objects.order_by("id")
    assert [(one.prompt, one.aspect_ratio, one.seed, one.alt_text) for one in made] == [
        ("A fox, red", "16:9", None, "Ein Fuchs"),
        ("A poster\nin two lines", "1:1", None, ""),
        ("A poster\nin two lines", "1:1", None, ""),
        ("A hare", "16:9", 7, ""),
    ]


def test_one_wrong_line_and_nothing_is_made(twin: Simulator, tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        'prompt,seed,aspect_ratio\nA fox,1,1:1\n"Two\nlines",x,1:1\nA hare,2,7:3\n,3,\na,b,c,d\n',
    )
    told = refused("ideogram_generate", "--csv", path, "--yes")
    assert "Line 3: seed: 'x' is not a whole number." in told
    assert "Line 5: aspect_ratio: " in told
    assert "Line 6: prompt: " in told
    assert "Line 7: it has 4 cells" in told
    assert told.endswith("Nothing was made and nothing was spent.")
    assert GeneratedImage.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("prompt\n", "has no line with a prompt"),
        ("prompt,modell\nA fox,x\n", "Did you mean 'model'?"),
        ("prompt,colour of the sky\nA fox,x\n", "There are: prompt, model, count"),
        ("model\nideogram-v4-turbo\n", "no column 'prompt'"),
        ("prompt,prompt\nA,B\n", "the same column twice"),
        ('prompt\n"A fox\n', "Line 2 of"),
        ("prompt,count\nA fox,0\n", "Line 2: count: At least one"),
        ("prompt,count,seed\nA fox,2,1\n", "Line 2: seed: The same seed"),
        ("prompt,count\nA fox,99999\n", "at most 10000 pictures"),
    ],
)
def test_a_csv_file_that_makes_no_sense(
    twin: Simulator, tmp_path: Path, text: str, sentence: str
) -> None:
    assert sentence in refused("ideogram_generate", "--csv", csv_file(tmp_path, text), "--yes")


def test_a_csv_file_that_cannot_be_read(twin: Simulator, tmp_path: Path) -> None:
    path = csv_file(tmp_path, "prompt\nEin schöner Fuchs\n", encoding="latin-1")
    assert "not UTF-8" in refused("ideogram_generate", "--csv", path)
    assert "cannot be read: No such file" in refused("ideogram_generate", "--csv", "missing.csv")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "either prompts or --csv"),
        (["A fox", "--csv", "x.csv"], "either prompts or --csv"),
        (["A fox", "--model", "ideogram-v5"], "model: "),
        (["A fox", ""], "Prompt 2: prompt: "),
        (["A fox", "--out", "somewhere"], "--out needs --wait"),
        (["A fox", "--user", "nobody"], "There is no user 'nobody'"),
        (["A fox", "--count", "2", "--seed", "1"], "seed: "),
        (["A fox", "--wait", "--out", "/proc/no"], "Nothing can be written to /proc/no"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(
    twin: Simulator, arguments: list[str], sentence: str
) -> None:
    assert sentence in refused("ideogram_generate", *arguments, "--yes")


def test_the_users_limit_counts(twin: Simulator, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("ada")
    SpendingLimit.objects.create(user=user, period="day", amount="0.05")
    told = refused("ideogram_generate", "A fox", "A hare", "--user", "ada", "--yes")
    assert "only $0.05 is left today for ada" in told
    run("ideogram_generate", "A fox", "--user", "ada", "--yes")
    assert GeneratedImage.objects.get().requested_by == user


def test_files_are_copied_and_told_as_json(twin: Simulator, tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    arguments = ["A fox at sea", "--wait", "--out", str(tmp_path / "new" / "out"), "--json"]
    call_command("ideogram_generate", *arguments, "--yes", stdout=out, stderr=err)
    (entry,) = json.loads(out.getvalue())
    image = GeneratedImage.objects.get()
    copy = Path(entry["copy"])
    assert copy.name == f"a-fox-at-sea-{image.uuid.hex[:8]}.png"
    assert copy.stat().st_size == image.size
    assert [one.name for one in copy.parent.iterdir()] == [copy.name]
    assert (entry["uuid"], entry["status"]) == (str(image.uuid), "completed")
    assert "1 picture · $0.03." in err.getvalue()


def test_the_same_request_id_spends_once(twin: Simulator) -> None:
    arguments = ["A fox", "--request-id", str(uuid.uuid4()), "--yes"]
    run("ideogram_generate", *arguments)
    out = run("ideogram_generate", *arguments, "--wait")
    assert "nothing is spent again" in out
    assert Charge.objects.count() == 1
    assert len(twin.ledger) == 1


def test_a_failure_is_told_and_is_the_exit_code(twin: Simulator) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 picture could not be made"):
        call_command("ideogram_generate", "A fox [policy]", "A hare", "--yes", "--wait", stdout=out)
    refusal, hare = GeneratedImage.objects.order_by("id")
    assert f"{refusal.uuid}  {ErrorCode.REFUSED.label}" in out.getvalue()
    assert f"{hare.uuid}  {hare.url}" in out.getvalue()


def test_waiting_ends(twin: Simulator) -> None:
    with pytest.raises(CommandError, match="1 picture still unfinished"):
        run("ideogram_generate", "A fox [forever]", "--yes", "--wait", "--timeout", "0.1")
    assert GeneratedImage.objects.get().job_id


def test_a_terminal_sees_one_line_that_changes(twin: Simulator) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    call_command("ideogram_generate", "A fox", "--yes", "--wait", "--no-color", stdout=out)
    lines = out.getvalue().split("\r")
    assert f"{'-' * 30}  0 of 1 finished · 1 Queued at the provider" in [
        one.strip() for one in lines
    ]
    assert f"{'#' * 30}  1 of 1 finished" in lines[-1]


# --- ideogram_doctor ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
    """What the doctor said: findings by subject, and the sentence of a failed visit."""

    findings: dict[str, list[dict[str, str]]]
    failed: str

    def told(self, subject: str) -> tuple[str, str]:
        """Level and text of the one finding about this."""
        (finding,) = self.findings[subject]
        assert bool(finding["advice"]) == (finding["level"] != "ok")
        return finding["level"], finding["text"]


def visit(*arguments: str) -> Visit:
    out, failed = io.StringIO(), ""
    try:
        call_command("ideogram_doctor", *arguments, "--json", stdout=out)
    except CommandError as error:
        failed = str(error)
    assert KEY not in out.getvalue()
    findings: dict[str, list[dict[str, str]]] = {}
    for entry in json.loads(out.getvalue()):
        findings.setdefault(entry["subject"], []).append(entry)
    return Visit(findings, failed)


@pytest.fixture
def queue(settings: Any, redis_server: str) -> Iterator[Any]:
    """A queue on a real server, without a worker."""
    name = f"doctor-{uuid.uuid4().hex}"
    settings.RQ_QUEUES = {name: {"URL": redis_server}}
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "QUEUE": name}
    queue = django_rq.get_queue(name)
    yield queue
    queue.delete(delete_jobs=True)
    queue.connection.close()


@pytest.mark.redis
def test_a_healthy_site(twin: Simulator, queue: Any, live_server: Any, settings: Any) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)
    loop.work(sync=False, linger=0)
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    try:
        with configured(settings, WEBHOOK_BASE_URL=live_server.url):
            found = visit()
            out = run("ideogram_doctor")
    finally:
        worker.register_death()
    levels = {s: {f["level"] for f in findings} for s, findings in found.findings.items()}
    warned = levels.pop("Settings")  # the twin is no public https address
    assert warned == {"warning"}
    assert set(levels) == {
        "Account", "Balance", "Database", "Pause", "Queue", "Storage", "Sync", "Webhook", "Widths",
        "Work", "Worker",
    }  # fmt: skip
    assert set().union(*levels.values()) == {"ok"}
    assert found.failed == ""
    assert "1 worker listens" in found.told("Queue")[1]
    assert "Simulated key (afk_0000…) for Simulated team" in found.told("Account")[1]
    assert found.told("Balance")[1] == "99997 credits left: enough for 33332 pictures more."
    assert "ok       Account" in out
    assert "\n                   → Pictures may be fetched from this address" in out
    # It leaves nothing behind.
    assert not StoredObject.objects.filter(linked_at__isnull=True).exists()
    assert len(twin.ledger) == 1


@pytest.mark.redis
def test_warnings_fail_a_strict_visit_alone(twin: Simulator, queue: Any, settings: Any) -> None:
    drain()
    loop.work(sync=False, linger=0)
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    try:
        assert visit().failed == ""
        assert visit("--strict").failed == "2 warnings found."
    finally:
        worker.register_death()


@pytest.mark.redis
def test_a_queue_without_worker(twin: Simulator, queue: Any) -> None:
    level, text = visit().told("Queue")
    assert (level, "no worker listens" in text) == ("problem", True)


def test_a_queue_that_does_not_answer(twin: Simulator, settings: Any) -> None:
    settings.RQ_QUEUES = {"default": {"URL": "redis://127.0.0.1:1/0"}}
    found = visit()
    assert found.told("Queue") == ("problem", "Redis does not answer for the queue 'default'.")
    assert "problem" in found.failed


def test_wrong_settings_end_the_visit(twin: Simulator, settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {"API_KEI": KEY}
    found = visit()
    assert list(found.findings) == ["Settings"]
    assert found.findings["Settings"][0]["advice"] == "Did you mean 'API_KEY'?"
    assert found.failed == "1 problem found."


def test_a_database_without_tables(twin: Simulator) -> None:
    call_command("migrate", "ideogram_django", "zero", verbosity=0)
    try:
        found = visit()
        number = len(list(Path(migrations.__file__).parent.glob("0*.py")))
        assert found.told("Database") == ("problem", f"{number} migrations not applied.")
        assert "Work" not in found.findings
    finally:
        call_command("migrate", verbosity=0)  # the magazine's tables went with ours


def test_sqlite_that_locks_itself_out(twin: Simulator, settings: Any) -> None:
    plain = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}}
    # Only the system check reads this setting: the open connection stays as it is.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings.DATABASES = plain
    _fine, warned = visit().findings["Database"]
    assert warned["level"] == "warning"
    assert "IMMEDIATE" in warned["text"]


def test_a_revoked_key(twin: Simulator) -> None:
    twin.revoke_key(KEY)
    level, text = visit().told("Account")
    assert level == "problem"
    assert "does not accept this site's API key" in text


def test_a_provider_out_of_reach(twin: Simulator, settings: Any) -> None:
    with configured(settings, API_BASE_URL="http://127.0.0.1:1"):
        level, text = visit().told("Account")
    assert level == "problem"
    assert text.startswith("http://127.0.0.1:1 does not answer")


def test_a_key_that_cannot_be_sent(twin: Simulator, settings: Any) -> None:
    with configured(settings, API_KEY="afk_with space"):
        found = visit().findings["Settings"][0]
    assert found["level"] == "problem"
    assert "holds a blank or a letter that no key has" in found["text"]


@pytest.mark.parametrize(
    ("credits", "level", "text"),
    [
        (2, "problem", "2 credits left; one picture needs 3."),
        (5, "warning", "5 credits left; the pictures that wait need 6."),
        (6, "ok", "6 credits left: enough for 2 pictures more."),
    ],
)
def test_the_balance(twin: Simulator, credits: int, level: str, text: str) -> None:
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
    twin.credits = credits
    assert visit().told("Balance") == (level, text)


def test_a_pause_says_why_and_since_when(twin: Simulator, settings: Any) -> None:
    provider.state()
    provider.pause(PauseCode.INSUFFICIENT_CREDITS, "Need 3 credits.")
    level, text = visit().told("Pause")
    assert level == "problem"
    assert text == (
        "Nothing is sent (since less than a minute ago). "
        f"{PauseCode.INSUFFICIENT_CREDITS.label} The provider said: Need 3 credits."
    )
    provider.resume()
    provider.hold_off(90)
    assert visit().told("Pause")[0] == "warning"
    ProviderState.objects.update(not_before=None)
    assert visit().told("Pause")[0] == "ok"
    with configured(settings, SPENDING_ENABLED=False):
        assert visit().told("Pause") == ("warning", "Making pictures is switched off.")


def test_heartbeats(twin: Simulator) -> None:
    found = visit()
    assert found.told("Worker") == ("warning", "No worker has done anything yet.")
    assert found.told("Sync") == ("problem", "ideogram_sync has never run.")
    drain()
    loop.work(sync=False, linger=0)
    found = visit()
    assert [found.told(name)[0] for name in ("Worker", "Sync")] == ["ok", "ok"]
    ProviderState.objects.update(last_sync=timezone.now() - timedelta(hours=3))
    assert visit().told("Sync") == ("problem", "ideogram_sync last ran 3 hours ago.")


def test_work_that_nobody_takes_up(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    assert visit().told("Work") == ("ok", "1 picture in progress, none left lying.")
    GeneratedImage.objects.update(next_check_at=timezone.now() - timedelta(hours=2))
    assert visit().told("Work") == (
        "problem",
        "1 picture due since 2 hours ago, and nobody works on them.",
    )
    GeneratedImage.objects.update(
        status=Status.FAILED, error_code=ErrorCode.OUTCOME_UNKNOWN, next_check_at=None
    )
    Charge.objects.update(other_job_ids=[str(uuid.uuid4())])
    _ok, *warned = visit().findings["Work"]
    assert [one["level"] for one in warned] == ["warning"] * 3
    assert "nobody knows" in warned[0]["text"]
    assert "more than one job" in warned[1]["text"]
    assert "still reserved" in warned[2]["text"]
    image.refresh_from_db()
    assert image.status == Status.FAILED  # the doctor only looks


class BrokenStorage(FileSystemStorage):
    """Refuses one thing that the options name, telling more than it should."""

    def __init__(self, *, refuses: str, **options: Any) -> None:
        self.refuses = refuses
        super().__init__(**options)

    def _refuse(self, what: str) -> None:
        if self.refuses == what:
            raise PermissionError(f"AccessDenied for key {KEY}")

    def _save(self, name: str, content: Any) -> str:
        self._refuse("written")
        return super()._save(name, content)

    def _open(self, name: str, mode: str = "rb") -> Any:
        self._refuse("read")
        if self.refuses == "honest":
            return ContentFile(b"something else")
        return super()._open(name, mode)

    def delete(self, name: str) -> None:
        self._refuse("deleted")
        super().delete(name)


@pytest.mark.parametrize("refuses", ["written", "read", "deleted"])
def test_a_storage_that_refuses(twin: Simulator, settings: Any, refuses: str) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "tests.test_commands.BrokenStorage",
            "OPTIONS": {"refuses": refuses},
        },
    }
    level, text = visit().told("Storage")
    assert level == "problem"
    assert text == (
        f"In 'default' nothing can be {refuses}: PermissionError: AccessDenied for key ***"
    )
    # What may lie there is still noted, so that the sweep deletes it.
    assert StoredObject.objects.get().deleted_at is None


def test_a_storage_that_gives_back_something_else(twin: Simulator, settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "tests.test_commands.BrokenStorage",
            "OPTIONS": {"refuses": "honest"},
        },
    }
    level, text = visit().told("Storage")
    assert (level, "something else" in text) == ("problem", True)
    assert not StoredObject.objects.exists()


def test_pillow_without_webp(
    twin: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(features.modules, "webp", ("PIL._no_such_module", None))
    level, text = visit().told("Widths")
    assert (level, "without WebP" in text) == ("problem", True)
    with configured(settings, WIDTHS=[]):
        assert visit().told("Widths")[0] == "ok"


def test_the_webhook_is_tried_with_a_signed_call(
    twin: Simulator, live_server: Any, settings: Any
) -> None:
    with configured(settings, WEBHOOK_BASE_URL=live_server.url, WEBHOOK_SIGNATURE="required"):
        level, text = visit().told("Webhook")
    assert level == "ok"
    assert text.startswith(f"{live_server.url}/ideogram/webhook/… takes the provider's calls.")
    assert "from outside" in text


def test_a_site_without_webhook(twin: Simulator) -> None:
    assert visit().told("Webhook")[0] == "warning"


def test_a_webhook_address_where_nobody_listens(twin: Simulator, settings: Any) -> None:
    with configured(settings, WEBHOOK_BASE_URL="http://127.0.0.1:1"):
        level, text = visit().told("Webhook")
    assert level == "problem"
    assert (
        text == "http://127.0.0.1:1/ideogram/webhook/… does not answer from here (ConnectionError)."
    )


def test_a_webhook_address_of_another_server(twin: Simulator, settings: Any) -> None:
    with configured(settings, WEBHOOK_BASE_URL=twin.base_url):
        level, text = visit().told("Webhook")
    assert (level, "answered 404: it is not known there" in text) == ("problem", True)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(301, "redirects (301)"), (403, "something before the site"), (502, "that is not its answer")],
)
def test_a_proxy_in_the_way(twin: Simulator, settings: Any, status: int, sentence: str) -> None:
    with answering(status) as address, configured(settings, WEBHOOK_BASE_URL=address):
        level, text = visit().told("Webhook")
    assert (level, sentence in text) == ("problem", True)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every POST with this status; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", "https://example.org/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

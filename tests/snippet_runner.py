"""Runs the blocks of one page inside the site that :mod:`tests.snippets` made for it.

A process of its own, started in that site's folder: what a page defines stays there. Ends with an
error that names the block.
"""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import os
import runpy
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, os.getcwd())

import django

from ideogram_django.simulator import Simulator
from tests.snippets import command_lines

Block = dict[str, Any]
OURS = ("API_KEY", "API_BASE_URL", "WEBHOOK_BASE_URL", "QUEUE", "STORAGE", "DISPATCHER")
"""Settings of a block that are checked, but not used here: they lead out of this machine."""
LASTING = ("rqworker", "runserver", "ideogram_simulator", "ideogram_doctor")
"""Commands that do not end by themselves or want a server. Their options are checked."""
BEGINNING = ("startproject", "startapp", "makemigrations", "migrate", "createsuperuser")
"""What this site has behind it. Their options are checked, and a new project runs them."""


class Page:
    """The site of a page, running."""

    def __init__(self, blocks: list[Block], twin: Simulator) -> None:
        self.blocks = blocks
        self.twin = twin
        self.names: dict[str, Any] = {}

    def run(self) -> None:
        handlers: dict[str, Callable[[Block], None]] = {
            "python": self.python,
            "django": self.django,
            "jinja": self.jinja,
            "console": self.console,
        }
        self.names = stage(self.twin)
        for block in self.blocks:
            if block["not_run"] or block["run_by"] or block["language"] not in handlers:
                continue
            try:
                self.names.update(unfinished(self.names["user"], block["text"]))
                self.script(block["setup"])
                handlers[block["language"]](block)
            except BaseException as error:  # a SystemExit of a command is a failure, too
                sys.stdout.write(f"{block['place']}\n{block['text']}\n")
                traceback.print_exception(error, limit=-4)
                sys.exit(f"{block['place']}: {type(error).__name__}: {error}")

    # --- python ---------------------------------------------------------------------------------

    def python(self, block: Block) -> None:
        if "\ndef test_" in f"\n{block['text']}":
            self.tests(block)
            return
        for path, text in block["parts"]:
            if path == "yoursite/settings.py":
                self.settings(text)
            elif path == "":
                if "@admin.register(" in text:
                    start_anew()
                self.script(text)
            elif path.startswith("articles/"):
                # It was imported with the site; what it names is there for the scripts after it.
                module = __import__(path.removesuffix(".py").replace("/", "."), fromlist=["*"])
                self.names.update({k: v for k, v in vars(module).items() if k[0] != "_"})

    def script(self, text: str) -> None:
        """Statement by statement: those with ``await`` on a loop, those that wait with a worker."""
        text = text if text.endswith("\n") else f"{text}\n"
        for statement in ast.parse(dedented(text)).body:
            whole = ast.Module([statement], [])
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(whole, "<block>", "exec", flags=flags, dont_inherit=True)
            source = ast.unparse(statement)
            with self.worker() if "wait(" in source or "_finished(" in source else quiet():
                result = eval(code, self.names)  # noqa: S307
                if asyncio.iscoroutine(result):
                    asyncio.run(result)

    def settings(self, text: str) -> None:
        """They run after those of a new project, and the checks find nothing wrong with them."""
        from django.conf import settings
        from django.test import override_settings

        from ideogram_django import checks

        before = runpy.run_path("yoursite/settings.py")
        after = {name: value for name, value in before.items() if name.isupper()}
        after = runpy_text(text, after)
        given = dict(after.get("IDEOGRAM_DJANGO") or {})
        base = dict(settings.IDEOGRAM_DJANGO)
        changed = {
            name: after[name] for name in ("STORAGES", "RQ_QUEUES", "TASKS") if name in after
        }
        with override_settings(IDEOGRAM_DJANGO={"API_KEY": "afk_x", **given}, **changed):
            found = [one for one in checks.check_settings() if not excused(one, after)]
        if found:
            raise AssertionError("\n".join(map(str, found)))
        kept = {name: value for name, value in given.items() if name not in OURS}
        override_settings(IDEOGRAM_DJANGO={**base, **kept}).enable()

    def tests(self, block: Block) -> None:
        """A test file of the site, run by pytest in the site."""
        Path("test_block.py").write_text(block["setup"] + block["text"], encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "test_block.py"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)

    # --- templates ------------------------------------------------------------------------------

    def django(self, block: Block) -> None:
        from django.template import Context, Template

        Template("{% load ideogram %}" + block["text"]).render(Context(self.names))

    def jinja(self, block: Block) -> None:
        make = self.names.get("environment")
        if make is None:
            raise AssertionError("No block before this one defines environment(**options).")
        make(autoescape=True).from_string(block["text"]).render(self.names)

    # --- commands -------------------------------------------------------------------------------

    def console(self, block: Block) -> None:
        for words in command_lines(block["text"]):
            if words[:2] == ["python", "manage.py"]:
                self.manage(words[2], words[3:])
            elif words[0] == "gunicorn":
                __import__(words[-1].partition(":")[0])

    def manage(self, name: str, words: list[str]) -> None:
        check_command(name, words)
        if name in (*LASTING, *BEGINNING) or "--loop" in words:
            return
        from django.core.management import call_command

        with redirect_stdout(io.StringIO()):
            call_command(name, *words)

    # --- the worker -----------------------------------------------------------------------------

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Somebody who does the work, for statements that wait for it."""
        over = threading.Event()

        def work() -> None:
            from django.db import connection

            while not over.is_set():
                finish(self.twin)
                over.wait(0.05)
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def start_anew() -> None:
    """A page may show several ways to register the same models; each is a site's only one."""
    from django.apps import apps
    from django.contrib import admin

    for model in apps.get_app_config("articles").get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)


@contextmanager
def quiet() -> Iterator[None]:
    yield


def finish(twin: Simulator) -> None:
    from django.db.models.functions import Now

    from ideogram_django import drains
    from ideogram_django.models import GeneratedImage

    twin.finish_all()
    GeneratedImage.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
    drains.work(sync=False, linger=0)


def check_command(name: str, words: list[str]) -> None:
    """A command that exists and takes these options; ``SystemExit`` otherwise."""
    from django.core.management import get_commands, load_command_class

    found = get_commands()[name]
    command = load_command_class(found, name) if isinstance(found, str) else found
    command.create_parser("manage.py", name).parse_args(words)


def excused(message: Any, settings: dict[str, Any]) -> bool:
    """A storage of an extra that is not installed here cannot be made."""
    from importlib.util import find_spec

    return message.id == "ideogram_django.E007" and not find_spec("storages")


def runpy_text(text: str, names: dict[str, Any]) -> dict[str, Any]:
    names = {**names, "os": os}
    exec(compile(text, "settings.py", "exec", dont_inherit=True), names)  # noqa: S102
    return names


def dedented(text: str) -> str:
    import textwrap

    return textwrap.dedent(text)


def stage(twin: Simulator) -> dict[str, Any]:
    """What every page may use without a word: the names of Django's own documentation."""
    import django.contrib.admin
    import django.forms
    from django.contrib.auth import get_user_model
    from django.db import models
    from django.shortcuts import get_object_or_404, redirect, render
    from django.test import Client, RequestFactory
    from django.urls import include, path

    from articles import models as written
    from ideogram_django import models as ours

    user = get_user_model().objects.create_superuser("editor", "editor@example.org", "editor")
    request = RequestFactory().post("/", {"title": "Open late"})
    request.user = user
    pictures = ours.GeneratedImage.objects
    image = pictures.generate("A harbour at night", requested_by=user, aspect_ratio="16:9")
    failed = pictures.generate("A pier [fail]", requested_by=user)
    while pictures.in_progress().exists():
        finish(twin)
    image.refresh_from_db()
    failed.refresh_from_db()
    return {
        **{name: getattr(ours, name) for name in ours.__all__},
        **{name: value for name, value in vars(written).items() if name[0] != "_"},
        "admin": django.contrib.admin,
        "article": written.Article.objects.create(title="Night trains", hero=image),
        "client": Client(),
        "failed": failed,
        "forms": django.forms,
        "get_object_or_404": get_object_or_404,
        "image": image,
        "key": uuid.uuid4(),
        "include": include,
        "models": models,
        "path": path,
        "redirect": redirect,
        "render": render,
        "request": request,
        "user": user,
        "uuid": uuid.uuid4(),
        "__name__": "articles.snippets",
    }


def unfinished(user: Any, text: str) -> dict[str, Any]:
    """Pictures that a block may move on; new ones for each, as the last one may have done so."""
    from ideogram_django.models import GeneratedImage

    pictures = GeneratedImage.objects
    made: dict[str, Callable[[], Any]] = {
        "draft": lambda: pictures.create(
            prompt="A fox", model="ideogram-v4-turbo", requested_by=user
        ),
        "waiting": lambda: pictures.generate("A lighthouse", requested_by=user),
    }
    return {name: make() for name, make in made.items() if f"{name}." in text}


def main() -> None:
    with Simulator(api_keys=["afk_tests"], credits=100_000, seconds_per_job=0.05) as twin:
        os.environ["IDEOGRAM_API_BASE_URL"] = twin.base_url
        django.setup()
        logging.disable(logging.WARNING)  # that there is no queue, and what is to fail
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)
        Page(json.loads(Path(sys.argv[1]).read_text()), twin).run()


if __name__ == "__main__":
    main()

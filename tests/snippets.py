"""The fenced blocks of the documentation, and a site of their own for each page to run them in.

What may stand in a comment right before a block, so that readers do not see it:

``<!-- setup: … -->``: Python that runs before the block, such as a file that it reads.
``<!-- run by tests/test_x.py -->``: another test runs it; that file has to name the page.
``<!-- not run: … -->``: the reason why it cannot run. These are counted.

A line ``# models.py`` says which file of the site the following lines belong into: the project is
called ``yoursite``, its app ``articles``. ``# shop/rules.py`` is a path of its own. Without such a
line a block is a script; settings and models are told by what they hold.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "example_project/README.md",
    *sorted(DOCS.rglob("*.md")),
]
PROJECT, APP = "yoursite", "articles"

_FENCE = re.compile(
    r"^(?P<indent>[ ]*)(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)"
    r"^(?P=indent)(?P=ticks)`*[ ]*$",
    re.S | re.M,
)
_COMMENT = re.compile(r"<!--((?:(?!-->).)*)-->\s*\Z", re.S)
_HEADING = re.compile(r"^# ([\w/]+\.py)[ ]*$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block and what its comments say."""

    page: str
    line: int
    language: str
    text: str
    setup: str = ""
    run_by: str = ""
    not_run: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def blocks(path: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = path.read_text("utf-8")
    return [
        Block(
            page=name_of(path),
            line=text.count("\n", 0, match.start()) + 1,
            language=match["language"].strip(),
            text=textwrap.dedent(match["text"]),
            **_said_before(text[: match.start()]),
        )
        for match in _FENCE.finditer(text)
    ]


def _said_before(text: str) -> dict[str, str]:
    """The comments that end right before a block."""
    said: dict[str, str] = {}
    while found := _COMMENT.search(text):
        word, _colon, rest = found[1].strip().partition(":")
        if word == "setup":
            said["setup"] = rest.strip("\n") + "\n"
        elif word == "not run":
            said["not_run"] = " ".join(rest.split())
        elif word.startswith("run by "):
            said["run_by"] = word.removeprefix("run by ").strip()
        else:
            break
        text = text[: found.start()]
    return said


def parts(text: str) -> Iterator[tuple[str, str]]:
    """The lines for each file of the site, and its path; an empty one for a script."""
    first, *rest = _HEADING.split(text)
    if first.strip():
        yield _kind(first), first
    for name, lines in zip(rest[::2], rest[1::2], strict=True):
        yield _path(name), lines


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each command. Where some lines begin with ``$``, the others are output."""
    lines = text.replace("\\\n", " ").splitlines()
    prompted = any(line.startswith("$ ") for line in lines)
    for line in lines:
        if line.startswith("$ ") or not prompted:
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words = words[1:]
            if words:
                yield words


def _path(name: str) -> str:
    if "/" in name:
        return name
    return f"{PROJECT if name in ('settings.py', 'urls.py') else APP}/{name}"


def _kind(text: str) -> str:
    if re.search(r"^class \w+\((\w+, )*models\.Model\)", text, re.M):
        return f"{APP}/models.py"
    return f"{PROJECT}/settings.py" if _are_settings(text) else ""


def _are_settings(text: str) -> bool:
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return False
    named = []
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        while isinstance(targets[0], (ast.Subscript, ast.Attribute)):
            targets = [targets[0].value]
        named.append(isinstance(targets[0], ast.Name) and targets[0].id.isupper())
    return bool(named) and all(named)


# --- a site -------------------------------------------------------------------------------------

SETTINGS = """
import os

INSTALLED_APPS += ["django_rq", "ideogram_django", "articles"]
USE_TZ = True
SECRET_KEY = "documentation"
DATABASES["default"]["OPTIONS"] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
}
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
RQ_QUEUES = {"default": {"UNIX_SOCKET_PATH": str(BASE_DIR / "no-redis.sock"), "DB": 0}}
IDEOGRAM_DJANGO = {
    "API_KEY": "afk_tests",
    "API_BASE_URL": os.environ.get("IDEOGRAM_API_BASE_URL", "http://127.0.0.1:9"),
    "POLL_INTERVAL": 0.2,
    "WIDTHS": [320, 640],
}
"""
URLS = """
from django.http import HttpResponse
from django.urls import include

from ideogram_django.models import GeneratedImage


def new_poster(request):
    prompt = f'A poster that says "{request.POST["title"]}"'
    return HttpResponse(GeneratedImage.objects.generate(prompt, aspect_ratio="2:3").uuid)


urlpatterns += [
    path("ideogram/", include("ideogram_django.urls")),
    path("posters/new/", new_poster),
]
"""
HEAD = """
from django.db import models

from ideogram_django.fields import GeneratedImageField


class Author(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self):
        return self.name
"""
ARTICLE = """

class Article(models.Model):
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    author = models.ForeignKey(Author, null=True, blank=True, on_delete=models.SET_NULL)
    hero = GeneratedImageField(
        prompt_template="{title}, editorial illustration", aspect_ratio="16:9"
    )
    cover = models.ImageField(blank=True, upload_to="covers/")

    def __str__(self):
        return self.title
"""
TOPS = {
    f"{APP}/admin.py": "from django.contrib import admin\nfrom articles.models import *\n",
    f"{APP}/forms.py": "from django import forms\nfrom articles.models import *\n",
    f"{APP}/views.py": "from django.shortcuts import render\nfrom articles.models import *\n",
    f"{PROJECT}/urls.py": "from django.urls import include, path\n",
}
"""What stands at the top of such a file anyway."""
TEST_INI = "[pytest]\npythonpath = .\ndjango_find_project = false\nfilterwarnings = error\n"


def make_project(folder: Path) -> None:
    """``django-admin startproject`` and ``startapp``, as everybody begins."""
    folder.mkdir(parents=True, exist_ok=True)
    call_command("startproject", PROJECT, str(folder))
    (folder / APP).mkdir()
    call_command("startapp", APP, str(folder / APP))


def write_site(folder: Path, found: list[Block]) -> None:
    """A project with the package installed, and the files that the blocks hold."""
    make_project(folder)
    shutil.rmtree(folder / APP / "migrations")
    (folder / "pytest.ini").write_text(TEST_INI)
    placed = [
        (path, text)
        for block in found
        if block.language == "python" and not (block.not_run or block.run_by)
        for path, text in parts(block.text)
        if path not in ("", f"{PROJECT}/settings.py")
    ]
    models = "".join(text for path, text in placed if path == f"{APP}/models.py")
    append(folder / PROJECT / "settings.py", SETTINGS)
    append(folder / PROJECT / "urls.py", URLS)
    own = re.search(r"^class Article\(", models, re.M)
    append(folder / APP / "models.py", HEAD + ("" if own else ARTICLE))
    for path in dict.fromkeys(path for path, _text in placed):
        append(folder / path, TOPS.get(path, ""))
        (folder / path).with_name("__init__.py").touch()
    for path, text in placed:
        append(folder / path, text)


def append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}")


def environment(**more: str) -> dict[str, str]:
    """For a process of a site: this tree's package, and nothing of this test run's Django."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "IDEOGRAM_API_KEY": "afk_tests",
        "IDEOGRAM_METRICS_TOKEN": "tests-tests-tests",
        **more,
    }


def run_page(folder: Path, found: list[Block], **more: str) -> str:
    """Run a page's blocks in a site of its own; what went wrong, or an empty string."""
    write_site(folder, found)
    (folder / "blocks.json").write_text(json.dumps([as_plain(block) for block in found]))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/snippet_runner.py"), "blocks.json"],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=170,
    )
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def as_plain(block: Block) -> dict[str, Any]:
    return {**asdict(block), "place": block.place, "parts": list(parts(block.text))}

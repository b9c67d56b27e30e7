"""A new Django project, made from the documentation's own blocks, gets a picture onto a page.

The wheel is installed into a virtual environment that sees this one's other packages, so that
nothing is downloaded. The provider is the offline twin; all else is what the page says.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.site import wait_until
from tests.snippets import APP, PROJECT, ROOT, TOPS, append, blocks, parts

pytestmark = pytest.mark.redis

PAGES = ("README.md", "docs/quickstart.md")
VIEW = """
from django.shortcuts import get_object_or_404, render

from articles.models import Article


def article(request, pk):
    return render(request, "articles/article.html", {"article": get_object_or_404(Article, pk=pk)})
"""
ADDRESS = """
from articles import views

urlpatterns += [path("articles/<int:pk>/", views.article)]
"""
"""What a page without a view of its own leaves to its reader."""
EDITOR = """
import json, sys
from html.parser import HTMLParser

from django.contrib.auth import get_user_model
from django.test import Client


class Form(HTMLParser):
    def __init__(self):
        super().__init__()
        self.values, self.area = {}, None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name, kind = given.get("name"), given.get("type", "text")
        if tag == "textarea":
            self.area = name
            self.values[name] = ""
        elif tag == "input" and name and kind in ("hidden", "text"):
            self.values[name] = given.get("value") or ""

    def handle_data(self, text):
        if self.area:
            self.values[self.area] += text

    def handle_endtag(self, tag):
        if tag == "textarea":
            self.area = None


editor = get_user_model().objects.create_superuser("editor", password="editor")
client = Client(HTTP_HOST="127.0.0.1")
client.force_login(editor)
form = Form()
form.feed(client.get("/admin/articles/article/add/").content.decode())
fields = {**form.values, "title": "Night trains", "hero-make": "on"}
fields["hero-prompt"] = "A night train in the snow"
answer = client.post("/admin/articles/article/add/", fields)
assert answer.status_code == 302, answer.content.decode()
print("saved")
"""
LOOK = """
from django.test import Client

from articles.models import Article

article = Article.objects.get()
print(article.hero.status, article.hero.error_code)
print(article.hero.file.path if article.hero.file else "")
print(Client(HTTP_HOST="127.0.0.1").get(f"/articles/{article.pk}/").content.decode())
if article.hero.file:
    print(Client(HTTP_HOST="127.0.0.1").get(article.hero.url))  # which a browser does next
"""


@dataclass
class NewProject:
    """A folder with a project, and the Python of an environment that has the wheel."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def run(self, *words: str, code: str = "") -> str:
        done = subprocess.run(
            [str(self.python), *words],
            input=code,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def manage(self, *words: str) -> str:
        return self.run("manage.py", *words)

    def shell(self, code: str) -> str:
        (self.folder / "step.py").write_text(f"import django\ndjango.setup()\n{code}")
        return self.run("step.py")

    @contextmanager
    def running(self, *words: str) -> Iterator[Path]:
        """One more process, ended with the block; the file that it writes to."""
        log = self.folder / f"{words[0]}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [str(self.python), "manage.py", *words],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it, and the packages of this one behind it."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    if importlib.util.find_spec("ensurepip"):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [str(folder / "bin/python"), "-m", "pip", "-qq", "install"]
    else:
        uv = shutil.which("uv")
        assert uv, "neither pip nor uv can install here"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(folder / "bin/python")]
    offline = ["--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*install, *(offline if "-m" in install else offline[:2]), wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others))
    return folder / "bin/python"


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(page: str, python: Path, tmp_path: Path, redis_server: str) -> NewProject:
    """``startproject`` and ``startapp``, and then what the page says."""
    folder = tmp_path / "new"
    folder.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    new = NewProject(folder, python, {**kept, "REDIS_URL": redis_server})
    new.run("-m", "django", "startproject", PROJECT, ".")
    new.manage("startapp", APP)
    new.environment["DJANGO_SETTINGS_MODULE"] = f"{PROJECT}.settings"
    follow(new, page)
    return new


def follow(new: NewProject, page: str) -> None:
    """Put the page's first blocks where it says, as its reader does."""
    found = blocks(ROOT / page)
    install = next(
        block for block in found if block.language == "python" and "INSTALLED_APPS" in block.text
    )
    written = dict(parts(install.text))
    for path, text in written.items():
        assert path, f"{install.place}: which file do the first lines belong into?"
        append(new.folder / path, TOPS.get(path, "") + text)
    if APP not in written[f"{PROJECT}/settings.py"]:
        append(new.folder / PROJECT / "settings.py", f'INSTALLED_APPS += ["{APP}"]\n')
    if f"{APP}/views.py" not in written:
        append(new.folder / APP / "views.py", VIEW)
        append(new.folder / PROJECT / "urls.py", ADDRESS)
    template = next(
        block for block in found if block.language == "django" and "{% load" in block.text
    )
    folder = new.folder / APP / "templates" / APP
    folder.mkdir(parents=True)
    (folder / "article.html").write_text(template.text)


def test_a_new_project_gets_a_picture_onto_a_page(project: NewProject) -> None:
    where = project.run("-c", "import ideogram_django; print(ideogram_django.__file__)")
    assert str(project.python.parent.parent) in where, "the wheel is what is used"

    twin = ("ideogram_simulator", "--port", "0", "--speed", "20")
    project.environment["IDEOGRAM_API_KEY"] = "afk_simulator"
    project.environment["PYTHONUNBUFFERED"] = "1"
    with project.running(*twin) as log:
        told = wait_until(lambda: re.search(r'"API_BASE_URL": "([^"]+)"', log.read_text()))
        # For the twin, as the page says; and by polling alone, as nobody can call this machine.
        offline = f'IDEOGRAM_DJANGO |= {{"API_BASE_URL": "{told[1]}", "WEBHOOK_BASE_URL": None}}\n'
        append(project.folder / PROJECT / "settings.py", offline)
        project.manage("check")
        project.manage("makemigrations", APP)
        project.manage("migrate")
        assert project.shell(EDITOR) == "saved\n"
        project.manage("rqworker", "default", "--burst")
        assert not project.shell(LOOK).startswith("pending"), "the queue had nothing for the worker"
        with project.running("ideogram_sync", "--loop") as sync:
            html = wait_until(
                lambda: (text := project.shell(LOOK)) and "srcset" in text and text,
                120,
                tell=lambda: f"{project.shell(LOOK)}\n{sync.read_text()}\n{log.read_text()}",
            )
    assert html.startswith("completed")
    (image,) = re.findall(r"<img [^>]*>", html)
    assert re.search(r'srcset="\S+\.webp 320w, \S+\.webp 640w, .*\S+\.png \d+w"', image)
    assert re.search(r' width="\d+" height="\d+"', image)
    assert Path(html.splitlines()[1]).stat().st_size > 1000
    assert "status_code=200" in html.splitlines()[-1], "the page's picture is served"

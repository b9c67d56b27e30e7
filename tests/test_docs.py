"""The documentation against the code: every block runs, every list is complete, every link leads
somewhere."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import shlex
import tomllib
import uuid
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from django.core.management import get_commands
from django.dispatch import Signal
from django.urls import reverse

from ideogram_django import admin, conf, forms, models, signals, statuses
from ideogram_django.lifecycle.transitions import FOLLOWS
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.statuses import ErrorCode, Status
from ideogram_django.templatetags.ideogram import register
from tests.snippet_runner import check_command
from tests.snippets import (
    DOCS,
    PAGES,
    ROOT,
    Block,
    blocks,
    command_lines,
    name_of,
    parts,
    run_page,
)

RUN = ("python", "django", "jinja", "console")
"""Languages that run in the page's site."""
READ = ("yaml", "ini", "json", "toml")
"""Languages that are parsed; the commands in them have to exist."""
SHOWN = ("html", "text")
"""What comes out of something, and what is nothing but text."""
NOT_RUN = {"docs/howto/webhooks.md": 1}
"""Blocks that cannot run, by page. Each says why in a comment."""
EXACT = {
    "README.md": "tests/test_templatetags.py",
    "docs/templates.md": "tests/test_templatetags.py",
}
"""Pages whose HTML is compared with what their template blocks render, and where."""
PROGRAMS = ("cd", "django-admin", "gunicorn", "pip", "python", "python3")
"""What a console block may start."""

EVERY = [block for page in PAGES for block in blocks(page)]


def of(*languages: str) -> list[Any]:
    return [
        pytest.param(block, id=block.place)
        for block in EVERY
        if block.language in languages and not block.not_run
    ]


# --- every block --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.language in RUN for b in blocks(page))], ids=name_of
)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    problem = run_page(tmp_path / "site", blocks(page))
    assert not problem, problem


def test_no_block_is_passed_over_in_silence() -> None:
    """Each is of a language that is run, read or shown, or says why it is neither."""
    for block in EVERY:
        known = block.language in (*RUN, *READ, *SHOWN) or block.language.startswith("{")
        assert known or block.not_run or block.run_by, (
            f"{block.place}: nobody runs {block.language!r}"
        )
    counted: dict[str, int] = {}
    for block in EVERY:
        if block.not_run:
            assert len(block.not_run.split()) > 3, f"{block.place}: say why"
            counted[block.page] = counted.get(block.page, 0) + 1
    assert counted == NOT_RUN


@pytest.mark.parametrize("block", [one for one in EVERY if one.run_by], ids=lambda one: one.place)
def test_a_block_that_another_test_runs_is_named_there(block: Block) -> None:
    text = (ROOT / block.run_by).read_text("utf-8")
    assert Path(block.page).name in text


@pytest.mark.parametrize("block", of("html"))
def test_html_is_what_the_template_before_it_renders(block: Block) -> None:
    """That it is equal, character by character, is tested where the tags are."""
    tests = EXACT[block.page]
    assert Path(block.page).name in (ROOT / tests).read_text("utf-8")
    before = [one for one in blocks(ROOT / block.page) if one.line < block.line][-1]
    assert before.language == "django"


@pytest.mark.parametrize("block", of("console"))
def test_commands_exist(block: Block) -> None:
    for words in command_lines(block.text):
        assert words[0] in PROGRAMS, block.place
        if words[:2] == ["python3", "run.py"]:
            assert f'"{words[2]}":' in (ROOT / "run.py").read_text()
        elif words[:2] == ["pip", "install"]:
            assert all(is_known(requirement) for requirement in words[2:]), block.place
        elif words[0] == "django-admin":
            check_command(words[1], words[2:])
        elif words[:3] == ["python", "-m", "django"]:
            check_command(words[3], words[4:])
        elif words[0] == "cd":
            assert (ROOT / words[1]).is_dir()


@pytest.mark.parametrize("block", of(*READ))
def test_files_are_sound_and_the_commands_in_them_exist(block: Block) -> None:
    commands: list[list[str]] = []
    if block.language == "yaml":
        found = list(yaml.safe_load_all(block.text))
        commands = list(words_in(found))
        assert found
    elif block.language == "ini":
        parser = ConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(block.text)
        commands = [shlex.split(parser["Service"]["ExecStart"])]
    elif block.language == "toml":
        tomllib.loads(block.text)
    else:
        json.loads(block.text)
    for words in commands:
        start = words.index("manage.py") + 1
        check_command(words[start], words[start + 1 :])


def test_the_proxy_lets_the_webhooks_address_through() -> None:
    address = reverse("ideogram_django:webhook", args=[uuid.uuid4(), "token"])
    (block,) = [one for one in EVERY if one.language == "nginx"]
    (location,) = re.findall(r"location (\S+) \{", block.text)
    assert address.startswith(location)


def words_in(thing: Any) -> Iterator[list[str]]:
    """Lists of words that start Django, anywhere in a file."""
    if isinstance(thing, list) and "manage.py" in thing:
        yield thing
    elif isinstance(thing, (list, dict)):
        for one in thing.values() if isinstance(thing, dict) else thing:
            yield from words_in(one)


def is_known(requirement: str) -> bool:
    """A package that this project needs or offers, or itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    name, _bracket, wanted = requirement.rstrip("]").partition("[")
    listed = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    if name == project["name"]:
        return not wanted or set(wanted.split(",")) <= set(extras)
    return requirement in {re.split(r"[<>=~;]", one)[0].strip() for one in listed}


# --- every list ---------------------------------------------------------------------------------


def script(name: str) -> ModuleType:
    """One of the scripts in docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(page: str) -> set[str]:
    """What stands in the first cells of a page's tables, and its headings."""
    text = (DOCS / "reference" / f"{page}.md").read_text("utf-8")
    cells = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    return {*cells, *re.findall(r"^## (\S+)$", text, re.M)}


def test_the_reference_is_what_the_code_says() -> None:
    for path, text in script("reference").pages().items():
        assert path.read_text("utf-8") == text, f"run python docs/reference.py: {path.name}"


def test_every_setting_is_listed_and_told() -> None:
    assert listed("settings") == set(conf.NAMES)
    assert set(script("reference").docstrings(conf.AppSettings)) >= set(conf.NAMES)


def test_every_check_is_listed() -> None:
    package = ROOT / "ideogram_django"
    given = {
        found
        for path in package.rglob("*.py")
        for found in re.findall(r'id="(ideogram_django\.[EW]\d+)"', path.read_text("utf-8"))
    }
    assert listed("checks") == given


def test_every_command_is_listed_with_every_option() -> None:
    ours = {name for name, app in get_commands().items() if app == "ideogram_django"}
    assert {name for name in listed("commands") if name.startswith("ideogram_")} == ours
    text = (DOCS / "reference/commands.md").read_text("utf-8")
    for name in ours:
        source = (ROOT / f"ideogram_django/management/commands/{name}.py").read_text("utf-8")
        for option in re.findall(r'add_argument\(\s*"(--[\w-]+)"', source):
            assert f"`{option}" in text, (name, option)


def test_every_status_and_error_code_is_listed() -> None:
    assert listed("errors") >= {*Status.values, *ErrorCode.values, *statuses.PauseCode.values}


def test_every_signal_is_listed() -> None:
    given = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert listed("signals") == given


def test_every_tag_is_listed() -> None:
    text = (DOCS / "reference/tags.md").read_text("utf-8")
    assert set(re.findall(r"^## (generated_\w+)$", text, re.M)) == set(register.tags)


@pytest.mark.parametrize("module", [models, forms, admin], ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    text = (DOCS / "reference/api.md").read_text("utf-8")
    for name in module.__all__:
        assert re.search(rf"auto(class|function):: (\S+\.)?{name}\n", text), name


@pytest.mark.parametrize("kind", [models.GeneratedImage, GeneratedImageQuerySet, models.Run])
def test_every_verb_is_in_the_reference(kind: type) -> None:
    text = (DOCS / "reference/api.md").read_text("utf-8")
    for name, value in vars(kind).items():
        ours = inspect.isfunction(value) and value.__module__.startswith("ideogram_django")
        if ours and name[0] != "_" and name != "due":  # which a drain asks
            assert re.search(rf"[:,]\s+{name}[,\n]", text), name


# --- the pages ----------------------------------------------------------------------------------


def test_no_link_leads_nowhere() -> None:
    assert script("links").broken() == []


def test_links_are_found() -> None:
    """The check itself sees links, anchors and pictures."""
    links = script("links")
    found = list(links.links(DOCS / "concepts.md"))
    assert "images/life.svg" in found
    assert "howto/limits.md" in found
    assert not links._exists(DOCS / "concepts.md", "howto/none.md")
    assert not links._exists(DOCS / "concepts.md", "upgrading.md#no-such-heading")
    assert links._exists(DOCS / "howto/s3.md", "../upgrading.md#another-storage")


def test_every_page_is_in_the_navigation() -> None:
    named = {
        line.strip()
        for block in blocks(DOCS / "index.md")
        for line in block.text.splitlines()
        if line.strip() and not line.startswith(":")
    }
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert pages - {"index"} <= named


def test_the_picture_of_a_pictures_life_is_true() -> None:
    """It shows every status, and no way that the code does not go."""
    elements = list(ElementTree.parse(DOCS / "images/life.svg").iter())
    texts = {(one.text or "").strip() for one in elements if one.tag.endswith("text")}
    assert set(Status.values) <= texts
    shown = {(one.get("data-from"), one.get("data-to")) for one in elements if one.get("data-from")}
    allowed = {(before.value, after.value) for before, all in FOLLOWS.items() for after in all}
    assert shown <= allowed
    # What it leaves out, as it says, are steps that are skipped; and staying where one is.
    way = ["submitting", "submitted", "processing", "fetching"]
    # And what the pause of a bulk run takes back, which docs/runs.md tells.
    for before, after in allowed - shown - {("pending", "draft")}:
        assert way.index(before) <= way.index(after)


# --- the machinery ------------------------------------------------------------------------------


def problem(tmp_path: Path, text: str) -> str:
    page = tmp_path / "page.md"
    page.write_text(text)
    return run_page(tmp_path / "site", blocks(page))


def test_what_is_wrong_on_a_page_is_told_with_its_place(tmp_path: Path) -> None:
    """A page with a fault in each language; each must be found, one after the other."""
    sound = "# A\n\n```python\nimage.status\n```\n"
    faults = {
        "```python\nimage.no_such_thing\n```\n": "AttributeError",
        '```python\n# settings.py\nIDEOGRAM_DJANGO = {"API_KEYS": "afk_x"}\n```\n': "E003",
        "```django\n{% generated_image article.hero colour=1 %}\n```\n": "TemplateSyntaxError",
        "```console\npython manage.py ideogram_sync --lop\n```\n": "CommandError",
        "```python\ndef test_it(ideogram):\n    assert ideogram.generated\n```\n": "AssertionError",
    }
    for number, (fault, told) in enumerate(faults.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = problem(folder, sound + fault)
        assert f"page.md:{sound.count(chr(10)) + 1}" in found
        assert told in found


def test_hidden_lines_run_first(tmp_path: Path) -> None:
    hidden = "<!-- setup:\nnumber = 3\n-->\n"
    assert not problem(tmp_path, f"{hidden}```python\nassert number == 3\n```\n")


def test_parts_go_into_their_files() -> None:
    text = "import os\n# settings.py\nA = 1\n\n# shop/rules.py\nB = 2\n"
    assert list(parts(text)) == [
        ("", "import os\n"),
        ("yoursite/settings.py", "\nA = 1\n\n"),
        ("shop/rules.py", "\nB = 2\n"),
    ]
    assert [path for path, _text in parts("A = 1\n")] == ["yoursite/settings.py"]
    assert [path for path, _text in parts("class A(models.Model):\n    pass\n")] == [
        "articles/models.py"
    ]

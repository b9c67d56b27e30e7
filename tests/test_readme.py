"""The README and the walk for editors against the code: what is named exists, and the reverse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.dispatch import Signal

import ideogram_django
from ideogram_django import conf, signals

PACKAGE = Path(ideogram_django.__file__).parent
ROOT = PACKAGE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK = (ROOT / "docs/editors.md").read_text(encoding="utf-8")
IMAGES = ROOT / "docs/images"
COMMANDS = sorted(path.stem for path in (PACKAGE / "management/commands").glob("ideogram_*.py"))


@pytest.mark.parametrize("name", conf.NAMES)
def test_every_setting_is_named(name: str) -> None:
    assert re.search(rf"`[\"']?{name}[\"']?`", README), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert command in README


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"manage\.py (ideogram_\w+)", README))
    assert named <= set(COMMANDS)


def test_every_setting_of_an_example_exists() -> None:
    """The keys of each ``IDEOGRAM_DJANGO = {…}`` that a reader may copy."""
    for block in re.findall(r"^IDEOGRAM_DJANGO = \{(.*?)^\}", README, re.DOTALL | re.MULTILINE):
        named = set(re.findall(r"^    [\"'](\w+)[\"']:", block, re.MULTILINE))
        assert named <= set(conf.NAMES)


def test_the_fixtures_are_named() -> None:
    for fixture in ("ideogram", "ideogram_instant", "ideogram_server", "ideogram_media"):
        assert re.search(rf"\b{fixture}\b", README)


NOT_OURS = {
    *("Log in", "Save", "Save and continue editing", "Search", "Go", "Add picture"),  # Django's
    *("Articles", "Hero"),  # the example's
    *("Pictures", "16:9", "4"),
}
"""What the walk prints in bold and no source of the package holds as a text of its own."""


def texts() -> set[str]:
    """Every text of the package, as patterns: what is filled in can be anything."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        found.update(re.findall(r'"([^"\n]+)"', path.read_text("utf-8")))
    for path in PACKAGE.rglob("*.html"):
        # Words stand between tags, between blocks, or in quotation marks within one.
        source = path.read_text("utf-8")
        found.update(re.findall(r'"([^"\n]+)"', source))
        found.update(re.split(r"<[^>]*>|\{%.*?%\}", source))
    gap = re.compile(r"%\(\w+\)[sd]|\{\{.*?\}\}")
    return {
        ".+".join(map(re.escape, gap.split(text.strip())))
        for text in found
        if re.search(r"[^\W\d]{3}", gap.sub("", text))
    }


def test_every_button_of_the_walk_has_that_name() -> None:
    """Bold is what an editor looks for on the screen. A sentence in bold ends with a full stop."""
    named = {" ".join(name.split()) for name in re.findall(r"\*\*(.+?)\*\*", WALK, re.DOTALL)}
    labels = {name.removeprefix("☆ ") for name in named if not name.endswith(".")} - NOT_OURS
    known = texts()
    missing = {one for one in labels if not any(re.fullmatch(text, one) for text in known)}
    assert labels
    assert missing == set()


def test_the_pictures_that_are_shown_are_those_that_exist() -> None:
    shown = set()
    for path in [
        ROOT / "README.md",
        *ROOT.glob("docs/**/*.md"),
        ROOT / "example_project/README.md",
    ]:
        shown.update(re.findall(r"images/([\w-]+\.(?:png|svg))", path.read_text("utf-8")))
    assert shown == {path.name for path in IMAGES.iterdir()}
    assert [path.name for path in IMAGES.iterdir() if path.stat().st_size > 400_000] == []


@pytest.mark.parametrize("name", sorted(vars(signals)))
def test_every_signal_is_named(name: str) -> None:
    if isinstance(getattr(signals, name), Signal):
        assert f"`{name}`" in README


def test_it_stays_one_page() -> None:
    """What is longer than a word or two belongs into docs/."""
    assert len(README.splitlines()) <= 510

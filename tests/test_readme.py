"""The README against the code: what exists is named, and what is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ideogram_django
from ideogram_django import conf

PACKAGE = Path(ideogram_django.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
CHECK_IDS = sorted(
    {
        found
        for path in PACKAGE.rglob("*.py")
        # As the checks give them, not as a comment or the doctor mentions them.
        for found in re.findall(r'id="(ideogram_django\.[EW]\d+)"', path.read_text("utf-8"))
    }
)
COMMANDS = sorted(path.stem for path in (PACKAGE / "management/commands").glob("ideogram_*.py"))


@pytest.mark.parametrize("name", conf.NAMES)
def test_every_setting_is_named(name: str) -> None:
    assert re.search(rf"`[\"']?{name}[\"']?`", README), name


@pytest.mark.parametrize("check_id", CHECK_IDS)
def test_every_check_is_named(check_id: str) -> None:
    """In full, or by its number alone in a table that says whose it is."""
    number = check_id.rpartition(".")[2]
    assert re.search(rf"`(ideogram_django\.)?{number}`", README), check_id


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert command in README


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"manage\.py (ideogram_\w+)", README))
    assert named <= set(COMMANDS)


def test_every_check_that_is_named_exists() -> None:
    named = set(re.findall(r"ideogram_django\.[EW]\d+", README))
    assert named <= set(CHECK_IDS)


def test_every_setting_of_an_example_exists() -> None:
    """The keys of each ``IDEOGRAM_DJANGO = {…}`` that a reader may copy."""
    for block in re.findall(r"^IDEOGRAM_DJANGO = \{(.*?)^\}", README, re.DOTALL | re.MULTILINE):
        named = set(re.findall(r"^    [\"'](\w+)[\"']:", block, re.MULTILINE))
        assert named <= set(conf.NAMES)


def test_the_fixtures_are_named() -> None:
    for fixture in ("ideogram", "ideogram_server"):
        assert re.search(rf"\b{fixture}\b", README)

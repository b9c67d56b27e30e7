"""What the pages bring along: one script without dependencies, and nothing inline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ideogram_django

PACKAGE = Path(ideogram_django.__file__).parent
SCRIPTS = sorted(PACKAGE.rglob("*.js"))
SHEETS = sorted(PACKAGE.rglob("*.css"))
TEMPLATES = sorted(PACKAGE.rglob("*.html"))
INLINE = re.compile(r"<script\b(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=|javascript:")


def test_there_is_one_script_of_less_than_600_lines():
    (script,) = SCRIPTS
    assert len(script.read_text().splitlines()) < 600


def test_the_script_needs_nothing_else():
    (script,) = SCRIPTS
    assert not re.search(
        r"^\s*import\b|\brequire\(|\bimport\(|\bjQuery\b|\$\(", script.read_text(), re.M
    )


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_template_holds_a_script_or_a_style(template: Path):
    assert not INLINE.search(template.read_text())


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_no_style_sheet_fetches_anything(sheet: Path):
    assert not re.search(r"@import|url\((?!data:)", sheet.read_text())

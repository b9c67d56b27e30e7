"""How docs/ becomes a site: ``nox -s docs``. Warnings are errors there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

HERE = Path(__file__).resolve().parent
REPOSITORY = "https://github.com/ideogram-django/ideogram-django/blob/main/"
sys.path.insert(0, str(HERE))

import reference

reference.set_up()

project = "ideogram_django"
author = "The ideogram-django contributors"
copyright = author
extensions = ["sphinx.ext.autodoc", "myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "ideogram_django"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88


def lead_out(app: Any, name: str, source: list[str]) -> None:
    """Links to files beside docs/ work where the code is read; on the site they go there."""
    folder = (HERE / name).parent

    def address(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        inside = target.is_relative_to(HERE) or not target.exists()
        return match[0] if inside else f"]({REPOSITORY}{target.relative_to(HERE.parent)})"

    source[0] = re.sub(r"\]\((\.\./[^)\s#]+)\)", address, source[0])


def setup(app: Any) -> None:
    app.add_lexer("csv", TextLexer)  # which Pygments does not know
    app.connect("source-read", lead_out)

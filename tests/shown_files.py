"""The Python files that a page of the documentation shows, as modules that can be imported."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def files(name: str) -> dict[str, str]:
    """Source by the path that stands in its first line; settings are joined."""
    found: dict[str, str] = {}
    blocks = re.findall(r"^( *)```python\n *# (\S+\.py)\n(.*?)^ *```", page(name), re.DOTALL | re.M)
    for _indent, path, source in blocks:
        found[path] = found.get(path, "") + textwrap.dedent(source)
    return found


@contextmanager
def written(name: str, folder: Path) -> Iterator[None]:
    """The page's files on the path, as a reader would copy them."""
    for path, source in files(name).items():
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for module in [one for one in sys.modules if one.split(".")[0] == "newsroom"]:
            del sys.modules[module]

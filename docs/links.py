"""Checks the links between the pages, and lists those that lead out: ``python docs/links.py``.

Nothing is fetched. Every relative link of the README, the changelog and docs/ has to lead to a
file of this repository and, where it names one, to a heading on that page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "example_project/README.md")),
    *(ROOT / name for name in ("tests/reliability/README.md",)),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_FENCED = re.compile(r"^([ ]*`{3,}).*?^\1`*[ ]*$", re.S | re.M)
_CODE = re.compile(r"(`+).+?\1", re.S)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
_OUTSIDE = re.compile(r"[a-z][a-z+.-]*:", re.I)


def links(path: Path) -> Iterator[str]:
    """The targets of a page's links and pictures, in order."""
    text = _CODE.sub("", _FENCED.sub("", path.read_text("utf-8")))
    for match in _LINK.finditer(text):
        yield match[1]


def broken() -> list[str]:
    """Each link that leads nowhere, with its page."""
    return [
        f"{path.relative_to(ROOT)}: {target}"
        for path in PAGES
        if path.exists()
        for target in links(path)
        if not _OUTSIDE.match(target) and not _exists(path, target)
    ]


def outside() -> dict[str, list[str]]:
    """Each address that leads out, with the pages that name it."""
    found: dict[str, list[str]] = {}
    for path in PAGES:
        for target in links(path) if path.exists() else ():
            if _OUTSIDE.match(target):
                found.setdefault(target, []).append(str(path.relative_to(ROOT)))
    return dict(sorted(found.items()))


def _exists(path: Path, target: str) -> bool:
    name, _hash, anchor = target.partition("#")
    file = (path.parent / name).resolve() if name else path
    if not file.exists():
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file)


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub and MyST make them."""
    text = _FENCED.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#{1,6}[ ]+(.+?)[ ]*#*$", text, re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in headings
    }


def main() -> None:
    for address, pages in outside().items():
        print(f"{address}  ({', '.join(dict.fromkeys(pages))})")
    if found := broken():
        sys.exit("These lead nowhere:\n" + "\n".join(found))


if __name__ == "__main__":
    main()

"""What a run says, as the report that is kept and as the parts of ``docs/performance.md``.

Nobody writes a figure into that page by hand: between its markers stands what :func:`fill` makes
of ``docs/benchmarks.json``, and a test holds it to that.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks import plots, table
from benchmarks.processes import ROOT
from benchmarks.rounds import Result

REPORT = ROOT / "docs" / "benchmarks.json"
BUSY = ROOT / "docs" / "benchmarks-busy.json"
"""The same on a machine that has something else to do."""
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
VERSIONS = (
    "django",
    "rq",
    "requests",
    "pillow",
    "psycopg",
    "gunicorn",
    "celery",
    "huey",
    "easy-thumbnails",
    "sorl-thumbnail",
)
_PART = re.compile(r"(?s)(<!-- bench: ([\w.-]+) -->\n).*?(<!-- bench: end -->)")


def report(
    results: Sequence[Result], *, rounds: int, short: bool, busy: bool = False
) -> dict[str, Any]:
    """What is kept of a run."""
    return {
        "rounds": rounds,
        "short": short,
        "busy": busy,
        "machine": machine(),
        "versions": {name: found for name in VERSIONS if (found := _version(name))},
        "results": [result.as_dict() for result in results],
    }


def machine() -> dict[str, Any]:
    """What a run took place on."""
    return {
        "cores": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB",
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def results_of(kept: Mapping[str, Any]) -> list[Result]:
    return [Result.from_dict(one) for one in kept["results"]]


def plot_name(result: Result) -> str:
    """The file of a result's plot."""
    return f"bench-{_slug(result.key)}.svg"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def publish(kept: Mapping[str, Any]) -> None:
    """Keep the figures of this run: those that were not measured stay as they were."""
    path = BUSY if kept["busy"] else REPORT
    merged = merge(json.loads(path.read_text()), kept) if path.exists() else dict(kept)
    path.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n")
    write(*kept_reports())


def kept_reports() -> tuple[dict[str, Any], dict[str, Any]]:
    """The one of a quiet machine, and the one of a busy one, which may be empty."""
    busy = json.loads(BUSY.read_text()) if BUSY.exists() else {"results": []}
    return json.loads(REPORT.read_text()), busy


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The new report, with the old results of figures that it lacks."""
    measured = {one["figure"] for one in new["results"]}
    kept = [one for one in old["results"] if one["figure"] not in measured]
    return {**new, "results": sorted([*kept, *new["results"]], key=lambda one: one["figure"])}


def write(kept: Mapping[str, Any], busy: Mapping[str, Any]) -> None:
    """The page and its plots, from the reports."""
    for path in IMAGES.glob("bench-*.svg"):
        path.unlink()
    for name, content in drawn(kept).items():
        (IMAGES / name).write_text(content)
    PAGE.write_text(fill(PAGE.read_text(), kept, busy))


def drawn(kept: Mapping[str, Any]) -> dict[str, str]:
    """The plots of a report, by file name."""
    return {plot_name(result): plots.bars(result) for result in results_of(kept)}


def fill(text: str, kept: Mapping[str, Any], busy: Mapping[str, Any]) -> str:
    """The page with what stands between its markers made anew."""

    def part(match: re.Match[str]) -> str:
        return f"{match[1]}\n{_part(match[2], kept, busy)}\n\n{match[3]}"

    return _PART.sub(part, text)


def _part(name: str, kept: Mapping[str, Any], busy: Mapping[str, Any]) -> str:
    results = results_of(kept)
    if name == "machine":
        return _machine(kept)
    if name == "summary":
        return _summary(results, results_of(busy))
    chosen = [result for result in results if result.figure == name]
    if not chosen:
        return "*Not measured yet.*"
    return "\n\n".join(
        f"![{result.title}{', ' + result.where if result.where else ''}]"
        f"(images/{plot_name(result)})\n\n{table.as_markdown(result)}"
        for result in chosen
    )


def _machine(kept: Mapping[str, Any]) -> str:
    machine = kept["machine"]
    told = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    return (
        f"{machine['cores']} cores, {machine['memory']}, {machine['system']}, "
        f"Python {machine['python']}; {told}. At most {kept['rounds']} rounds of each."
    )


def _summary(results: Sequence[Result], busy: Sequence[Result]) -> str:
    lines = [
        "| Figure | | Judged | Here | Target | | Busy |",
        "| --- | --- | --- | ---: | ---: | --- | ---: |",
    ]
    beside = {
        (result.key, one.what): table.with_unit(one.median, one.unit)
        for result in busy
        for one in result.judged
    }
    for result in results:
        for one in result.judged:
            here = table.with_unit(one.median, one.unit)
            where = f"{result.title}{', ' + result.where if result.where else ''}"
            lines.append(
                f"| {result.figure} | {where} | {one.what} | {here} | {table.bound(one)} "
                f"| {table.verdict(one)} | {beside.get((result.key, one.what), '')} |"
            )
    return "\n".join(lines)


def main() -> None:
    """``python -m benchmarks.page``: the page again, from the reports that are kept."""
    write(*kept_reports())


if __name__ == "__main__":
    main()

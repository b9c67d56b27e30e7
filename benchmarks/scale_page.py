"""What the runs of ``scale`` say, as the report that is kept and as the parts of the sizing page.

As with the other figures nobody writes a number into that page by hand: between its markers stands
what :func:`fill` makes of ``docs/scale.json``, and a test holds it to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from benchmarks import plots
from benchmarks.page import IMAGES
from benchmarks.processes import ROOT

REPORT = ROOT / "docs" / "scale.json"
PAGE = ROOT / "docs" / "howto" / "sizing.md"
MOST_POINTS = 150
SLICES_AN_HOUR = 180
"""With ``DRAIN_SLICE`` as it is set from the start."""
_PART = re.compile(r"(?s)(<!-- scale: ([\w-]+) -->\n).*?(<!-- scale: end -->)")


def publish(report: Mapping[str, Any]) -> None:
    """Keep this run in place of the last one of its kind."""
    kept = {**read(), report["name"]: thinned(report)}
    REPORT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    for name, one in kept.items():
        (IMAGES / f"{name}.svg").write_text(drawn(one))
    PAGE.write_text(fill(PAGE.read_text(), kept))


def read() -> dict[str, Any]:
    """The runs that are kept, by their kind."""
    kept: dict[str, Any] = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    return kept


def thinned(report: Mapping[str, Any]) -> dict[str, Any]:
    """With as many points of the memory as a plot shows; first, last and largest are kept apart."""
    memory = report["memory"]
    step = -(-len(memory["seconds"]) // MOST_POINTS)
    few = {
        **memory,
        "seconds": memory["seconds"][::step],
        "processes": {name: of[::step] for name, of in memory["processes"].items()},
    }
    return {**report, "memory": few}


def drawn(report: Mapping[str, Any]) -> str:
    """The memory of every process as a plot."""
    memory = report["memory"]
    minutes = [at / 60 for at in memory["seconds"]]
    return plots.lines(
        f"Memory, {report['pictures']:,} pictures, {report['database']}",
        {name: list(zip(minutes, of, strict=True)) for name, of in memory["processes"].items()},
        unit=memory["unit"],
        across="minutes",
    )


def fill(text: str, kept: Mapping[str, Any]) -> str:
    """The page with what stands between its markers made anew."""
    parts = {"rates": _rates, "memory": _memory, "checks": _checks, "day": _day}

    def part(match: re.Match[str]) -> str:
        report = kept.get("leaks" if match[2] == "day" else "scale")
        said = parts[match[2]](report) if report else "*Not measured yet.*"
        return f"{match[1]}\n{said}\n\n{match[3]}"

    return _PART.sub(part, text)


def _rates(report: Mapping[str, Any]) -> str:
    pictures, used = report["pictures"], report["processor_seconds"]
    options, machine = report["options"], report["machine"]
    drains = sum(of for name, of in used.items() if name.startswith(("worker", "sync")))
    lines = [
        f"{report['in_flight']:,} pictures were in flight at once, and all were finished after "
        f"{report['seconds'] / 60:.0f} minutes: {report['database']}, "
        f"{options['workers']} worker and `ideogram_sync` with {options['concurrency']} threads "
        f"each, gunicorn with two processes, and the simulator, on {machine['cores']} cores.",
        "",
        "| | Seconds | Pictures per second |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {took:,.0f} | {pictures / took:,.0f} |" for name, took in steps(report).items()
    ]
    lines += [
        "",
        "| Processor time of | ms per picture | One core is enough for, per minute |",
        "| --- | ---: | ---: |",
    ]
    shares = [("worker and sync", drains), ("web", used["web"])]
    if "PostgreSQL" in used:
        shares.append(("PostgreSQL", used["PostgreSQL"]))
    for name, of in shares:
        each = of / pictures
        lines.append(f"| {name} | {1000 * each:.1f} | {60 / each:,.0f} |")
    return "\n".join(lines)


def steps(report: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of what every picture goes through; most are home before the last webhook came."""
    took = dict(report["phases"])
    home = took.pop("webhooks", 0) + took.pop("finishing", 0)
    return {name: max(of, 0.1) for name, of in {**took, "bringing home": home}.items()}


def _memory(report: Mapping[str, Any]) -> str:
    lines = [
        f"![Memory of every process](../images/{report['name']}.svg)",
        "",
        f"| {report['memory']['unit']} | First third | Last third | Most | With code, most |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, of in report["memory"]["thirds"].items():
        row = (name, of["first"], of["last"], of["most"], of["with code"])
        lines.append(f"| {' | '.join(map(str, row))} |")
    if "redis_keys_in_flight" in report:
        lines += [
            "",
            f"With {report['in_flight']:,} pictures in flight Redis held "
            f"{report['redis_keys_in_flight']} keys, at the end "
            f"{report['redis_keys_at_the_end']}.",
        ]
    return "\n".join(lines)


def _checks(report: Mapping[str, Any]) -> str:
    held = [f"- {'yes' if well else '**no**'}: {name}" for name, well in report["checks"].items()]
    lost = f"{report['webhooks_lost']:,} webhooks were lost; these pictures were found by polling."
    return "\n".join([lost, "", *held])


def _day(report: Mapping[str, Any]) -> str:
    hours = report["drains"] / SLICES_AN_HOUR
    return (
        f"{report['drains']:,} slices of work of one and the same worker process, as many as in "
        f"{hours:.2g} hours, and {report['pictures']:,} pictures:\n\n{_memory(report)}"
    )


def main() -> None:
    """``python -m benchmarks.scale_page``: the page again, from the report that is kept."""
    kept = read()
    for name, one in kept.items():
        (IMAGES / f"{name}.svg").write_text(drawn(one))
    PAGE.write_text(fill(PAGE.read_text(), kept))


if __name__ == "__main__":
    main()

"""``python3 run.py bench``: how fast the app is, beside a naive peer and the limit, in one run.

    python3 run.py bench                     all figures
    python3 run.py bench D4 D6               these alone
    python3 run.py bench --short             a small form; fails where one is behind its red line
    python3 run.py bench D3 --full           with the numbers that the targets speak of
    python3 run.py bench --publish           all of them, into docs/performance.md
    python3 run.py bench --busy              while a process on each core does nothing but count

Variants of a figure run in turn, several rounds; a table shows medians and spread, a target and
whether it is met. JSON and plots lie in build/bench/ afterwards.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page, plots, table
from benchmarks.processes import ROOT
from benchmarks.rounds import Result
from benchmarks.world import World, choose_databases

FIGURES = ("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8")
COMMANDS = {"scale": "benchmarks.scale"}
"""What else can be run, by its own module's ``main(arguments)``."""
AGAIN = 3
"""Rounds that the short form gives a figure of which one round was behind its red line: one moment
of a shared machine is no verdict, three that agree are."""


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        return int(importlib.import_module(COMMANDS[arguments[0]]).main(arguments[1:]) or 0)
    options = _options(arguments)
    build = ROOT / "build" / "bench"
    build.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    broken: list[str] = []
    begun = time.monotonic()
    with World(
        databases=choose_databases(options.database),
        rounds=options.rounds,
        short=options.short,
        full=options.full,
        busy=options.busy,
    ) as world:
        for figure in options.figures:
            print(f"… {figure}", end="", flush=True)
            at = time.monotonic()
            try:
                found = _measure(figure, world)
                if options.short and _behind(found):
                    print(f"\n{table.as_text(found)}\n… {figure}, {AGAIN} times more", end="")
                    world.rounds = AGAIN
                    found = _measure(figure, world)
                    world.rounds = options.rounds
            except Exception:  # the others are worth having
                traceback.print_exc()
                broken.append(figure)
                continue
            print(f"  {time.monotonic() - at:.0f} s\n{table.as_text(found)}\n", flush=True)
            results += found
    print(f"{time.monotonic() - begun:.0f} s in all")
    report = page.report(results, rounds=options.rounds, short=options.short, busy=options.busy)
    options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    for result in results:
        (build / page.plot_name(result)).write_text(plots.bars(result))
    if options.publish:
        page.publish(report)
    return _verdict(results, broken)


def _measure(figure: str, world: World) -> list[Result]:
    module = importlib.import_module(f"benchmarks.figures.{figure.lower()}")
    found: list[Result] = module.measure(world)
    return found


def _behind(results: Sequence[Result]) -> bool:
    return not all(one.red_held for result in results for one in result.judged)


def _verdict(results: Sequence[Result], broken: Sequence[str]) -> int:
    judged = [(result, one) for result in results for one in result.judged]
    behind = [f"{r.figure} {r.where} {one.what}" for r, one in judged if not one.red_held]
    missed = [f"{r.figure} {r.where} {one.what}" for r, one in judged if not one.met]
    print(f"{len(judged) - len(missed)} of {len(judged)} targets met.")
    for name in missed:
        print(f"  {'BEHIND THE RED LINE' if name in behind else 'missed'}: {name}")
    for name in broken:
        print(f"  NOT MEASURED, see above: {name}")
    return 1 if behind or broken else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("figures", nargs="*", type=str.upper, metavar="D1 … D8")
    parser.add_argument("--rounds", type=int, help="of each variant; 3, with --short 1")
    parser.add_argument(
        "--database", choices=["sqlite", "postgres", "both"], help="both; with --short sqlite"
    )
    parser.add_argument("--short", action="store_true", help="in a minute, for a CI")
    parser.add_argument("--full", action="store_true", help="with all of 100,000 due pictures")
    parser.add_argument("--busy", action="store_true", help="beside other work on each core")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md anew")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "results.json")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.short else 3)
    options.database = options.database or ("sqlite" if options.short else "both")
    options.figures = options.figures or [name for name in FIGURES if _is_here(name)]
    unknown = [name for name in options.figures if name not in FIGURES or not _is_here(name)]
    if unknown:
        parser.error(f"There is no figure {', '.join(unknown)}.")
    return options


def _is_here(figure: str) -> bool:
    return (ROOT / "benchmarks" / "figures" / f"{figure.lower()}.py").exists()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

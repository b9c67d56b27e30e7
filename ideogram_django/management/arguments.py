"""What ``ideogram_generate`` may be given."""

from __future__ import annotations

import uuid

from django.core.management.base import CommandParser

from ideogram_django.management import asking, orders


def add(parser: CommandParser) -> None:
    parser.add_argument("prompts", nargs="*", metavar="prompt")
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help=f"A line per prompt. Columns: {', '.join(orders.COLUMNS)}; only prompt is needed.",
    )
    parser.add_argument("--count", type=int, default=1, help="Pictures for each prompt.")
    parser.add_argument("--profile", metavar="NAME", help="A prompt profile for all prompts.")
    for name in ("model", "style-type", "aspect-ratio", "resolution", "rendering-speed"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--negative-prompt", metavar="TEXT")
    parser.add_argument("--magic-prompt-option", metavar="Auto|On|Off")
    parser.add_argument("--style-preset", metavar="NAME")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--reference-image", metavar="URL")
    parser.add_argument(
        "--style-reference-image",
        action="append",
        dest="style_reference_images",
        metavar="URL",
        help="May be repeated.",
    )
    parser.add_argument(
        "--user",
        metavar="USERNAME",
        help="Whose pictures these are, and whose spending limits count. Permissions are not "
        "asked: who can run this command may do anything.",
    )
    parser.add_argument(
        "--request-id",
        type=uuid.UUID,
        metavar="UUID",
        help="Running again with the same one gives the same pictures and spends nothing.",
    )
    parser.add_argument("--yes", action="store_true", help="Do not ask, spend.")
    parser.add_argument(
        "--wait",
        action="store_true",
        help="Stay until all are finished. Works itself, with or without a worker or Redis.",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="With --wait: stop waiting after this time (%(default)g).",
    )
    parser.add_argument("--out", metavar="DIR", help="With --wait: copy the finished files there.")
    parser.add_argument("--json", action="store_true", help="Print JSON; all else to stderr.")
    runs = parser.add_argument_group(
        "bulk runs", "Many pictures, a few at a time, which can be paused and stopped."
    )
    runs.add_argument("--run", metavar="NAME", help="Make the prompts as a run of this name.")
    runs.add_argument(
        "--ceiling",
        type=asking.amount,
        metavar="AMOUNT",
        help="With --run or --resume: the run never commits more money than this.",
    )
    runs.add_argument(
        "--at-once", type=int, metavar="N", help="With --run: most pictures in progress."
    )
    one = runs.add_mutually_exclusive_group()
    for name, told in (
        ("resume", "Start or go on with a run."),
        ("pause", "Start nothing more of it; what was sent comes in."),
        ("stop", "End it for good."),
        ("report", "Tell how far it is, what it cost, and what failed."),
    ):
        one.add_argument(f"--{name}", type=uuid.UUID, metavar="UUID", help=told)

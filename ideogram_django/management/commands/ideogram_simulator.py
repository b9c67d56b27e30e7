"""`manage.py ideogram_simulator`: the offline twin in a terminal."""

import signal
import threading
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ideogram_django.simulator import Faults, Simulator, fault_names

_DEFAULT_KEY = "afk_simulator"


class Command(BaseCommand):
    """Answers as Apiframe v2 does, on 127.0.0.1, until Ctrl-C."""

    help = "Run an offline twin of the provider's API on 127.0.0.1: no account, no cost."
    # It touches neither settings nor database, and must run before a key is set.
    requires_system_checks = []
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the list of marks."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        marks = "\n".join(f"  {f'[{name}]':<22}{what}" for name, what in fault_names().items())
        parser.epilog = f"Marks in a prompt that make trouble:\n{marks}"
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8899, help="0 takes a free one.")
        parser.add_argument(
            "--speed", type=float, default=1.0, help="How many times faster jobs run."
        )
        parser.add_argument(
            "--seconds-per-job", type=float, help="Every job takes this long, whatever its model."
        )
        parser.add_argument("--credits", type=int, default=1000, help="Balance at the beginning.")
        parser.add_argument(
            "--api-key",
            action="append",
            dest="api_keys",
            metavar="afk_…",
            help=f"A key that is accepted; may be repeated. Without it: {_DEFAULT_KEY}.",
        )
        parser.add_argument(
            "--signature",
            choices=("hex", "raw", "none"),
            default="hex",
            help="How webhooks are signed.",
        )
        parser.add_argument(
            "--result-shape",
            choices=("images", "string"),
            default="images",
            help="The result as an object, or as a bare URL.",
        )
        parser.add_argument(
            "--result-ttl", type=float, default=86_400, help="Seconds until a result expires."
        )
        parser.add_argument(
            "--no-idempotency", action="store_true", help="Ignore the Idempotency-Key header."
        )
        parser.add_argument(
            "--conflict-on-reuse",
            action="store_true",
            help="Answer 409 when an Idempotency-Key comes with another body.",
        )
        parser.add_argument(
            "--max-concurrent-jobs", type=int, help="Refuse more running jobs with 429."
        )
        parser.add_argument(
            "--webhook-anywhere",
            action="store_true",
            help="Deliver webhooks also to hosts outside this machine and its network.",
        )
        parser.add_argument(
            "--latency", type=float, default=0.0, help="Seconds before every answer."
        )
        parser.add_argument("--fail-rate", type=float, default=0.0, metavar="RATE")
        parser.add_argument("--lose-webhooks", type=float, default=0.0, metavar="RATE")
        parser.add_argument("--duplicate-webhooks", type=float, default=0.0, metavar="RATE")
        parser.add_argument(
            "--fault",
            action="append",
            default=[],
            metavar="NAME=RATE",
            help="The rate (0 to 1) of any fault listed below; may be repeated.",
        )
        parser.add_argument("--seed", type=int, help="Makes the faults' dice repeatable.")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = options["api_keys"] or [_DEFAULT_KEY]
        try:
            simulator = Simulator(
                api_keys=keys,
                credits=options["credits"],
                port=options["port"],
                speed=options["speed"],
                seconds_per_job=options["seconds_per_job"],
                faults=_faults(options),
                signature=options["signature"],
                result_shape=options["result_shape"],
                honours_idempotency=not options["no_idempotency"],
                conflict_on_reuse=options["conflict_on_reuse"],
                max_concurrent_jobs=options["max_concurrent_jobs"],
                result_ttl=options["result_ttl"],
                webhook_anywhere=options["webhook_anywhere"],
            )
            with _interruption() as interrupted, simulator:
                self._greet(simulator.base_url, keys[0])
                interrupted.wait()
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Cannot listen on port {options['port']}: {error}") from error
        self.stdout.write("Stopped.")

    def _greet(self, base_url: str, key: str) -> None:
        self.stdout.write(f"The simulator listens at {base_url}. Stop it with Ctrl-C.\n")
        self.stdout.write("Settings to use it with:\n")
        self.stdout.write("    IDEOGRAM_DJANGO = {")
        self.stdout.write(f'        "API_KEY": "{key}",')
        self.stdout.write(f'        "API_BASE_URL": "{base_url}",')
        self.stdout.write("    }\n")
        self.stdout.write(f"What was charged: {base_url}/_simulator/ledger")
        self.stdout.flush()


def _faults(options: dict[str, Any]) -> Faults:
    rates = {
        "fail": options["fail_rate"],
        "no-webhook": options["lose_webhooks"],
        "duplicate-webhook": options["duplicate_webhooks"],
    }
    for text in options["fault"]:
        name, _, rate = text.partition("=")
        rates[name] = float(rate or 1)
    rates = {name: rate for name, rate in rates.items() if rate}
    return Faults(latency=options["latency"], rates=rates, seed=options["seed"])


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; signals can be caught in the main thread only."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()

    earlier = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupted
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)

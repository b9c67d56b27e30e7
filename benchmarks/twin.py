"""``python -m benchmarks.twin``: the simulator, with one tiny picture for all jobs."""

from __future__ import annotations

import argparse
import io
import signal
import threading

from PIL import Image

from ideogram_django.simulator import Faults, Simulator

SIDE = 16


def picture() -> bytes:
    """A sound PNG that takes next to nothing to send, to check and to store."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--seconds-per-job", type=float, required=True)
    parser.add_argument("--lose-webhooks", type=float, default=0.0)
    parser.add_argument("--webhook-threads", type=int, default=8)
    options = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    rates = {"no-webhook": options.lose_webhooks} if options.lose_webhooks else {}
    with Simulator(
        port=options.port,
        api_keys=[options.api_key],
        credits=10_000_000,
        seconds_per_job=options.seconds_per_job,
        faults=Faults(rates=rates, seed=1),
        picture=picture(),
        webhook_threads=options.webhook_threads,
        keep=100,
    ):
        over.wait()


if __name__ == "__main__":
    main()

"""D4: webhooks in a second, with a valid signature; gunicorn gthread, 2 processes of 8 threads.

Target: a view that does nothing but answer 204 is at most 5 times as fast, and the naive view at
most 0.4 times. Red line: 8 times. Among a million pictures it is as fast as among ten thousand.

The naive view checks the signature, gets and saves the row and enqueues a job for each call. Ours
is one UPDATE, and one look at the gate of the wake-up. Duplicates are the same calls once more. 16
connections, each call about another picture, loopback; the client shares the machine with the
server, so that absolute rates are lower than alone. Latencies are at saturation. The short form
takes several rounds as well: one of half a second says more about the machine's other work.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks import galleries
from benchmarks.http_load import Load, post, send
from benchmarks.processes import Member
from benchmarks.rounds import Judged, Result, in_turn, ratios
from benchmarks.world import Site, World

GUNICORN = ("--worker-class=gthread", "--workers=2", "--threads=8", "--keep-alive=30")
CONNECTIONS = 16
LEAST_ROUNDS = 5
"""Of the short form: a moment that the machine is busy with something else shall not decide."""
BARE, NAIVE = "limit: a view that answers 204", "naive: get, save and enqueue"
OURS, AGAIN, AMONG_MANY = "this app", "duplicates", "among many pictures"


def measure(world: World) -> list[Result]:
    return [_on(world, database) for database in world.databases]


def _on(world: World, database: Any) -> Result:
    count = world.sized(1500, 400)
    few, many = galleries.small(world, database), galleries.big(world, database)
    loads: dict[str, list[Load]] = {}
    with (
        few.member() as here,
        many.member() as there,
        few.gunicorn(*GUNICORN) as address,
        many.gunicorn(*GUNICORN) as other,
    ):
        calls = {
            BARE: [post(address, "/bare/", b"{}")] * count * 2,
            NAIVE: _requests(address, here.call(naive_calls, count=count)),
            OURS: _requests(address, here.call(calls_about, count=count)),
            AMONG_MANY: _requests(other, there.call(calls_about, count=count)),
        }

        def load(name: str, target: str, requests: Sequence[bytes]) -> float:
            found = send(target, requests, connections=CONNECTIONS)
            loads.setdefault(name, []).append(found)
            return found.rate

        def fresh(name: str, target: str, member: Member) -> float:
            world.queue.clear()
            member.call(forget, count=count)
            return load(name, target, calls[name])

        def again() -> float:
            here.call(forget, count=count)
            send(address, calls[OURS], connections=CONNECTIONS)
            return load(AGAIN, address, calls[OURS])

        variants: dict[str, Callable[[], float]] = {
            BARE: partial(load, BARE, address, calls[BARE]),
            NAIVE: partial(fresh, NAIVE, address, here),
            OURS: partial(fresh, OURS, address, here),
            AGAIN: again,
            AMONG_MANY: partial(fresh, AMONG_MANY, other, there),
        }
        for variant in variants.values():  # connections to the database, imports, plans
            variant()
        loads.clear()
        samples = in_turn(
            variants, max(world.rounds, LEAST_ROUNDS) if world.short else world.rounds
        )
        world.queue.clear()
        here.call(forget, count=count)
        send(address, calls[OURS], connections=CONNECTIONS)
        jobs = here.call(jobs_waiting)
        _put_back(few, here, many, there, count)
    return Result(
        figure="D4",
        title="Webhooks, signed",
        where=few.where,
        unit="calls/s",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times as fast: the view that does nothing",
                values=ratios(samples[BARE], samples[OURS]),
                better="lower",
                target=5,
                red=8,
            ),
            Judged(
                what="times the naive view's speed",
                values=ratios(samples[OURS], samples[NAIVE]),
                target=2.5,
                red=1.5,
            ),
            Judged(
                what="of its speed among many pictures",
                values=ratios(samples[AMONG_MANY], samples[OURS]),
                target=0.8,
                red=0.5,
            ),
        ],
        facts={
            f"jobs left by {count:,} calls": jobs,
            **{
                f"p99, {name}": f"{1000 * statistics.median(_p99(found)):.0f} ms"
                for name, found in loads.items()
            },
        },
    )


def _p99(loads: Sequence[Load]) -> list[float]:
    return [load.percentile(0.99) for load in loads]


def _requests(address: str, calls: Sequence[Sequence[str]]) -> list[bytes]:
    return [
        post(address, path, body.encode(), X_Webhook_Signature=signature)
        for path, body, signature in calls
    ]


def _put_back(few: Site, here: Member, many: Site, there: Member, count: int) -> None:
    """As the other figures expect the galleries."""
    here.call(forget, count=count)
    there.call(forget, count=count)


# --- in the site's process ------------------------------------------------------------------------


def _call(job_id: str) -> tuple[str, str]:
    from django.conf import settings

    from ideogram_django.apiframe import signatures

    body = json.dumps(
        {
            "event": "completed",
            "jobId": job_id,
            "status": "COMPLETED",
            "progress": 100,
            "result": {"images": [f"https://cdn2.apiframe.ai/images/{job_id}.png"]},
            "model": "ideogram-v4-turbo",
            "creditCost": 3,
            "completedAt": "2026-03-15T10:00:32.000Z",
        }
    )
    key = settings.IDEOGRAM_DJANGO["API_KEY"]
    return body, signatures.sign_hex_text(body.encode(), key)


def calls_about(count: int) -> list[tuple[str, str, str]]:
    """Path, body and signature of one call about each picture under way."""
    from django.urls import reverse

    from ideogram_django.lifecycle import tokens
    from ideogram_django.models import GeneratedImage

    images = GeneratedImage.objects.in_progress().order_by("-pk")[:count]
    found = []
    for image in images:
        arguments = [image.uuid, tokens.make(image.uuid, image.attempt)]
        body, signature = _call(str(image.job_id))
        found.append((reverse("ideogram_django:webhook", args=arguments), body, signature))
    if len(found) < count:
        raise ValueError(f"Only {len(found)} pictures are under way.")
    return found


def naive_calls(count: int) -> list[tuple[str, str, str]]:
    from benchmarks.naive.models import Picture

    Picture.objects.bulk_create(
        Picture(prompt=f"A fox {number}", status="submitted", remote_id=f"naive-{number}")
        for number in range(count)
    )
    return [("/naive/webhook/", *_call(f"naive-{number}")) for number in range(count)]


def forget(count: int) -> None:
    """As if the newest ``count`` had not been heard of."""
    from django.utils import timezone

    from benchmarks.naive.models import Picture
    from ideogram_django.models import GeneratedImage
    from ideogram_django.statuses import Status

    told = GeneratedImage.objects.filter(status=Status.FETCHING)
    told.update(
        status=Status.PROCESSING,
        progress=None,
        result_url="",
        charged_credits=None,
        next_check_at=timezone.now() + timedelta(days=1),
    )
    Picture.objects.update(status="submitted", finished_at=None)


def jobs_waiting() -> int:
    from ideogram_django import wakeups

    return wakeups.waiting() or 0

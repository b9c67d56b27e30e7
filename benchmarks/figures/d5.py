"""D5: bringing a picture of 1 MB into the site's storage.

Outside Pillow, 8 at once: download, count, hash, store. Target: at most 2.6 times what
``curl --parallel`` takes to write the same files to the disk. Red line: 4 times. Memory, 32 at
once: at most 16 MiB more, the same for pictures of 3 MB. The naive peer reads ``.content`` of
``requests.get()`` and saves a ``ContentFile``.

With Pillow: the same download, then the check and the smaller widths, one after another in one
thread; beside a bare loop that opens the very file, makes the same widths and saves them as WebP.
Target: at most 1.15 times its time. Red line: 2.

On file systems alone; no bucket was measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import Watch, rss
from benchmarks.rounds import Judged, Result, in_turn, ratios, seconds
from benchmarks.servers import MissingServerError
from benchmarks.world import Site, Stub, World

MB = 1_000_000
AT_ONCE, MANY_AT_ONCE = 8, 32
OURS, NAIVE, CURL = "this app", "requests.get().content", "limit: curl --parallel"
BARE = "limit: a bare Pillow loop"
SETTINGS: dict[str, Any] = {"MAX_IMAGE_BYTES": 25 * MB}


def measure(world: World) -> list[Result]:
    return [_speed(world), _memory(world), _with_pillow(world)]


def _site(world: World, stub: Stub) -> Site:
    return world.site("sqlite", API_BASE_URL=stub.base_url, **SETTINGS)


def _speed(world: World) -> Result:
    count = world.sized(400, 100)
    with world.stub(file=_random_file(world, MB)) as stub:
        site = _site(world, stub)
        with site.member() as member:

            def each(function: Callable[..., float]) -> float:
                return 1000 / count * float(member.call(function, count=count, threads=AT_ONCE))

            member.call(store, count=AT_ONCE, threads=AT_ONCE)
            member.call(store_naively, count=AT_ONCE, threads=AT_ONCE)
            samples = in_turn(
                {
                    NAIVE: partial(each, store_naively),
                    OURS: partial(each, store),
                    CURL: lambda: 1000 / count * _curl(site, stub, count),
                },
                world.rounds,
            )
    return Result(
        figure="D5",
        title=f"Storing a picture of 1 MB, {AT_ONCE} at once, without Pillow",
        unit="ms",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times curl",
                values=ratios(samples[OURS], samples[CURL]),
                better="lower",
                target=2.6,
                red=4,
            )
        ],
    )


def _curl(site: Site, stub: Stub, count: int) -> float:
    curl = shutil.which("curl")
    if curl is None:
        raise MissingServerError("curl is not here.")
    folder = site.folder / "curl"
    folder.mkdir()
    try:
        return seconds(
            lambda: subprocess.run(
                [
                    *(curl, "--silent", "--fail", "--parallel", "--parallel-immediate"),
                    *("--parallel-max", str(AT_ONCE), "--output", f"{folder}/#1"),
                    f"{stub.base_url}/file/[1-{count}]",
                ],
                check=True,
                timeout=120,
                stderr=subprocess.DEVNULL,  # it tells its progress there all the same
            )
        )
    finally:
        shutil.rmtree(folder)


def _memory(world: World) -> Result:
    count = world.sized(320, 96)
    samples: dict[str, list[float]] = {}
    for size in (1, 3):
        with world.stub(file=_random_file(world, size * MB)) as stub:
            site = _site(world, stub)
            for name, function in ((NAIVE, store_naively), (OURS, store)):
                samples[f"{name}, {size} MB"] = [
                    site.call(memory_of, function=function.__name__, count=count)
                    for _round in range(world.rounds)
                ]
    return Result(
        figure="D5",
        title=f"More memory while {MANY_AT_ONCE} at once are stored",
        unit="MiB",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what=f"more memory, {size} MB",
                values=samples[f"{OURS}, {size} MB"],
                unit="MiB",
                better="lower",
                target=16,
                red=32,
            )
            for size in (1, 3)
        ],
    )


def _with_pillow(world: World) -> Result:
    count = world.sized(12, 4)
    picture = world.folder / "picture.png"
    with world.site("sqlite", **SETTINGS).member() as maker:
        maker.call(draw, path=str(picture))
    with world.stub(file=str(picture)) as stub, _site(world, stub).member() as member:

        def each(function: Callable[..., float], **arguments: Any) -> float:
            return 1000 / count * float(member.call(function, count=count, **arguments))

        member.call(store_checked, count=1)
        samples = in_turn(
            {
                OURS: partial(each, store_checked),
                BARE: partial(each, bare_pillow, path=str(picture)),
            },
            world.rounds,
        )
    return Result(
        figure="D5",
        title="Storing a picture of 1 MB with its check and its widths",
        unit="ms",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times the bare loop",
                values=ratios(samples[OURS], samples[BARE]),
                better="lower",
                target=1.15,
                red=2,
            )
        ],
        facts={"bytes of the picture": picture.stat().st_size},
    )


def _random_file(world: World, size: int) -> str:
    path = world.folder / f"{size}.bin"
    if not path.exists():
        path.write_bytes(os.urandom(size))
    return str(path)


# --- in the site's process ------------------------------------------------------------------------


def _threaded(one: Callable[[int], object], count: int, threads: int) -> float:
    from concurrent.futures import ThreadPoolExecutor

    from django.conf import settings

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))  # connections, and threads themselves
        begun = time.perf_counter()
        list(pool.map(one, range(count)))
        took = time.perf_counter() - begun
    shutil.rmtree(Path(settings.MEDIA_ROOT), ignore_errors=True)
    return took


def _storing(threads: int) -> Callable[[int], object]:
    """One picture as the drain's thread brings it home, but for Pillow."""
    from django.core.files.storage import default_storage

    from ideogram_django import conf
    from ideogram_django.drains import files
    from ideogram_django.drains.tools import Tools
    from ideogram_django.pictures import fetching

    settings = conf.current()
    tools = Tools(_with_threads(settings, threads))

    def one(number: int) -> str:
        name = f"ideogram/2026/01/{number}.png"
        with files.kept(files.private_file(default_storage, name)) as keeper:
            fetching.fetch(
                tools.downloads, f"{settings.API_BASE_URL}/file/{number}", keeper.file, tools.rules
            )
            return files.save_original(default_storage, name, keeper.file)

    return one


def _with_threads(settings: Any, threads: int) -> Any:
    from dataclasses import replace

    return replace(settings, CONCURRENCY=threads)


def store(count: int, threads: int) -> float:
    return _threaded(_storing(threads), count, threads)


def store_naively(count: int, threads: int) -> float:
    import requests
    from django.conf import settings
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    base_url = settings.IDEOGRAM_DJANGO["API_BASE_URL"]

    def one(number: int) -> None:
        content = requests.get(f"{base_url}/file/{number}", timeout=60).content
        default_storage.save(f"naive/{number}.png", ContentFile(content))

    return _threaded(one, count, threads)


def memory_of(function: str, count: int) -> float:
    """What the process grows by, beyond what it takes with everything imported and connected."""
    run: Callable[[int, int], float] = {"store": store, "store_naively": store_naively}[function]
    run(2, 1)
    with Watch(rss, every=0.005) as memory:
        run(count, MANY_AT_ONCE)
    return memory.growth


def draw(path: str) -> None:
    """A picture with as many bytes as the provider's have: soft shapes with some grain."""
    import random

    from PIL import Image, ImageDraw, ImageFilter

    dice = random.Random(1)
    image = Image.new("RGB", (1024, 1024), "#204060")
    brush = ImageDraw.Draw(image)
    for _shape in range(120):
        x, y, size = dice.randrange(1024), dice.randrange(1024), dice.randrange(40, 300)
        color = tuple(dice.randrange(256) for _channel in range(3))
        brush.ellipse([x - size, y - size, x + size, y + size], fill=color)
    image = image.filter(ImageFilter.GaussianBlur(6))
    grain = Image.frombytes("L", image.size, dice.randbytes(1024 * 1024)).point(lambda v: v % 5)
    Image.merge("RGB", [_grainy(one, grain) for one in image.split()]).save(path)


def _grainy(channel: Any, grain: Any) -> Any:
    from PIL import ImageChops

    return ImageChops.add(channel, grain)


def store_checked(count: int) -> float:
    """One after another: download, check, widths, all stored."""
    from django.core.files.storage import default_storage

    from ideogram_django import conf
    from ideogram_django.drains import files
    from ideogram_django.drains.tools import Tools
    from ideogram_django.pictures import fetching, verifying

    settings = conf.current()
    tools, url = Tools(settings), f"{settings.API_BASE_URL}/file"

    def one(number: int) -> None:
        name = f"ideogram/2026/01/{number}.png"
        with files.kept(files.private_file(default_storage, name)) as keeper:
            fetching.fetch(tools.downloads, url, keeper.file, tools.rules)
            verified = verifying.verify(
                keeper.file,
                max_pixels=settings.MAX_IMAGE_PIXELS,
                widths=settings.WIDTHS,
                formats=settings.FORMATS,
            )
            files.save_original(default_storage, name, keeper.file)
        names = [f"ideogram/2026/01/{number}-{copy.width}.webp" for copy in verified.renditions]
        files.save_widths(default_storage, names, verified.renditions)

    return _threaded(one, count, 1)


def bare_pillow(count: int, path: str) -> float:
    """Open, make the same widths, save: what a loop without any care does."""
    from django.conf import settings
    from PIL import Image

    from ideogram_django import conf

    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True)

    def one(number: int) -> None:
        image = Image.open(path)
        for width in sorted(conf.current().WIDTHS, reverse=True):
            if width < image.width:
                image.thumbnail((width, width * image.height), Image.Resampling.LANCZOS)
                image.save(folder / f"{number}-{width}.webp", quality=80, method=4)

    return _threaded(one, count, 1)

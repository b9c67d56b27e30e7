"""A worker stays small, whatever the provider's files pretend to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ideogram_django.models import GeneratedImage
from ideogram_django.simulator import Simulator
from tests.site import Site, wait_until

HOSTILE = ("hostile", "truncated", "bomb", "redirect", "drip", "huge", "file-503", "foreign-url")
LIMIT_KIB = 512 * 1024


def most_memory(pid: int) -> int:
    """The most that a process ever had resident, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("The kernel does not tell")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Needs Linux's /proc.")
def test_the_whole_hostile_corpus_fits_into_half_a_gibibyte(
    site: Site, simulator: Simulator
) -> None:
    site.changes |= {"DOWNLOAD_DEADLINE": 1, "GIVE_UP_AFTER": 10, "LEASE": 30}
    sync = site.start_sync()
    GeneratedImage.objects.generate_many(
        [{"prompt": f"A fox [{mark}]"} for mark in HOSTILE for _time in range(3)]
    )
    good = GeneratedImage.objects.generate("A fox", model="ideogram-v4-quality")

    wait_until(
        lambda: not GeneratedImage.objects.exclude(status__in=["completed", "failed"]).exists(),
        120,
        tell=site.describe,
    )

    good.refresh_from_db()
    assert good.status == good.Status.COMPLETED
    assert sync.is_running()
    assert most_memory(sync.pid) < LIMIT_KIB
    codes = set(GeneratedImage.objects.failed().values_list("error_code", flat=True))
    assert codes == {"not_a_picture", "too_many_pixels", "too_large", "host_refused", "gave_up"}

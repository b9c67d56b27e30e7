"""``run.py demo``: it shows pictures, survives deaths and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.site import Demo, session_members, wait_until

pytestmark = pytest.mark.redis


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that the test may end as it likes."""
    demo = Demo(tmp_path)
    yield demo
    demo.process.end(patience=40)


def get(url: str) -> str:
    with build_opener(ProxyHandler({})).open(url, timeout=20) as response:
        return str(response.read().decode())


def pictures(demo: Demo) -> list[str]:
    """What the front page shows now; nothing while the development server is out of breath."""
    try:
        page = get(f"{demo.base_url}/")
    except OSError:
        return []
    return re.findall(r'<img src="/media/[^"]+"', page)


def test_the_first_page_shows_pictures_and_ctrl_c_ends_everything(own_demo: Demo) -> None:
    own_demo.start()
    assert len(own_demo.pids) == 5

    # Of three articles and of the fixed place.
    wait_until(lambda: len(pictures(own_demo)) == 4, tell=own_demo.describe)
    assert "POST /ideogram/webhook/" in own_demo.describe()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(own_demo.process.pid, number)  # an impatient person; the children end all the same
    assert own_demo.process.end(patience=40) == 0, own_demo.describe()
    assert session_members(own_demo.pids) == []


def test_a_dead_worker_is_started_again_and_polling_is_enough(own_demo: Demo) -> None:
    own_demo.start("--no-webhook")
    os.kill(own_demo.pids[3], signal.SIGKILL)
    wait_until(lambda: "worker ended (-9) and is started again" in own_demo.describe())

    wait_until(lambda: len(pictures(own_demo)) == 4, tell=own_demo.describe)
    assert "/ideogram/webhook/" not in own_demo.describe()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_nothing_is_left_when_the_supervisor_is_killed(own_demo: Demo) -> None:
    own_demo.start()

    own_demo.process.kill(with_children=False)

    wait_until(lambda: not session_members(own_demo.pids), tell=own_demo.describe)


def test_two_demos_in_one_folder_are_refused(own_demo: Demo) -> None:
    own_demo.start()
    own_demo.log.rename(own_demo.folder / "first.log")
    second = Demo(own_demo.folder)
    with pytest.raises(AssertionError, match="A demo runs in"):
        second.start()
    assert second.process.end() == 1

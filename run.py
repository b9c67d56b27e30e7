#!/usr/bin/env python3
"""The commands: ``python3 run.py demo``, ``python3 run.py test [pytest arguments]``, and ``bench``.

``python3 run.py bench [figures]`` measures how fast the app is; see ``benchmarks/__main__.py``.
Needs Python 3.11 or newer and nothing else. What is missing is installed into ``.venv`` on first
use, and again when pyproject.toml or the Python version has changed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - macOS and older systems ship less
    sys.exit("Python 3.11 or newer is needed; this is {}.{}.".format(*sys.version_info))

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
COMMANDS = {
    "demo": [str(ROOT / "example_project" / "demo.py")],
    "test": ["-m", "pytest"],
    "bench": ["-m", "benchmarks"],
}
# What an active virtual environment or another Django project may have left behind.
FOREIGN = {
    "DJANGO_SETTINGS_MODULE",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
}


def main() -> None:
    if os.name == "nt":
        sys.exit("django-rq's workers need fork(), which Windows lacks: run this inside WSL.")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in COMMANDS:
        sys.exit((__doc__ or "").strip())
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    make_venv()
    install(command)
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), *COMMANDS[command], *sys.argv[2:]])


def make_venv() -> None:
    """Build .venv anew unless it was built here by this very Python."""
    made_by = f"{sys.version}\n{ROOT}"
    stamp = VENV / ".made-by"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == made_by:
        return
    if not succeeds(sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)):
        sys.exit(f"{VENV} could not be made; see above.")
    stamp.write_text(made_by)


def install(extra: str) -> None:
    """Install the project with one of its extras, unless that was done for this pyproject.toml."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / f".{extra}-installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing what `{extra}` needs into {VENV.name} …", flush=True)
    target = f"{ROOT}[{extra}]"
    if not (with_uv(target) or with_pip(target)):
        sys.exit("The installation failed; see above.")
    stamp.write_text(wanted)


def with_uv(target: str) -> bool:
    """False also where uv fails, as when only pip knows the way to the package index."""
    uv = shutil.which("uv")
    return bool(uv) and succeeds(
        uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--editable", target
    )


def with_pip(target: str) -> bool:
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info)
        sys.exit(
            f"This Python cannot install packages yet. On Debian or Ubuntu: apt install {package}"
        )
    has_pip = any(VENV.glob("lib/python*/site-packages/pip"))
    pip = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "-qq")
    return (has_pip or succeeds(str(PYTHON), "-m", "ensurepip")) and succeeds(
        *pip, "install", "--editable", target
    )


def succeeds(*command: str) -> bool:
    """Run a command; it shows what goes wrong, and nothing else."""
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    main()

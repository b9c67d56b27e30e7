"""A site of a developer who wants strict types and every public name."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.dispatch import Signal

from ideogram_django import (
    admin,
    exceptions,
    forms,
    hooks,
    models,
    signals,
    staleness,
    statuses,
    testing,
)
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.runs.models import RunQuerySet
from ideogram_django.templatetags import rendering
from tests.sample_site import decisions

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "tests/sample_site"


def names_in_the_site() -> tuple[set[str], set[str]]:
    """What the site's modules name by itself or import, and which attributes they ask for."""
    imported, asked = set(), set()
    for path in SITE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ideogram"):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute):
                asked.add(node.attr)
            elif isinstance(node, ast.arg):
                asked.add(node.arg)  # a fixture
    return imported, asked


def own(module: ModuleType) -> set[str]:
    """The public classes, functions and constants that a module without ``__all__`` defines."""
    return {
        name
        for name, value in vars(module).items()
        if name[0] != "_"
        and (name.isupper() or getattr(value, "__module__", None) == module.__name__)
        and name != "TYPE_CHECKING"
    }


def test_it_uses_every_public_name() -> None:
    imported, asked = names_in_the_site()
    public = {
        *(f"ideogram_django.models.{name}" for name in models.__all__),
        *(f"ideogram_django.admin.{name}" for name in admin.__all__),
        *(f"ideogram_django.forms.{name}" for name in forms.__all__),
        "ideogram_django.fields.GeneratedImageField",
        *(f"ideogram_django.exceptions.{name}" for name in own(exceptions)),
        *(f"ideogram_django.statuses.{name}" for name in own(statuses) if not name.isupper()),
        *(
            f"ideogram_django.signals.{name}"
            for name, value in vars(signals).items()
            if isinstance(value, Signal)
        ),
        *(
            f"ideogram_django.templatetags.rendering.{name}"
            for name in ("ArgumentError", "Places", *rendering_functions())
        ),
        "ideogram_django.hooks.Hooks",
        "ideogram_django.metrics.Collector",
        "ideogram_django.querysets.with_pictures",
        "ideogram_django.tasks.TasksDispatcher",
        "ideogram_django.testing.Ideogram",
        "ideogram_django.wakeups.Dispatcher",
        "ideogram_django.wakeups.RQDispatcher",
    }
    assert public - imported == set()
    fixtures = {name for name in testing.__all__ if name[0].islower()}
    assert fixtures - asked == set()
    assert {name for name in own(staleness) if name.islower()} - asked == set()
    overridden = {name for name in vars(hooks.Hooks) if name[0] != "_"}
    assert overridden <= {name for name in vars(decisions.ShopHooks) if name[0] != "_"}


def rendering_functions() -> list[str]:
    return [name for name in vars(rendering) if name.startswith("generated_image")]


@pytest.mark.parametrize(
    "kind", [models.GeneratedImage, GeneratedImageQuerySet, models.Run, RunQuerySet]
)
def test_it_uses_every_verb(kind: type) -> None:
    _imported, asked = names_in_the_site()
    verbs = {
        name
        for name, value in vars(kind).items()
        if inspect.isfunction(value)
        and value.__module__.startswith("ideogram_django")
        and name[0] != "_"
        # A drain asks the first, and Django's own the second.
        and name not in ("due", "get_status_display")
    }
    assert verbs - asked == set()


def test_it_works() -> None:
    """Its own tests, with its own settings, as its developer runs them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    more = ["--ds", "tests.sample_site.settings", str(SITE / "site_tests.py")]
    # Beside ours, which has the PostgreSQL server's test database if there is one, and its own
    # options, of which some belong to a plugin that is off in this one.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TEST_POSTGRES") and name != "PYTEST_ADDOPTS"
    }
    done = subprocess.run(
        [*command, *more], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("mypy_django_plugin"), reason="only with linters")
def test_its_types_are_strict() -> None:
    """The lint session runs this as well, where the type checker always is."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(SITE / "mypy.ini")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout

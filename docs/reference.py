"""Writes the tables of docs/reference from the code: ``python docs/reference.py``.

Settings, commands, checks, error codes, signals and tags are told once, in the code. The pages
are kept in the repository, so that they can be read there; a test holds them to this script.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from argparse import Action, ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = ROOT / "ideogram_django"
NOTE = "<!-- Written by docs/reference.py from the code; edit that, then run it. -->"
LEVELS = {"Error": "error", "Warning": "warning"}
FLAGS = {True: "yes", False: ""}


def set_up() -> None:
    """A site around the package, if there is none yet; it needs neither database nor network."""
    sys.path.insert(0, str(ROOT))
    import django
    from django.conf import settings

    if settings.configured:
        return
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django_rq",
            "ideogram_django",
        ],
        USE_TZ=True,
        RQ_QUEUES={"default": {"URL": "redis://127.0.0.1:6379/0"}},
        IDEOGRAM_DJANGO={"API_KEY": "afk_docs"},
    )
    django.setup()


def pages() -> dict[Path, str]:
    """Every page that is written, with its text."""
    from django.utils import translation

    parts = {
        "settings": settings_page,
        "commands": commands_page,
        "checks": checks_page,
        "errors": errors_page,
        "signals": signals_page,
        "tags": tags_page,
    }
    with translation.override("en"):
        return {HERE / "reference" / f"{name}.md": page() for name, page in parts.items()}


# --- the pages ----------------------------------------------------------------------------------


def settings_page() -> str:
    from ideogram_django import conf

    said = docstrings(conf.AppSettings)
    rows = []
    for one in fields(conf.AppSettings):
        default: Any = one.default
        if default is MISSING:
            default = one.default_factory() if one.default_factory is not MISSING else ""
        shown = f"{one.type} = {default!r}" if one.name != "API_KEY" else f"{one.type}, required"
        rows.append([code(one.name), code(shown), said.get(one.name, "")])
    return page(
        "Settings",
        "All stand in one dict, `IDEOGRAM_DJANGO`, and are read live. Times are seconds and may be "
        "fractions. `python manage.py check` tells a wrong value and the nearest name of an "
        "unknown one.",
        table(["key", "type and default", "meaning"], rows),
    )


def commands_page() -> str:
    parts = []
    for name, parser in parsers().items():
        own = [action for action in parser._actions if not is_djangos(action)]
        rows = [[option_names(action), expanded(parser, action)] for action in own]
        parts += [f"## {name}", markdown(parser.description or "")]
        parts += [table(["option", "meaning"], rows)] if rows else []
        if parser.epilog:
            parts.append(f"```text\n{parser.epilog.rstrip()}\n```")
    return page(
        "Commands",
        "Run them with `python manage.py`. They also take Django’s own options, such as "
        "`--settings` and `--verbosity`.",
        *parts,
    )


def checks_page() -> str:
    rows = [
        [code(one["id"]), one["level"], one["message"], one["hint"]]
        for one in sorted(checks(), key=lambda one: (one["id"], one["message"]))
    ]
    return page(
        "System checks",
        "Told by `python manage.py check`, and before `runserver` and `migrate`; those marked "
        "*deploy* with `--deploy` alone. “…” stands for a value of yours.",
        table(["id", "level", "what it says", "what to do"], rows),
    )


def errors_page() -> str:
    from ideogram_django import statuses
    from ideogram_django.wording import ADVICE, UNFORESEEN

    parts = []
    for kind in word_lists(statuses):
        parts += [f"## {kind.__name__}", markdown(inspect.getdoc(kind) or "")]
        headings, rows = ["value", "in words"], []
        for member in kind:
            row = [code(member.value), str(member.label)]  # type: ignore[attr-defined]
            if kind is statuses.ErrorCode:
                advice = ADVICE.get(member, UNFORESEEN)
                row += [str(advice.hint), FLAGS[advice.again], FLAGS[advice.edit]]
                row += [FLAGS[member in statuses.OPEN_ERRORS]]
            rows.append(row)
        if kind is statuses.ErrorCode:
            headings += ["also said", "try again", "change it", "may still come"]
        parts.append(table(headings, rows))
    return page(
        "Statuses and error codes",
        "The closed sets of words in rows, in `as_dict()` and in signals. The words beside them "
        "are what editors read, in their own language.",
        *parts,
    )


def signals_page() -> str:
    from ideogram_django import signals

    said = docstrings(signals)
    rows = [[code(name), said.get(name, "")] for name in signal_names()]
    return page(
        "Signals",
        markdown(inspect.getdoc(signals) or ""),
        "All stand in `ideogram_django.signals`.",
        table(["signal", "when"], rows),
    )


def tags_page() -> str:
    from ideogram_django.templatetags import rendering
    from ideogram_django.templatetags.ideogram import register

    parts = []
    for name, tag in register.tags.items():
        parts += [f"## {name}", markdown(inspect.getdoc(inspect.unwrap(tag)) or "")]
    rows = [
        [code(name), ", ".join(code(value) for value in rendering.VALUES.get(name, ()))]
        for name in rendering.ARGUMENTS
    ]
    return page(
        "Template tags",
        "`{% load ideogram %}` brings them. [Pictures in templates](../templates.md) shows each "
        "with the HTML that comes out.",
        *parts,
        "## Keywords",
        "Of `generated_image` and `generated_image_for`; beside these `data_…` and `aria_…`, and "
        "`profile` of `generated_image_for`.",
        table(["keyword", "only these values"], rows),
    )


# --- what the code says -------------------------------------------------------------------------


def docstrings(thing: Any) -> dict[str, str]:
    """The texts under the attributes of a class or a module, as Markdown."""
    tree = ast.parse(inspect.getsource(thing))
    body = tree.body[0].body if inspect.isclass(thing) else tree.body  # type: ignore[attr-defined]
    found = {}
    for node, after in pairwise(body):
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr):
            text = after.value.value if isinstance(after.value, ast.Constant) else ""
            found[target.id] = markdown(inspect.cleandoc(str(text)))
    return found


def parsers() -> dict[str, ArgumentParser]:
    """Each of our commands with its parser."""
    from django.core.management import load_command_class

    names = sorted(path.stem for path in (PACKAGE / "management/commands").glob("ideogram_*.py"))
    return {
        name: load_command_class("ideogram_django", name).create_parser("manage.py", name)
        for name in names
    }


def checks() -> Iterator[dict[str, str]]:
    """Every message with an id of ours, read from the source."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and (found := _check(node, function.name)):
                    yield found


def _check(node: ast.Call, function: str) -> dict[str, str] | None:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    level = LEVELS.get(ast.unparse(node.func).rpartition(".")[2])
    given = keywords.get("id")
    if level is None or given is None:
        return None
    hint = keywords.get("hint")
    return {
        "id": text_of(given),
        "level": f"{level}, *deploy*" if function == "check_deployment" else level,
        "message": markdown(text_of(node.args[0])),
        "hint": markdown(text_of(hint)) if hint is not None else "",
    }


def text_of(node: ast.expr) -> str:
    """A text in the source, with “…” for what is only known when it runs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} Or: {text_of(node.orelse)}"
    return "…"


def signal_names() -> list[str]:
    from django.dispatch import Signal

    from ideogram_django import signals

    return [name for name, value in vars(signals).items() if isinstance(value, Signal)]


def word_lists(module: Any) -> list[type[StrEnum]]:
    from django.db.models import TextChoices

    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, TextChoices)
        and value.__module__ == module.__name__
    ]


# --- Markdown -----------------------------------------------------------------------------------


def is_djangos(action: Action) -> bool:
    from django.core.management.base import BaseCommand

    bare = BaseCommand().create_parser("manage.py", "")
    theirs = {name for one in bare._actions for name in one.option_strings}
    return bool(theirs.intersection(action.option_strings))


def option_names(action: Action) -> str:
    if not action.option_strings:
        return code(str(action.metavar or action.dest))
    name = action.option_strings[-1]
    if action.nargs == 0:
        return code(name)
    value = action.metavar or (action.choices and "|".join(map(str, action.choices)))
    return code(f"{name} {value or action.dest.upper()}")


def expanded(parser: ArgumentParser, action: Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    if action.default not in (None, False, "==SUPPRESS==", [], ""):
        text = f"{text} Default: {code(str(action.default))}.".strip()
    return markdown(text)


def markdown(text: str) -> str:
    """Docstrings are written for Sphinx; this is enough of it for Markdown."""
    text = re.sub(r":\w+:`~?([^`<]*\.)?([^`.]+)`", r"`\2`", text)
    return text.replace("``", "`")


def code(text: str) -> str:
    return f"`{text}`"


def table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *(part for part in parts if part)]) + "\n"


def main() -> None:
    set_up()
    written: Mapping[Path, str] = pages()
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"Wrote {len(written)} pages to {HERE / 'reference'}.")


if __name__ == "__main__":
    main()

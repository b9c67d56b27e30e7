"""docs/runs.md: every snippet runs, every list is the code's own."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin

import ideogram_django
from ideogram_django.admin import GenerateImagesMixin
from ideogram_django.forms import prompts
from ideogram_django.management import arguments, running
from ideogram_django.management.commands import ideogram_generate
from ideogram_django.models import Run
from ideogram_django.runs import spreadsheets
from tests.magazine.models import Article

PAGE = Path(ideogram_django.__file__).parent.parent / "docs/runs.md"
TEXT = PAGE.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def words(pattern: str) -> set[str]:
    found = re.search(pattern, TEXT, re.DOTALL)
    assert found is not None
    return set(re.findall(r"`(\w+)", found[1]))


@pytest.mark.django_db
def test_the_run_from_code(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks("python")[1:]:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - that is what is tested
    run = Run.objects.get()
    assert (run.state, run.ceiling, run.images.count()) == ("running", Decimal("5.00"), 200)
    assert capsys.readouterr().out.splitlines()[0] == "6.000000"


def test_the_mixin() -> None:
    was = admin.site._registry.pop(Article, None)
    code = blocks("python")[0].replace("from magazine", "from tests.magazine")
    names: dict[str, Any] = {}
    try:
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102
        host = names["ArticleAdmin"]
        assert prompts.unknown(host.generate_images_prompt, Article) == []
    finally:
        admin.site.unregister(Article)
        if was is not None:
            admin.site._registry[Article] = was  # the very one that the URLs lead to


@pytest.mark.django_db
def test_the_file() -> None:
    (content,) = blocks("csv")
    orders = spreadsheets.read(content.encode(), "harbours.csv", {})
    assert spreadsheets.check(orders).amount == Decimal("0.09")


def test_lists_are_the_codes() -> None:
    assert words(r"The columns are (.*?)\. Commas") == set(spreadsheets.COLUMNS)
    assert words(r"as in Django's\ntemplates: (.*?)\. Nothing") == set(prompts.FILTERS)
    attributes = {
        name for name in vars(GenerateImagesMixin) if name.startswith("generate_images_")
    } - {"generate_images_view"}
    assert set(re.findall(r"^\| `(generate_images_\w+)`", TEXT, re.MULTILINE)) == attributes
    told = set(re.findall(r"`(\w+)\([\w_]*\)`", TEXT)) - {"prepare", "report"}
    for name in told:
        assert inspect.isfunction(getattr(Run, name)), name
    for option in re.findall(r"`?--([a-z]+)", TEXT):
        assert f'"--{option}"' in inspect.getsource(arguments) or (
            option in ideogram_generate.RUN_OPTIONS
        )
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)}
    assert codes == {
        0,
        1,
        2,
        running.SOME_FAILED,
        running.UNFINISHED,
        running.INTERRUPTED,
    }

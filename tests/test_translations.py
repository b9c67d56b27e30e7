"""The catalogues hold every sentence of ours, and nothing that is not said any more."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from ideogram_django import lifecycle
from ideogram_django.apiframe import checking
from ideogram_django.budget import ledger
from ideogram_django.exceptions import Problem
from ideogram_django.models import GeneratedImage, ProviderState, SpendingLimit
from ideogram_django.statuses import ErrorCode, Status

PACKAGE = Path(lifecycle.__file__).resolve().parent.parent
LANGUAGES = ("de", "fr", "es")
TOOLS = ("xgettext", "msgmerge", "msguniq", "msgattrib", "msgen", "msgfmt")

needs_gettext = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="Needs gettext: xgettext or msgfmt is not here."
)

Catalogue = dict[str, dict[int | None, str]]
"""Translations by message id (after its context and ``\\4``, if it has one) and plural form."""


def po(language: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"


def read(mo: Path) -> Catalogue:
    with mo.open("rb") as file:
        entries: Any = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    found: Catalogue = {}
    for key, text in entries.items():
        name, form = key if isinstance(key, tuple) else (key, None)
        if name:
            found.setdefault(name, {})[form] = text
    return found


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def plurals(file: Path, folder: Path) -> dict[str, str]:
    """The English plural of every message that has one: ``msgen`` takes the ids for the texts."""
    run("msgen", file, "-o", folder / "english.po")
    run("msgfmt", folder / "english.po", "-o", folder / "english.mo")
    return {name: forms[1] for name, forms in read(folder / "english.mo").items() if 1 in forms}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What is marked in the sources now, and what the extraction had to say."""
    folder = tmp_path_factory.mktemp("sources")
    copy = folder / PACKAGE.name
    shutil.copytree(
        PACKAGE, copy, ignore=shutil.ignore_patterns("locale", "migrations", "__pycache__")
    )
    (copy / "locale").mkdir()
    said = run(sys.executable, "-m", "django", "makemessages", "--locale", "en", cwd=copy)
    return copy / "locale" / "en" / "LC_MESSAGES" / "django.po", said


@needs_gettext
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_in_the_catalogue_and_no_other(
    extracted: tuple[Path, str], language: str, tmp_path: Path
) -> None:
    template, _said = extracted
    run("msgen", template, "-o", tmp_path / "english.po")
    run("msgfmt", tmp_path / "english.po", "-o", tmp_path / "english.mo")
    run("msgfmt", po(language), "-o", tmp_path / "own.mo")
    sources, own = read(tmp_path / "english.mo"), read(tmp_path / "own.mo")
    assert sorted(set(sources) - set(own)) == []
    assert sorted(set(own) - set(sources)) == []


@needs_gettext
def test_the_extraction_warns_of_nothing(extracted: tuple[Path, str]) -> None:
    """Above all of a sentence that stands with and without a plural: one of them stays English."""
    assert "warning" not in extracted[1]


@needs_gettext
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["--only-fuzzy", "--untranslated", "--only-obsolete"])
def test_nothing_is_uncertain_empty_or_left_over(language: str, kind: str) -> None:
    assert run("msgattrib", kind, "--no-wrap", po(language)) == ""


@needs_gettext
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_what_the_text_says(language: str, tmp_path: Path) -> None:
    run("msgfmt", "--check", po(language), "-o", tmp_path / "django.mo")
    assert read(tmp_path / "django.mo") == read(po(language).with_suffix(".mo"))


def gaps(text: str) -> list[str]:
    """Placeholders of all kinds, and doubled percent signs."""
    return sorted(re.findall(r"%\(\w+\)[sdf]|%%|%[sd]|\{\w*\}", text))


def tags(text: str) -> list[str]:
    return sorted(re.findall(r"</?\w+[^>]*>|&\w+;", text))


@needs_gettext
@pytest.mark.parametrize("language", LANGUAGES)
def test_gaps_tags_and_plural_forms_agree(language: str, tmp_path: Path) -> None:
    english = plurals(po(language), tmp_path)
    forms = {"de": 2, "fr": 2, "es": 3}[language]
    for name, texts in read(po(language).with_suffix(".mo")).items():
        one = name.rpartition("\4")[2]
        if name not in english:
            assert set(texts) == {None}, name
            expected = {None: one}
        else:
            assert set(texts) == set(range(forms)), name
            # The first form may say “one” in words; the others name the number.
            expected = {form: english[name] if form else one for form in texts}
        for form, text in texts.items():
            source = expected[form]
            allowed = [gaps(source), gaps(english[name])] if name in english else [gaps(source)]
            assert gaps(text) in allowed, (name, text)
            assert tags(text) == tags(source), (name, text)
            assert text[:1].isspace() == source[:1].isspace(), (name, text)
            assert text[-1:].isspace() == source[-1:].isspace(), (name, text)


QUOTES = {"de": '“[^”]*”|"', "fr": '[“”„]|"', "es": '[“”„]|"'}
"""Quotation marks of another language. The prompt's own, which v4 reads, are named as such."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_quotation_marks_are_the_languages_own(language: str) -> None:
    for name, texts in read(po(language).with_suffix(".mo")).items():
        for text in texts.values():
            plain = re.sub(r'<[^>]*>|\w+="[^"]*"', "", text)  # attributes keep theirs
            assert not re.search(QUOTES[language], plain), (name, text)


# --- messages that reach people by detours ------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_plain_modules_mark_is_translated_where_it_is_shown(language: str) -> None:
    _value, problems = checking.prompt("x" * 100_000)
    (problem,) = problems
    assert isinstance(problem, Problem)
    with translation.override(language):
        assert translation.gettext(problem.message) != problem.message
        translated = str(ErrorCode.REFUSED.label)
    with translation.override("en"):
        assert translated != str(ErrorCode.REFUSED.label)


# --- pages --------------------------------------------------------------------------------------

START = "/admin/ideogram_django/"


class Seen(HTMLParser):
    """What a person reads or hears of a page, and where its links lead."""

    SILENT = ("script", "style", "code")
    """Nobody reads the first two; the third is the same in every language."""

    SAID = ("alt", "title", "aria-label", "placeholder", "data-ideogram-make-label")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.SILENT:
            self._silent += 1
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "input" and given.get("type") in ("submit", "button"):
            self.texts.append(given.get("value") or "")
        self.texts += [given[name] or "" for name in given if name in self.SAID]
        self.texts += [given[name] or "" for name in given if name.startswith("data-text-")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def pictures_of_every_kind() -> None:
    for status in Status:
        image = lifecycle.draft_many(GeneratedImage.objects.all(), [{"prompt": "Xyzzy"}])[0]
        if status == Status.DRAFT:
            continue
        image.generate()
        facts: dict[str, Any] = {"status": status}
        if status == Status.COMPLETED:
            ledger.settle(image.charge, None)
            facts |= {"file": "a.png", "width": 640, "height": 480, "cost": image.price}
        if status == Status.FAILED:
            facts |= {"error_code": ErrorCode.REFUSED}
        GeneratedImage.objects.filter(pk=image.pk).update(**facts)


GENERIC = re.compile(r"[?&](o|_facets|\w+__(gte|lt|exact|isnull))=")
"""Links of Django's own lists, which lead to the same page in another order."""


def crawl(client: Client, most: int = 80) -> Iterator[tuple[str, str]]:
    """Every page of ours that links lead to, one of each kind of query."""
    seen, waiting = {START}, deque([START])
    while waiting and most:
        address = waiting.popleft()
        answer = client.get(address)
        if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
            continue
        most -= 1
        html = answer.content.decode()
        yield address, html
        for link in Seen(html).links:
            target = urlsplit(urljoin(address, link))
            key = target.path + "?" + re.sub(r"=[^&]*", "=", target.query)
            ours = not target.netloc and target.path.startswith(START)
            if ours and key not in seen and not GENERIC.search(f"?{target.query}"):
                seen.add(key)
                waiting.append(f"{target.path}?{target.query}" if target.query else target.path)


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_says_anything_of_ours_in_english(language: str, settings: Any) -> None:
    pictures_of_every_kind()
    SpendingLimit.objects.create(amount=5)
    ProviderState.load()
    client = Client()
    client.force_login(User.objects.create_superuser("xyzzy"))
    english = {
        name: text[None]
        for name, text in read(po(language).with_suffix(".mo")).items()
        if None in text
        and "\4" not in name
        and text[None] != name
        # The alternative text of Django's magnifying glass, which is not translated there.
        and name != "Search"
    }
    found: list[tuple[str, str]] = []
    pages = 0
    with translation.override(language):
        for address, html in crawl(client):
            pages += 1
            said = {" ".join(text.split()) for text in Seen(html).texts}
            found += [(address, text) for text in said if text in english]
    assert pages > 15
    assert sorted({text for _address, text in found}) == [], (pages, found)

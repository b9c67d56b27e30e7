"""Filters in the gaps of a prompt template: a few of Django's own, and no way to anything else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from ideogram_django.forms import prompts
from tests.magazine.models import Article, Author, Page

TITLE = "night trains <b>of</b> the far north, and back again"


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        ("title|truncatewords:2", "night trains …"),
        ("title|truncatechars:12", "night train…"),
        ("title|upper|truncatewords:1", "NIGHT …"),
        ("title|capfirst|truncatewords:1", "Night …"),
        ("title|striptags|truncatewords:4", "night trains of the …"),
        ("author.name|lower", "ada lovelace"),
        ("author.name|title", "Ada Lovelace"),
        ('body|default:"an empty page"', "an empty page"),
        ('title|lower|truncatewords:2|default:"x"', "night trains …"),
    ],
)
def test_filters_do_what_they_do_in_templates(gap: str, text: str) -> None:
    article = Article(title=TITLE, author=Author(name="ADA LOVELACE"))
    assert prompts.gaps(f"Poster: {{{gap}}}!") == (gap,)
    assert prompts.fill(f"Poster: {{{gap}}}!", article) == f"Poster: {text}!"
    assert prompts.unknown(f"{{{gap}}}", Article) == []


def test_a_date_is_told_in_the_sites_time_zone() -> None:
    entry = LogEntry(action_time=datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert prompts.fill('{action_time|date:"j F Y"}', entry) == "1 December 2026"
    assert prompts.fill("{action_time|date}", LogEntry(action_time=None)) == ""


@pytest.mark.parametrize(
    "gap",
    [
        "title|safe",
        "title|linebreaks",
        "title|add:1",
        "title|truncatewords",
        'title|truncatewords:"2"',
        "title|lower:3",
        "title|default:7",
        "titel|lower",
        "title.upper|lower",
        "author.pk|lower",
    ],
)
def test_what_is_no_filter_is_told_by_its_gap(gap: str) -> None:
    article = Article(title=TITLE, author=Author(name="Ada"))
    assert prompts.unknown(f"{{{gap}}}", Article) == [gap]
    with pytest.raises(LookupError):
        prompts.fill(f"{{{gap}}}", article)


@pytest.mark.parametrize(
    "text",
    [
        "{title|truncatewords: 2}",
        "{title |lower}",
        '{title|default:"{body}"}',
        "{title|__class__}",
        "{title|default:title}",
        "{title|}",
    ],
)
def test_what_does_not_look_like_a_gap_stays_text(text: str) -> None:
    assert "title" not in "".join(prompts.gaps(text))
    assert prompts.fill(text, Article(title=TITLE, body="BODY"), allowed=("title",)) == text


def test_a_default_fills_a_hole() -> None:
    article = Article(title="")
    gaps = prompts.gaps('{title} {title|default:"Untitled"}')
    assert prompts.empty(gaps, article) == ["title"]


def test_people_read_the_name_of_the_column() -> None:
    assert prompts.title(Page, "article.author.name|lower") == "Article (author (name))"


@pytest.mark.parametrize(
    "name",
    [
        "title.__class__",
        "__class__",
        "__class__.__init__.__globals__",
        "title.__class__.__mro__",
        "_meta.model",
        "_state.db",
        "objects",
        "pk",
        "pages",
        "author.articles",
        "delete",
        "author.delete",
        "get_absolute_url",
        "cover.url",
    ],
)
def test_nothing_but_columns_is_ever_read(name: str) -> None:
    article = Article(title=TITLE, author=Author(name="Ada"))
    assert prompts.gaps(f"{{{name}}}") == (name,)
    assert prompts.unknown(f"{{{name}}}", Article) == [name]
    with pytest.raises(LookupError):
        prompts.fill(f"{{{name}}}", article)


@pytest.mark.parametrize(
    "words",
    [
        "{title!r}",
        "{title:>9999999}",
        "{title[0]}",
        "{0}",
        "{}",
        "{{title}",
        "{title",
        "{% debug %}",
        "%(title)s %s",
        "{title()}",
        "{title|lower()}",
        "{ title }",
    ],
)
def test_other_braces_are_words_and_cost_nothing(words: str) -> None:
    article = Article(title="TITLE")
    filled = prompts.fill(words, article)
    assert filled == words.replace("{title}", "TITLE")


def test_no_template_that_people_write_reads_a_password() -> None:
    entry = LogEntry(user=User(username="ada", password="pbkdf2$secret"))
    assert prompts.fill("{user.username}", entry) == "ada"
    assert prompts.unknown("{user.password}", LogEntry) == ["user.password"]
    with pytest.raises(LookupError):
        prompts.fill("{user.password|lower}", entry)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Poster: trains, by Ada!", []),
        ("Poster: , by Ada!", ["title"]),
        ("Poster: trains, by !", ["author.name"]),
        ("Poster: , by  !", ["title", "author.name"]),
        ("Poster: a, by b, by c!", []),
        ("Poster: , by , by !", ["title"]),
        ("Poster: trains, by Ada", []),
        ("A poster of trains, by Ada!", []),
        ("Poster: !", []),
        ("", []),
    ],
)
def test_which_gaps_were_filled_with_nothing(text: str, found: list[str]) -> None:
    assert prompts.guessed_empty("Poster: {title}, by {author.name}!", text) == found


def test_gaps_side_by_side() -> None:
    assert prompts.guessed_empty("{title}{body}", "") == ["title", "body"]
    assert prompts.guessed_empty("{title}", "x") == []
    assert prompts.guessed_empty("{title}", " ") == ["title"]
    assert prompts.guessed_empty("no gaps", "no gaps") == []


def test_many_gaps_and_a_text_that_nearly_fits_keep_nobody_waiting() -> None:
    """As one pattern with six open ends it took hours, in the middle of saving a form."""
    gap = "{title}, {body}, {author.name}, {title}, {body}, {author.name}, painting"
    assert prompts.guessed_empty(gap, "a, b, " * 20_000 + "illustration") == []

"""CSV files as spreadsheets, scripts and strangers write them."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import spreadsheets

pytestmark = pytest.mark.django_db


def read(content: bytes | str) -> list[dict[str, Any]]:
    data = content.encode() if isinstance(content, str) else content
    orders = spreadsheets.read(data, "file.csv", {})
    return [dict(one) for one in spreadsheets.check(orders).requests]


def refused(content: bytes | str) -> str:
    with pytest.raises(ValidationError) as error:
        read(content)
    assert GeneratedImage.objects.count() == Run.objects.count() == 0
    return " ".join(error.value.messages)


# --- as spreadsheets write them -----------------------------------------------------------------

FOX = '"A ""big"", red fox"'


@pytest.mark.parametrize(
    "content",
    [
        f"prompt,aspect_ratio\n{FOX},1:1\n",
        f"\ufeffPrompt;Aspect ratio\r\n{FOX};1:1\r\n",
        f"sep=;\r\nprompt;aspect-ratio\r\n{FOX};1:1\r\n",
        f"\ufeffsep=;\nprompt;aspect-ratio\n{FOX};1:1\n",
        f"prompt\taspect_ratio\r{FOX}\t1:1\r",
        f"prompt;aspect_ratio\r{FOX};1:1",
        f"prompt,aspect_ratio,,,\n{FOX},1:1,,,\n,,,,\n",
        f"\n\n prompt , aspect_ratio \n{FOX}, 1:1 \n",
    ],
    ids=["plain", "bom", "sep", "bom and sep", "old mac, tabs", "old mac", "cleared", "spaces"],
)
def test_one_fox_however_it_is_written(content: str) -> None:
    assert read(content) == [{"prompt": 'A "big", red fox', "aspect_ratio": "1:1"}]


def test_a_prompt_may_have_lines_and_numbers_are_those_of_the_file() -> None:
    assert read('prompt\n"A fox\nin the snow"\n')[0]["prompt"] == "A fox\nin the snow"
    told = refused('sep=,\nprompt,count\n"A fox\nin the snow",1\n\nA hen,x\nA cow,0\n')
    assert "Line 6: count: 'x' is not a whole number." in told
    assert "Line 7: count: At least one" in told


def test_a_line_without_a_prompt_is_told_whatever_else_it_says() -> None:
    told = refused("prompt,count,alt_text\nA fox,1,\n,2,\n,,Nothing\n")
    assert told.count("Line ") == 2
    assert "Line 3: prompt: " in told
    assert "Line 4: prompt: " in told


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "latin-1"])
def test_other_encodings_are_told(encoding: str) -> None:
    content = "prompt\nEin Fuchs, dämmrig\n".encode(encoding)
    assert "Save it as “CSV UTF-8”" in refused(content)


# --- as strangers write them --------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "prompt\na\0b\n",
        "prompt,alt_text\nfox,a\0b\n",
        "prompt,negative_prompt\nfox,a\0b\n",
        "prompt,profile\nfox,a\0b\n",
        "prompt,model\nfox,a\0b\n",
        "prompt,reference_image\nfox,https://example.com/\0.png\n",
    ],
)
def test_a_null_is_refused_before_a_database_does(content: str) -> None:
    assert refused(content).startswith("Line 2: ")


def test_a_cell_as_long_as_the_file_is_told() -> None:
    assert "Line 2 of file.csv is not CSV" in refused("prompt\n" + "x" * 200_000)


def test_an_alternative_text_that_no_column_takes_is_told() -> None:
    assert "Line 2: alt_text: Ensure" in refused(f"prompt,alt_text\nfox,{'x' * 1001}\n")
    assert read(f"prompt,alt_text\nfox,{'x' * 1000}\n")


def test_an_open_quotation_mark_is_told() -> None:
    assert "is not CSV" in refused('prompt\n"A fox\nA hen\n')


def test_a_million_lines_are_refused_without_reading_them_all() -> None:
    content = b"prompt\n" + b"fox\n" * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError, match="at most"):
            spreadsheets.read(content, "file.csv", {})
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * 2**20  # the text itself, and not a million orders


def test_as_many_as_may_be_are_read() -> None:
    content = "prompt\n" + "fox\n" * spreadsheets.MOST
    assert len(spreadsheets.read(content.encode(), "file.csv", {})) == spreadsheets.MOST
    assert "at most" in refused(f"prompt,count\nfox,{spreadsheets.MOST}\nhen,1\n")
    assert "at most" in refused("prompt,count\nfox,999999999999\n")


@pytest.mark.parametrize("name", ["profile_version", "run", "requested_by", "status", "extra"])
def test_no_column_reaches_what_people_may_not_set(name: str) -> None:
    assert "means nothing here" in refused(f"prompt,{name}\nfox,1\n")


def test_what_is_asked_for_twice_is_counted() -> None:
    content = "prompt,count,seed\nfox,3,\nhen,1,\nfox,1,\nfox,1,7\nhen,2,\n"
    bill = spreadsheets.check(spreadsheets.read(content.encode(), "file.csv", {}))
    assert len(bill.requests) == 8
    assert spreadsheets.repeated(bill) == 2

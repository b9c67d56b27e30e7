from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideogram_django.apiframe import catalogue
from ideogram_django.apiframe.catalogue import CleanRequest, clean_request, credits_for, get_model
from ideogram_django.exceptions import InvalidRequest

V4, V3, V2 = "ideogram-v4-turbo", "ideogram-v3-turbo", "ideogram-v2a-turbo"
PRICES = {"ideogram-v2": 8, "ideogram-next": {"default": 4, "quality": 9}}
PICTURE = "https://example.com/picture.png"


def clean(prompt="A red fox", model=V4, *, prices=PRICES, **parameters) -> CleanRequest:
    return clean_request(prompt=prompt, model=model, parameters=parameters, prices=prices)


def problems(*args, **kwargs) -> dict[str, list[str]]:
    """The codes of the problems by field."""
    with pytest.raises(InvalidRequest) as raised:
        clean(*args, **kwargs)
    str(raised.value)  # every gap of every message is filled
    return {name: [one.code for one in found] for name, found in raised.value.problems.items()}


def sentence(*args, **kwargs) -> str:
    """The one problem's sentence."""
    with pytest.raises(InvalidRequest) as raised:
        clean(*args, **kwargs)
    ((problem,),) = raised.value.problems.values()
    return str(problem)


# --- models and prices --------------------------------------------------------------------------


def test_the_ten_models_are_known():
    assert list(catalogue.MODELS) == [
        "ideogram-v4-turbo",
        "ideogram-v4-balanced",
        "ideogram-v4-quality",
        "ideogram-v3-turbo",
        "ideogram-v3-balanced",
        "ideogram-v3-quality",
        "ideogram-v2",
        "ideogram-v2-turbo",
        "ideogram-v2a",
        "ideogram-v2a-turbo",
    ]
    assert get_model("ideogram-v2a-turbo").label == "Ideogram v2a Turbo"
    assert [get_model(f"ideogram-v4-{name}").tier for name in ("turbo", "balanced", "quality")] == [
        "draft",
        "balanced",
        "quality",
    ]


def test_only_models_with_a_known_price_are_offered():
    offered = {model.id: model.credits for model in catalogue.offered_models({})}
    assert offered == {
        "ideogram-v4-turbo": 3,
        "ideogram-v4-balanced": 6,
        "ideogram-v4-quality": 10,
        "ideogram-v3-turbo": 3,
        "ideogram-v2a-turbo": 3,
    }


def test_the_sites_prices_override_and_add():
    prices = {V4: 5, "ideogram-v2": 8, "ideogram-next": {"turbo": 2, "quality": 9}}
    offered = {model.id: model.credits for model in catalogue.offered_models(prices)}
    assert offered[V4] == 5
    assert offered["ideogram-v2"] == 8
    assert offered["ideogram-next"] == 9
    assert get_model("ideogram-next", prices).label == "ideogram-next"
    assert len(offered) == 7


@pytest.mark.parametrize(
    ("model", "speed", "prices", "credits"),
    [
        (V4, "", {}, 3),
        (V4, "quality", {}, 3),
        (V4, "", {V4: 0}, 0),
        (V4, "", {V4: {"default": 3, "quality": 5}}, 3),
        (V4, "quality", {V4: {"default": 3, "quality": 5}}, 5),
        (V4, "turbo", {V4: {"default": 3, "quality": 5}}, None),
        ("ideogram-v2", "", {}, None),
        ("ideogram-v2", "turbo", {"ideogram-v2": 8}, 8),
        ("nothing", "", {}, None),
        ("ideogram-character", "", {"ideogram-character": 15}, None),
        (V4, "", {V4: -1}, None),
        (V4, "", {V4: True}, None),
        (V4, "", {V4: "3"}, None),
    ],
)
def test_credits_for(model, speed, prices, credits):
    assert credits_for(model, speed, prices) == credits


def test_an_unpriced_model_cannot_be_ordered():
    assert problems(model="ideogram-v3-quality") == {"model": ["price_unknown"]}
    assert problems(model="ideogram-next", rendering_speed="turbo") == {
        "rendering_speed": ["price_unknown"]
    }
    assert clean(model="ideogram-next", rendering_speed="quality").credits == 9


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(InvalidRequest) as raised:
        get_model("Ideogram-V4-Turbos")
    (problem,) = raised.value.problems["model"]
    assert problem.code == "unknown_model"
    assert problem.params["nearest"].split(", ")[0] == "ideogram-v4-turbo"
    assert "ideogram-v4-balanced" in sentence(model="midjourney-7000-xxxxxxxxxxxxxxxxx")
    assert problems(model="ideogram-v3") == {"model": ["unknown_model"]}


@pytest.mark.parametrize("model", ["", None, 4, ["ideogram-v4-turbo"], "\ud800", "x" * 10_000])
def test_a_model_that_is_no_id_is_a_problem(model):
    assert list(problems(model=model)) == ["model"]


def test_the_character_model_is_not_offered_at_any_price():
    prices = {"ideogram-character": 15}
    assert problems(model="ideogram-character", prices=prices) == {"model": ["unsupported_model"]}
    assert "ideogram-character" not in [m.id for m in catalogue.offered_models(prices)]


def test_v4_pixels_have_the_shape_they_are_listed_under():
    shapes = get_model(V4).shapes
    assert len(shapes) == 21
    assert len({shape.ratio for shape in shapes}) == 21
    for shape in shapes:
        assert Fraction(shape.width, shape.height) == Fraction(*map(int, shape.ratio.split(":")))
    wide = get_model(V4).shape("16:9")
    assert (wide.width, wide.height) == (2560, 1440)


def test_what_a_model_may_ignore_is_told():
    model = get_model(V4)
    assert model.may_ignore("seed", 5)
    assert model.may_ignore("magic_prompt_option", "Off")
    assert not model.may_ignore("magic_prompt_option", "On")
    assert not model.may_ignore("resolution")
    assert not get_model(V3).may_ignore("seed")
    assert get_model(V3).may_ignore("negative_prompt")


def test_parameters_of_a_model():
    assert get_model(V4).parameters["style_type"] == ("AUTO", "GENERAL", "REALISTIC", "DESIGN")
    assert "reference_image" in get_model(V4).parameters
    assert "reference_image" not in get_model(V3).parameters
    assert "Render_3d" in get_model(V2).parameters["style_type"]


# --- requests -----------------------------------------------------------------------------------


def test_only_what_was_set_is_kept():
    request = clean(
        style_type="",
        negative_prompt=None,
        style_reference_images=[],
        seed=0,
        aspect_ratio="16:9",
        resolution="",
    )
    assert request == CleanRequest(
        prompt="A red fox", model=V4, parameters={"seed": 0, "aspect_ratio": "16:9"}, credits=3
    )


def test_every_parameter_at_once():
    given = {
        "style_type": "DESIGN",
        "magic_prompt_option": "Off",
        "negative_prompt": "blur",
        "rendering_speed": "quality",
        "seed": 2147483647,
        "resolution": "1024x1024",
        "reference_image": PICTURE,
        "style_reference_images": [PICTURE] * 3,
        "style_preset": "Pop Art",
    }
    assert clean(**given).parameters == given


def test_all_problems_are_told_at_once():
    assert problems(
        prompt=" ",
        style_type="WILD",
        seed=-1,
        aspect_ratio="7:7",
        resolution="big",
        reference_image="http://example.com/",
        nonsense=1,
    ) == {
        "prompt": ["required"],
        "style_type": ["invalid_choice"],
        "seed": ["out_of_range"],
        "aspect_ratio": ["invalid_choice"],
        "resolution": ["invalid_format", "conflict"],
        "reference_image": ["not_a_url"],
        "nonsense": ["unknown_parameter"],
    }


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("", "required"),
        (" \n\t\u2003", "required"),
        (None, "not_text"),
        (b"bytes", "not_text"),
        ("a" * 2001, "too_long"),
        ("🦊" * 1001, "too_long"),
        ("nul \x00", "control_characters"),
        ("bell \x07", "control_characters"),
        ("C1 \x85", "control_characters"),
        ("half \ud83e", "invalid_characters"),
    ],
)
def test_prompts_that_cannot_be_sent(prompt, code):
    assert problems(prompt=prompt) == {"prompt": [code]}


@pytest.mark.parametrize("prompt", ["a" * 2000, "🦊" * 1000, "tab\tand\nline", "👩‍🚀 é ـ \u202e"])
def test_prompts_that_can_be_sent(prompt):
    assert clean(prompt).prompt == prompt


def test_line_ends_of_forms_become_plain_and_count_once():
    text = "a\r\n" * 1000
    assert clean(text).prompt == "a\n" * 1000
    assert clean(negative_prompt="a\r\nb\rc").parameters == {"negative_prompt": "a\nb\nc"}


@pytest.mark.parametrize(
    ("model", "style", "expected"),
    [(V3, "AUTO", "Auto"), (V4, "Auto", "AUTO"), (V2, "render_3D", "Render_3d")],
)
def test_another_spelling_of_a_style_is_told_not_corrected(model, style, expected):
    assert problems(model=model, style_type=style) == {"style_type": ["wrong_spelling"]}
    assert f"“{expected}”, not “{style}”" in sentence(model=model, style_type=style)


def test_a_wrong_choice_is_answered_with_the_choices_and_the_nearest():
    told = sentence(style_type="REALISTICAL")
    assert "Did you mean “REALISTIC”?" in told
    assert "AUTO, GENERAL, REALISTIC, DESIGN" in told


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("style_type", 1, "invalid_choice"),
        ("style_type", ["AUTO"], "invalid_choice"),
        ("magic_prompt_option", "ON", "wrong_spelling"),
        ("magic_prompt_option", "Maybe", "invalid_choice"),
        ("rendering_speed", "Turbo", "wrong_spelling"),
        ("rendering_speed", "fast", "invalid_choice"),
        ("seed", True, "not_an_integer"),
        ("seed", 1.0, "not_an_integer"),
        ("seed", "1", "not_an_integer"),
        ("seed", -1, "out_of_range"),
        ("seed", 2147483648, "out_of_range"),
        ("aspect_ratio", "16x9", "invalid_choice"),
        ("aspect_ratio", "16:10", "invalid_choice"),
        ("resolution", "1024X1024", "invalid_format"),
        ("resolution", "1024x1024 ", "invalid_format"),
        ("resolution", "1024x1024\n", "invalid_format"),
        ("resolution", "1024", "invalid_format"),
        ("resolution", "0x1024", "invalid_format"),
        pytest.param("resolution", 1024, "invalid_format", id="resolution as a number"),
        ("negative_prompt", "a" * 2001, "too_long"),
        ("negative_prompt", "\x00", "control_characters"),
        ("negative_prompt", 5, "not_text"),
        ("style_preset", "a" * 101, "too_long"),
        ("style_preset", {"name": "Pop Art"}, "not_text"),
        ("style_reference_images", PICTURE, "not_a_list"),
        ("style_reference_images", [PICTURE] * 4, "too_many"),
        ("style_reference_images", ["no"], "not_a_url"),
        ("style_reference_images", [None], "not_a_url"),
    ],
)
def test_values_that_v4_does_not_take(name, value, code):
    assert problems(**{name: value}) == {name: [code]}


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "//example.com/a.png",
        "https:///a.png",
        "https://",
        "https://user:word@example.com/",
        "https://@example.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example.com\\@evil.test/",
        "https://exämple.com/",
        "https://example.com/%zz",
        "https://example.com/" + "a" * 2000,
        "data:image/png;base64,AAAA",
        5,
    ],
)
def test_addresses_that_are_none(address):
    assert problems(reference_image=address) == {"reference_image": ["not_a_url"]}


def test_older_models_would_paint_over_the_reference():
    assert problems(model=V3, reference_image=PICTURE) == {"reference_image": ["inpainting_source"]}
    assert problems(model=V2, reference_image=PICTURE) == {"reference_image": ["inpainting_source"]}


def test_shape_and_size_exclude_each_other():
    assert problems(aspect_ratio="1:1", resolution="512x512") == {"resolution": ["conflict"]}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("aspect", "aspect_ratio"),
        ("image", "reference_image"),
        ("stile_type", "style_type"),
        ("num_images", None),
    ],
)
def test_an_unknown_parameter_is_answered_with_the_nearest(name, nearest):
    assert problems(**{name: "x"}) == {name: ["unknown_parameter"]}
    if nearest:
        assert f"Did you mean {nearest}" in sentence(**{name: "x"})


def test_a_model_that_the_site_added_takes_the_common_schema():
    request = clean(
        model="ideogram-next",
        style_type="Whatever",
        aspect_ratio="7:5",
        reference_image=PICTURE,
        magic_prompt_option="On",
    )
    assert request.credits == 4
    assert problems(model="ideogram-next", aspect_ratio="wide", magic_prompt_option="on") == {
        "aspect_ratio": ["invalid_format"],
        "magic_prompt_option": ["wrong_spelling"],
    }


@given(
    prompt=st.text(),
    model=st.sampled_from([V4, V3, V2, "ideogram-next"]),
    parameters=st.dictionaries(
        st.sampled_from(catalogue.PARAMETERS) | st.text(),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.integers()),
    ),
)
def test_any_request_is_clean_or_invalid_with_readable_problems(prompt, model, parameters):
    request, told = None, {}
    try:
        request = clean_request(prompt=prompt, model=model, parameters=parameters, prices=PRICES)
    except InvalidRequest as invalid:
        told = invalid.problems
        str(invalid).encode()
    if request is None:
        assert told
        assert all(told.values())
    else:
        assert set(request.parameters) <= set(catalogue.PARAMETERS)

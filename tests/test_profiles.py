"""Prompt profiles: what is fixed, what is remembered, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ideogram_django.models import Charge, GeneratedImage, ProfileVersion, PromptProfile

pytestmark = pytest.mark.django_db


def season(number: int = 1, **values: Any) -> ProfileVersion:
    profile, _made = PromptProfile.objects.get_or_create(name="season")
    defaults = {
        "prefix": "Risograph print.",
        "suffix": "Two colours on off-white paper.",
        "style_type": "DESIGN",
        "aspect_ratio": "3:2",
    }
    return ProfileVersion.objects.create(profile=profile, number=number, **{**defaults, **values})


def test_a_picture_remembers_profile_version_and_both_texts():
    season()

    image = GeneratedImage.objects.generate("A harbour", profile="season")

    assert image.prompt == "Risograph print. A harbour Two colours on off-white paper."
    assert image.typed_prompt == "A harbour"
    assert (image.profile, image.profile_version) == ("season", 1)
    assert (image.style_type, image.aspect_ratio) == ("DESIGN", "3:2")


def test_the_newest_version_is_used_and_old_pictures_keep_theirs():
    season()
    old = GeneratedImage.objects.generate("A harbour", profile="season")
    season(2, prefix="Linocut.")

    new = GeneratedImage.objects.generate("A harbour", profile="season")

    old.refresh_from_db()
    assert (old.profile_version, new.profile_version) == (1, 2)
    assert new.prompt.startswith("Linocut. A harbour")
    assert list(GeneratedImage.objects.filter(profile="season", profile_version=1)) == [old]


def test_a_template_with_the_prompt_in_it_frames_what_is_typed():
    season(prefix="", suffix="", template="{prompt}, seen from above")

    image = GeneratedImage.objects.generate("A harbour", profile="season")

    assert image.prompt == "A harbour, seen from above"


def test_braces_in_a_typed_prompt_stay_braces():
    season(prefix="", suffix="", template="{prompt}, seen from above")

    image = GeneratedImage.objects.generate("{prompt} {title}", profile="season")

    assert image.prompt == "{prompt} {title}, seen from above"


def test_variations_and_a_better_model_remember_it_and_are_not_composed_again():
    season(model="ideogram-v4-turbo")
    image = GeneratedImage.objects.generate("A harbour", profile="season")
    season(2, prefix="Linocut.")

    final = image.rerender(model="ideogram-v4-quality")
    more = image.variations(2)

    for one in (final, *more):
        assert one.prompt == image.prompt
        assert one.typed_prompt == "A harbour"
        assert (one.profile, one.profile_version) == ("season", 1)


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"profile": "nothing"}, "profile", "no prompt profile “nothing”"),
        ({"profile": "resting"}, "profile", "“resting” is not in use"),
        ({"profile": "season", "style_type": "REALISTIC"}, "style_type", "fixes this to “DESIGN”"),
        ({"profile": "season", "aspect_ratio": "1:1"}, "aspect_ratio", "fixes this to “3:2”"),
    ],
)
def test_what_does_not_go_with_the_profile_is_refused_and_costs_nothing(options, field, words):
    season()
    resting = PromptProfile.objects.create(name="resting", is_active=False)
    ProfileVersion.objects.create(profile=resting, number=1)

    with pytest.raises(ValidationError) as refused:
        GeneratedImage.objects.generate("A harbour", **options)

    assert words in refused.value.message_dict[field][0]
    assert GeneratedImage.objects.count() == Charge.objects.count() == 0


def test_what_the_profile_fixes_may_be_said_again():
    season()
    image = GeneratedImage.objects.generate("A harbour", profile="season", style_type="DESIGN")
    assert image.style_type == "DESIGN"


def test_nothing_typed_is_refused_although_the_profile_has_words():
    season()
    with pytest.raises(ValidationError) as refused:
        GeneratedImage.objects.generate("  ", profile="season")
    assert "prompt" in refused.value.message_dict


def test_a_version_never_changes():
    version = season()
    version.prefix = "Something else."
    with pytest.raises(TypeError, match="add the next one"):
        version.save()
    version.refresh_from_db()
    assert version.prefix == "Risograph print."


def test_many_pictures_look_a_profile_up_once(django_assert_num_queries):
    season()
    requests = [{"prompt": f"Harbour {number}", "profile": "season"} for number in range(5)]
    with django_assert_num_queries(1) as asked:
        from ideogram_django import conf
        from ideogram_django.lifecycle import wishes

        wishes.check_all(requests, conf.current())
    assert "profileversion" in asked.captured_queries[0]["sql"]

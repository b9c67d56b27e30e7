"""Whether a value can work, found out before anything is written or spent.

Each check returns the value to send and the problems with it. Messages are message ids for
translation; ``ideogram_django.exceptions.Problem`` fills their gaps.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from urllib.parse import urlsplit

from ideogram_django.apiframe.lineup import (
    MAX_PROMPT,
    MAX_SEED,
    MAX_STYLE_REFERENCES,
    Model,
)
from ideogram_django.exceptions import Problem

Checked = tuple[object, list[Problem]]

MAX_URL = 2000
MAX_PRESET = 100

_RATIO = re.compile(r"[1-9][0-9]?:[1-9][0-9]?", re.ASCII)
_RESOLUTION = re.compile(r"[1-9][0-9]{1,4}x[1-9][0-9]{1,4}", re.ASCII)
_URI_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


def _(message: str) -> str:
    """Mark a message for translation; it is translated where it is shown."""
    return message


def is_unset(value: object) -> bool:
    """None, an empty text or an empty list: the caller did not set this (0 is set)."""
    return value is None or (isinstance(value, str | list | tuple) and not value)


def listed(values: Sequence[str]) -> str:
    return ", ".join(values)


def shown(value: object) -> str:
    """A value as part of a sentence: short and printable."""
    text = str(value).encode("utf-8", "replace").decode()
    short = text if len(text) <= 60 else f"{text[:59]}…"
    return "".join(char if char.isprintable() else "�" for char in short)


def nearest(value: object, names: Sequence[str]) -> list[str]:
    """The names that look most like the value, without regard to case; the best first."""
    by_fold = {name.casefold(): name for name in names}
    # Matching is quadratic in the length, and no name is longer than this.
    found = get_close_matches(str(value)[:100].casefold(), by_fold, n=3, cutoff=0.6)
    return [by_fold[fold] for fold in found]


def utf16_length(text: str) -> int:
    """UTF-16 code units, as JavaScript and the API count: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def prompt(value: object) -> tuple[str, list[Problem]]:
    """Text of 1 to ``MAX_PROMPT`` UTF-16 code units that is not all blanks.

    Line ends become ``\\n`` (forms send ``\\r\\n``); otherwise it is left as it is.
    """
    if not isinstance(value, str):
        return "", [Problem("not_text", _("This must be text."))]
    if not value.strip():
        return "", [Problem("required", _("Describe the picture that you want."))]
    return _plain_text(value, MAX_PROMPT)


def _plain_text(value: str, maximum: int) -> tuple[str, list[Problem]]:
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    problems = []
    length = utf16_length(text)
    if length > maximum:
        message = _(
            "This is %(length)d characters long; the provider takes %(maximum)d, and counts "
            "most emoji as two."
        )
        problems.append(Problem("too_long", message, {"length": length, "maximum": maximum}))
    categories = {unicodedata.category(char) for char in text if char not in "\n\t"}
    if "Cc" in categories:
        message = _("This contains control characters. Type it again, or paste it as plain text.")
        problems.append(Problem("control_characters", message))
    if "Cs" in categories:
        message = _("This contains half of a character. Type it again.")
        problems.append(Problem("invalid_characters", message))
    return text, problems


def parameter(model: Model, name: str, value: object) -> Checked:
    """Check one parameter that is set, against what this model takes."""
    return _CHECKS[name](model, value)


def _choice(model: Model, value: object, choices: Sequence[str]) -> list[Problem]:
    if isinstance(value, str) and value in choices:
        return []
    same = [choice for choice in choices if choice.casefold() == str(value)[:100].casefold()]
    gaps = {"value": shown(value), "model": model.label, "choices": listed(choices)}
    if same:
        message = _("%(model)s spells this “%(expected)s”, not “%(value)s”.")
        return [Problem("wrong_spelling", message, {**gaps, "expected": same[0]})]
    near = nearest(value, choices)
    if near:
        message = _(
            "%(model)s does not know “%(value)s”. Did you mean “%(nearest)s”? It takes: "
            "%(choices)s."
        )
        return [Problem("invalid_choice", message, {**gaps, "nearest": near[0]})]
    message = _("%(model)s does not know “%(value)s”. It takes: %(choices)s.")
    return [Problem("invalid_choice", message, gaps)]


def _chosen(name: str) -> Callable[[Model, object], Checked]:
    def check(model: Model, value: object) -> Checked:
        choices = model.parameters[name]
        if choices:
            return value, _choice(model, value, choices)
        return _text(model, value)

    return check


def _aspect_ratio(model: Model, value: object) -> Checked:
    if model.aspect_ratios:
        return value, _choice(model, value, model.aspect_ratios)
    if isinstance(value, str) and _RATIO.fullmatch(value):
        return value, []
    message = _("Write the shape as width:height, for example 16:9.")
    return value, [Problem("invalid_format", message)]


def _resolution(model: Model, value: object) -> Checked:
    if isinstance(value, str) and _RESOLUTION.fullmatch(value):
        return value, []
    message = _("Write the size as WIDTHxHEIGHT in pixels, for example 1024x1024.")
    return value, [Problem("invalid_format", message)]


def _seed(model: Model, value: object) -> Checked:
    # bool is an int to Python and a boolean to JSON; a float would be refused by the API.
    if isinstance(value, bool) or not isinstance(value, int):
        return value, [Problem("not_an_integer", _("The seed must be a whole number."))]
    if not 0 <= value <= MAX_SEED:
        message = _("The seed must be from 0 to %(maximum)d.")
        return value, [Problem("out_of_range", message, {"maximum": MAX_SEED})]
    return value, []


def _text(model: Model, value: object, maximum: int = MAX_PRESET) -> Checked:
    if not isinstance(value, str):
        return value, [Problem("not_text", _("This must be text."))]
    return _plain_text(value, maximum)


def _negative_prompt(model: Model, value: object) -> Checked:
    # The API names no limit; ours is the prompt's.
    return _text(model, value, MAX_PROMPT)


def _reference_image(model: Model, value: object) -> Checked:
    if not model.takes_reference_image:
        message = _(
            "%(model)s has no reference picture: it would paint over this one instead. Use a v4 "
            "model."
        )
        return value, [Problem("inpainting_source", message, {"model": model.label})]
    return value, _address(value)


def _style_reference_images(model: Model, value: object) -> Checked:
    if not isinstance(value, list | tuple):
        return value, [Problem("not_a_list", _("Give the style pictures as a list of addresses."))]
    problems = []
    if len(value) > MAX_STYLE_REFERENCES:
        message = _("At most %(maximum)d style pictures are possible.")
        problems.append(Problem("too_many", message, {"maximum": MAX_STYLE_REFERENCES}))
    for address in value[:MAX_STYLE_REFERENCES]:
        problems.extend(_address(address))
    return list(value), problems


def _address(value: object) -> list[Problem]:
    """An https URI by its syntax; whether its host may be asked is checked where it is fetched."""
    if isinstance(value, str) and len(value) <= MAX_URL and _URI_CHARACTERS.fullmatch(value):
        try:
            parts = urlsplit(value)
            sound = bool(parts.hostname) and parts.username is None and parts.port != 0
        except ValueError:  # a port or an IPv6 address that is none
            sound = False
        if sound and parts.scheme == "https":
            return []
    message = _("“%(value)s” is not an address that starts with https://.")
    return [Problem("not_a_url", message, {"value": shown(value)})]


_CHECKS: dict[str, Callable[[Model, object], Checked]] = {
    "style_type": _chosen("style_type"),
    "magic_prompt_option": _chosen("magic_prompt_option"),
    "negative_prompt": _negative_prompt,
    "rendering_speed": _chosen("rendering_speed"),
    "seed": _seed,
    "aspect_ratio": _aspect_ratio,
    "resolution": _resolution,
    "reference_image": _reference_image,
    "style_reference_images": _style_reference_images,
    "style_preset": _text,
}

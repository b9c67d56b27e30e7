"""What can be ordered and what it costs: the provider's models, and this site's prices for them.

``prices`` is the site's own word on credits, by model id: one number, or a number per rendering
speed. It overrides the built-in price and may add ids that the catalogue does not know; such a
model accepts the schema that all Ideogram models share. Nothing here reads settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ideogram_django.apiframe import checking
from ideogram_django.apiframe.checking import listed, nearest, shown
from ideogram_django.apiframe.lineup import (
    DEFAULT_SPEED,
    MAGIC_PROMPT_OPTIONS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STYLE_REFERENCES,
    MODELS,
    PARAMETERS,
    RENDERING_SPEEDS,
    UNSUPPORTED,
    Model,
    Shape,
)
from ideogram_django.exceptions import InvalidRequest, Problem

__all__ = [
    "MAGIC_PROMPT_OPTIONS",
    "MAX_PROMPT",
    "MAX_SEED",
    "MAX_STYLE_REFERENCES",
    "MODELS",
    "PARAMETERS",
    "RENDERING_SPEEDS",
    "CleanRequest",
    "Model",
    "Prices",
    "Shape",
    "SitePrices",
    "clean_request",
    "credits_for",
    "get_model",
    "offered_models",
]

Prices = Mapping[str, int | Mapping[str, int]]
LastWord = Callable[[str, str, int | None], int | None]
"""From model id, rendering speed and what the lists say, to what it costs."""


class SitePrices(Prices):
    """A site's list of prices, and its code that has the last word on each."""

    def __init__(self, listed: Prices, last_word: LastWord) -> None:
        self._listed = listed
        self.last_word = last_word
        self.found: dict[str, Model] = {}
        """What :func:`get_model` made of these prices, for the next of many requests."""

    def __getitem__(self, model_id: str) -> int | Mapping[str, int]:
        return self._listed[model_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def _(message: str) -> str:
    """Mark a message for translation; it is translated where it is shown."""
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRequest:
    """A request that can be sent. ``parameters`` holds only what was set, in JSON's own types."""

    prompt: str
    model: str
    parameters: Mapping[str, object]
    credits: int


def credits_for(model_id: str, rendering_speed: str, prices: Prices) -> int | None:
    """Credits for one picture; None where the price is not known, so that it is not offered.

    ``rendering_speed`` may be empty: the API's ``default`` then. Where the site prices a model by
    speed, a speed that it does not name has no known price.
    """
    if model_id in UNSUPPORTED:
        return None
    speed = rendering_speed or DEFAULT_SPEED
    listed = _listed_credits(model_id, speed, prices)
    if isinstance(prices, SitePrices):
        return _sound(prices.last_word(model_id, speed, listed))
    return listed


def _listed_credits(model_id: str, speed: str, prices: Prices) -> int | None:
    price = prices.get(model_id)
    if isinstance(price, Mapping):
        return _sound(price.get(speed))
    if price is not None:
        return _sound(price)
    known = MODELS.get(model_id)
    return known.credits if known else None


def get_model(model_id: str, prices: Prices | None = None) -> Model:
    """The model with this id, priced. Raises ``InvalidRequest`` (field ``model``) for another id.

    A model without a known price is returned too, with ``credits`` None.
    """
    prices = {} if prices is None else prices
    found = prices.found if isinstance(prices, SitePrices) else {}
    if isinstance(model_id, str) and model_id in found:
        return found[model_id]
    names = [name for name in (*MODELS, *prices) if name not in UNSUPPORTED]
    if not isinstance(model_id, str) or model_id not in names:
        raise InvalidRequest({"model": [_no_such_model(model_id, list(dict.fromkeys(names)))]})
    model = MODELS.get(model_id) or Model(id=model_id, label=model_id)
    found[model_id] = replace(model, credits=_shown_credits(model_id, prices))
    return found[model_id]


def offered_models(prices: Prices) -> tuple[Model, ...]:
    """The models with a known price, the catalogue's first, then the site's own."""
    names = dict.fromkeys(name for name in (*MODELS, *prices) if name not in UNSUPPORTED)
    models = (get_model(name, prices) for name in names)
    return tuple(model for model in models if model.credits is not None)


def clean_request(
    *, prompt: str, model: str, parameters: Mapping[str, object], prices: Prices
) -> CleanRequest:
    """Check a whole request and price it.

    None, ``""`` and ``[]`` count as not set. Values are never corrected, except that line ends
    become ``\\n``. Raises ``InvalidRequest`` with every problem that was found, by field.
    """
    problems: dict[str, list[Problem]] = {}
    text, problems["prompt"] = checking.prompt(prompt)
    wanted = {name: value for name, value in parameters.items() if not checking.is_unset(value)}
    for name in wanted:
        if name not in PARAMETERS:
            problems[name] = [_no_such_parameter(name)]
    clean: dict[str, object] = {}
    credits = None
    try:
        found = get_model(model, prices)
    except InvalidRequest as invalid:
        problems.update(invalid.problems)
    else:
        for name in PARAMETERS:
            if name in wanted:
                clean[name], problems[name] = checking.parameter(found, name, wanted[name])
        if not problems.get("rendering_speed"):
            credits = credits_for(model, str(clean.get("rendering_speed", "")), prices)
            _check_price(found, credits, clean, problems)
    if "aspect_ratio" in wanted and "resolution" in wanted:
        message = _("Choose a shape or a size, not both.")
        problems.setdefault("resolution", []).append(Problem("conflict", message))
    problems = {name: told for name, told in problems.items() if told}
    if problems or credits is None:
        raise InvalidRequest(problems)
    return CleanRequest(prompt=text, model=model, parameters=clean, credits=credits)


def _sound(price: object) -> int | None:
    """A number of credits, or None for what is none (system checks complain about those)."""
    sound = isinstance(price, int) and not isinstance(price, bool) and price >= 0
    return price if sound else None  # type: ignore[return-value]


def _shown_credits(model_id: str, prices: Prices) -> int | None:
    """The price at the default speed, else the highest that is known."""
    default = credits_for(model_id, DEFAULT_SPEED, prices)
    if default is not None:
        return default
    known = (credits_for(model_id, speed, prices) for speed in RENDERING_SPEEDS)
    return max((price for price in known if price is not None), default=None)


def _check_price(
    model: Model,
    credits: int | None,
    clean: Mapping[str, object],
    problems: dict[str, list[Problem]],
) -> None:
    if credits is not None:
        return
    if model.credits is None:
        message = _("The price of %(model)s is not known, so it is not offered.")
        problem = Problem("price_unknown", message, {"model": model.label})
        problems.setdefault("model", []).append(problem)
        return
    speed = str(clean.get("rendering_speed", DEFAULT_SPEED))
    message = _("The price of %(model)s at the speed “%(speed)s” is not known.")
    problem = Problem("price_unknown", message, {"model": model.label, "speed": speed})
    problems.setdefault("rendering_speed", []).append(problem)


def _no_such_model(model_id: object, names: list[str]) -> Problem:
    gaps = {"value": shown(model_id), "choices": listed(names)}
    if not model_id:
        return Problem("required", _("Choose a model."))
    if isinstance(model_id, str) and model_id in UNSUPPORTED:
        message = _("%(value)s needs a picture of a character, which this site cannot send.")
        return Problem("unsupported_model", message, gaps)
    near = nearest(model_id, names)
    if near:
        message = _("There is no model “%(value)s”. Did you mean %(nearest)s?")
        return Problem("unknown_model", message, {**gaps, "nearest": listed(near)})
    message = _("There is no model “%(value)s”. There are: %(choices)s.")
    return Problem("unknown_model", message, gaps)


def _no_such_parameter(name: str) -> Problem:
    # The API's own name would look like a typo of nothing.
    near = ["reference_image"] if name == "image" else nearest(name, PARAMETERS)
    gaps = {"value": shown(name), "choices": listed(PARAMETERS)}
    if near:
        message = _("There is no parameter “%(value)s”. Did you mean %(nearest)s?")
        return Problem("unknown_parameter", message, {**gaps, "nearest": listed(near)})
    message = _("There is no parameter “%(value)s”. There are: %(choices)s.")
    return Problem("unknown_parameter", message, gaps)

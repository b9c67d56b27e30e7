"""The ten Ideogram models: what each accepts, what it may ignore, what it costs.

Facts, no checks. Sources: Apiframe API reference (Images) for the shared schema, its older model
pages for v2a and v3, its product page for v4, the upstream model's page for v4's sizes and for
what it has no input for. ``ideogram-character`` is not among them: it cannot do without
``character_reference_image``, which is none of our parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

PARAMETERS = (
    "style_type",
    "magic_prompt_option",
    "negative_prompt",
    "rendering_speed",
    "seed",
    "aspect_ratio",
    "resolution",
    "reference_image",
    "style_reference_images",
    "style_preset",
)
"""Every parameter beside prompt and model, in the order in which problems are told."""

MAX_PROMPT = 2000
"""UTF-16 code units: the API validates with Zod, whose ``max`` is JavaScript's ``length``."""
MAX_SEED = 2147483647
MAX_STYLE_REFERENCES = 3
MAGIC_PROMPT_OPTIONS = ("Auto", "On", "Off")
RENDERING_SPEEDS = ("default", "turbo", "quality")
DEFAULT_SPEED = "default"
"""What the API takes where no rendering speed is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An aspect ratio; pixels of the result where they are known."""

    ratio: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the provider.

    ``tier`` is "draft", "balanced", "quality" or "". ``credits`` is the price of one picture;
    None means that it is not known, and such a model is not offered. ``typical_seconds`` is the
    provider's own average. Empty ``style_types`` or ``shapes``: any value may be tried.
    """

    id: str
    label: str
    tier: str = ""
    credits: int | None = None
    typical_seconds: int | None = None
    style_types: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    style_presets: tuple[str, ...] = ()
    """Examples only: the provider publishes no full list."""
    takes_reference_image: bool = True
    """False where the API's ``image`` is the picture to paint over, not one to look at."""
    ignorable: frozenset[str] = frozenset()
    """Parameters that the API accepts and the model may silently ignore."""
    ignorable_values: frozenset[tuple[str, str]] = frozenset()
    """Single values of which the same holds."""

    @property
    def aspect_ratios(self) -> tuple[str, ...]:
        return tuple(shape.ratio for shape in self.shapes)

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The accepted parameters and their values; none listed: text, a number or an address."""
        values = {
            "style_type": self.style_types,
            "magic_prompt_option": MAGIC_PROMPT_OPTIONS,
            "rendering_speed": RENDERING_SPEEDS,
            "aspect_ratio": self.aspect_ratios,
        }
        return {
            name: values.get(name, ())
            for name in PARAMETERS
            if name != "reference_image" or self.takes_reference_image
        }

    def may_ignore(self, parameter: str, value: object = None) -> bool:
        """Whether setting this parameter (to this value) may change nothing."""
        return parameter in self.ignorable or (parameter, value) in self.ignorable_values

    def shape(self, ratio: str) -> Shape | None:
        """The shape with this aspect ratio, as written in ``aspect_ratios``."""
        return next((shape for shape in self.shapes if shape.ratio == ratio), None)


def _v4_shapes() -> tuple[Shape, ...]:
    """The upstream model's sizes, the usual shapes first; each but the square in both ways."""
    upright = (
        ("9:16", 1440, 2560),
        ("3:4", 1728, 2304),
        ("2:3", 1664, 2496),
        ("4:5", 1792, 2240),
        ("1:2", 1440, 2880),
        ("5:8", 1600, 2560),
        ("3:8", 1248, 3328),
        ("5:12", 1280, 3072),
        ("9:22", 1296, 3168),
        ("9:23", 1152, 2944),
    )
    shapes = [Shape(ratio="1:1", width=2048, height=2048)]
    for ratio, width, height in upright:
        turned = ":".join(reversed(ratio.split(":")))
        shapes.append(Shape(ratio=turned, width=height, height=width))
        shapes.append(Shape(ratio=ratio, width=width, height=height))
    return tuple(shapes)


def _shapes(ratios: str) -> tuple[Shape, ...]:
    return tuple(Shape(ratio=ratio) for ratio in ratios.split())


_PRESETS = ("80s Illustration", "Art Deco", "Bauhaus", "Pop Art", "Watercolor")


def _v4(name: str, tier: str, price: int, typical_seconds: int | None) -> Model:
    return Model(
        id=f"ideogram-v4-{name.lower()}",
        label=f"Ideogram v4 {name}",
        tier=tier,
        credits=price,
        typical_seconds=typical_seconds,
        style_types=("AUTO", "GENERAL", "REALISTIC", "DESIGN"),
        shapes=_v4_shapes(),
        style_presets=_PRESETS,
        # The upstream model takes a prompt and a resolution, and always rewrites the prompt.
        ignorable=frozenset(PARAMETERS) - {"resolution", "magic_prompt_option"},
        ignorable_values=frozenset({("magic_prompt_option", "Off")}),
    )


def _v3(name: str, tier: str, price: int | None, typical_seconds: int | None = None) -> Model:
    return Model(
        id=f"ideogram-v3-{name.lower()}",
        label=f"Ideogram v3 {name}",
        tier=tier,
        credits=price,
        typical_seconds=typical_seconds,
        style_types=("None", "Auto", "General", "Realistic", "Design"),
        shapes=_shapes("1:1 16:9 9:16 4:3 3:4 3:2 2:3 16:10 10:16 3:1 1:3"),
        style_presets=_PRESETS,
        takes_reference_image=False,
        ignorable=frozenset({"negative_prompt", "rendering_speed"}),
    )


def _v2(name: str, tier: str = "", price: int | None = None) -> Model:
    return Model(
        id=f"ideogram-{name.lower().replace(' ', '-')}",
        label=f"Ideogram {name}",
        tier=tier,
        credits=price,
        style_types=("None", "Auto", "General", "Realistic", "Design", "Render_3d", "Anime"),
        shapes=_shapes("1:1 16:9 9:16 3:2 2:3 4:3 5:4 3:5 10:16 16:10 1:3"),
        takes_reference_image=False,
        ignorable=frozenset({"rendering_speed", "style_reference_images", "style_preset"}),
    )


MODELS = {
    model.id: model
    for model in (
        _v4("Turbo", "draft", 3, 15),
        _v4("Balanced", "balanced", 6, 22),
        _v4("Quality", "quality", 10, None),
        _v3("Turbo", "draft", 3, 15),
        _v3("Balanced", "balanced", None),
        _v3("Quality", "quality", None),
        _v2("v2"),
        _v2("v2 Turbo", "draft"),
        _v2("v2a"),
        _v2("v2a Turbo", "draft", 3),
    )
}
"""By id. Credits: the product page (v4) and the older documentation; 1 credit is about $0.01."""

UNSUPPORTED = frozenset({"ideogram-character"})
"""Ids that the API has and that no price can make usable here."""

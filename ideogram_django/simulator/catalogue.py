"""The Ideogram models on Apiframe v2: names, prices in credits, usual duration in seconds.

Prices: the model pages (3, 6 and 10 cents for v4, one credit being one cent) and the API
reference (3 credits for v3-turbo and v2a-turbo; 10, 15 or 20 for the character model, by
rendering speed). The prices of the other models are not published; those here are guesses.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One entry of the provider's catalogue."""

    id: str
    label: str
    credits: int
    """Price of one job, in credits."""
    seconds: float
    """Usual time from submission to result, in seconds."""
    credits_by_speed: Mapping[str, int] | None = None
    """Price by `rendering_speed`, for models whose price depends on it."""

    def price(self, params: Mapping[str, object]) -> int:
        """Return what a job with these `ideogramParams` costs, in credits."""
        if self.credits_by_speed is None:
            return self.credits
        return self.credits_by_speed[str(params.get("rendering_speed", "default"))]

    def entry(self) -> dict[str, object]:
        """Return the entry of `GET /v2/models` (Apiframe API reference, Models)."""
        prices = [*(self.credits_by_speed or {}).values(), self.credits]
        return {
            "id": self.id,
            "label": self.label,
            "modality": "image",
            "description": "Simulated: draws the prompt's words on a generated background.",
            "costMin": min(prices),
            "costMax": max(prices),
            "pricingMode": "flat",
        }


def catalogue(prices: Mapping[str, int] | None = None) -> dict[str, Model]:
    """Return the models by id; `prices` replaces credits by model id."""
    rows = (
        ("ideogram-v4-turbo", "Ideogram v4 Turbo", 3, 15.0),
        ("ideogram-v4-balanced", "Ideogram v4 Balanced", 6, 22.0),
        ("ideogram-v4-quality", "Ideogram v4 Quality", 10, 40.0),
        ("ideogram-v3-turbo", "Ideogram v3 Turbo", 3, 15.0),
        ("ideogram-v3-balanced", "Ideogram v3 Balanced", 6, 22.0),
        ("ideogram-v3-quality", "Ideogram v3 Quality", 9, 40.0),
        ("ideogram-v2", "Ideogram v2", 8, 22.0),
        ("ideogram-v2-turbo", "Ideogram v2 Turbo", 5, 15.0),
        ("ideogram-v2a", "Ideogram v2a", 4, 22.0),
        ("ideogram-v2a-turbo", "Ideogram v2a Turbo", 3, 15.0),
    )
    changed = dict(prices or {})
    models = {
        id: Model(id=id, label=label, credits=changed.pop(id, credits), seconds=seconds)
        for id, label, credits, seconds in rows
    }
    fixed = changed.pop("ideogram-character", None)
    models["ideogram-character"] = Model(
        id="ideogram-character",
        label="Ideogram Character",
        credits=15 if fixed is None else fixed,
        seconds=30.0,
        credits_by_speed=None if fixed is not None else {"turbo": 10, "default": 15, "quality": 20},
    )
    if changed:
        raise ValueError(f"Prices given for unknown models: {', '.join(sorted(changed))}.")
    return models

"""How a job will end, known from its beginning."""

import re
from collections.abc import Mapping
from typing import Any

_STYLES = frozenset(
    ("NONE", "AUTO", "GENERAL", "REALISTIC", "DESIGN", "RENDER_3D", "ANIME", "FICTION")
)


def decide_outcome(body: Mapping[str, Any], faults: frozenset[str]) -> tuple[str, str | None]:
    """Return how a job will end and its error sentence."""
    prefix = "Provider returned an error: "
    if "cancelled" in faults:
        return "CANCELLED", None
    if "policy" in faults:
        return "FAILED", prefix + "content policy violation"
    if "capacity" in faults:
        return "FAILED", "No available capacity — please retry shortly"
    if "fail" in faults:
        return "FAILED", prefix + "generation failed"
    # The API takes any string here; the model behind it does not.
    params = body.get("ideogramParams", {})
    if params.get("style_type", "AUTO").upper() not in _STYLES:
        return "FAILED", prefix + "style_type is not supported"
    if not re.fullmatch(r"[0-9]{1,2}[:x][0-9]{1,2}|None", params.get("aspect_ratio", "1:1")):
        return "FAILED", prefix + "aspect_ratio is not supported"
    if not re.fullmatch(r"[0-9]{3,4}x[0-9]{3,4}|None", params.get("resolution", "None")):
        return "FAILED", prefix + "resolution is not supported"
    return "COMPLETED", None

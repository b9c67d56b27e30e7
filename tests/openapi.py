"""The provider's request schemas, written down from its OpenAPI file for the contract test.

The facts are the provider's; ``ideogram_django`` shares no code with this file.
"""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

IDEOGRAM_IDS = [
    "ideogram-v2",
    "ideogram-v2-turbo",
    "ideogram-v2a",
    "ideogram-v2a-turbo",
    "ideogram-v3-balanced",
    "ideogram-v3-turbo",
    "ideogram-v3-quality",
    "ideogram-v4-balanced",
    "ideogram-v4-turbo",
    "ideogram-v4-quality",
]

URI = {"type": "string", "format": "uri"}

GENERATE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["prompt", "model"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1, "maxLength": 2000},
        "model": {"type": "string", "enum": IDEOGRAM_IDS},
        "webhookUrl": URI,
        "webhookEvents": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "enum": ["progress", "completed", "failed"]},
        },
        "ideogramParams": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "style_type": {"type": "string"},
                "magic_prompt_option": {"type": "string", "enum": ["Auto", "On", "Off"]},
                "image": URI,
                "mask": URI,
                "style_reference_images": {"type": "array", "maxItems": 3, "items": URI},
                "style_preset": {"type": "string"},
                "character_reference_image": URI,
                "negative_prompt": {"type": "string"},
                "rendering_speed": {"type": "string", "enum": ["default", "turbo", "quality"]},
                "seed": {"type": "integer"},
                "aspect_ratio": {"type": "string"},
                "resolution": {"type": "string"},
            },
        },
    },
}

IDEMPOTENCY_KEY = {"type": "string", "maxLength": 255}

JOB_PATH = {"type": "string", "format": "uuid"}

JOB_LIST_QUERY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "status": {"enum": ["QUEUED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]},
        "model": {"type": "string"},
        # A query is text; the schema's integer from 1 to 100.
        "limit": {"type": "string", "pattern": "^([1-9][0-9]?|100)$"},
        "cursor": {"type": "string"},
        "scope": {"enum": ["user", "team"]},
        "search": {"type": "string", "format": "uuid"},
        "include_models": {"enum": ["true", "false"]},
    },
}

MODEL_LIST_QUERY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"modality": {"enum": ["image", "video", "music"]}},
}

UPLOAD: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string"}},
}

formats = FormatChecker(formats=())
"""jsonschema passes over formats that it has no checker for; these raise instead of guessing."""


@formats.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    text = str(value)
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("not ASCII")
    parts = urlsplit(text)
    return bool(parts.scheme and parts.netloc)


@formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return str(uuid.UUID(str(value))) == value


def check(value: object, schema: dict[str, Any]) -> None:
    """Raise ``jsonschema.ValidationError`` where the value does not fit."""
    Draft202012Validator(schema, format_checker=formats).validate(value)

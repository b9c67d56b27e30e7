"""Strict request bodies and queries, written by hand from the provider's OpenAPI file.

Problems are collected by JSON path, each a list of sentences in the provider's manner. The exact
sentences are not published; the shape is (Apiframe API reference, ValidationError).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

Problems = dict[str, list[str]]

_BODY_KEYS = ("prompt", "model", "webhookUrl", "webhookEvents", "ideogramParams")
_EVENTS = ("progress", "completed", "failed")
_STATUSES = ("QUEUED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED")
_STRING_PARAMS = ("style_type", "style_preset", "negative_prompt", "aspect_ratio", "resolution")
_URI_PARAMS = ("image", "mask", "character_reference_image")
_ENUM_PARAMS = {
    "magic_prompt_option": ("Auto", "On", "Off"),
    "rendering_speed": ("default", "turbo", "quality"),
}
_PARAM_KEYS = (*_STRING_PARAMS, *_URI_PARAMS, *_ENUM_PARAMS, "seed", "style_reference_images")
_PROMPT_LIMIT = 2000
_REFERENCE_LIMIT = 3
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


def body_problems(body: object, models: Collection[str]) -> Problems:
    """Return what is wrong with the body of `POST /v2/images/generate`; empty when nothing is."""
    problems: Problems = {}
    if not isinstance(body, dict):
        return {"": [f"Expected object, received {_kind(body)}"]}
    _refuse_unknown(problems, body, _BODY_KEYS, prefix="")
    _check_prompt(problems, body)
    model = _check_enum(problems, "model", body, models, required=True)
    if "webhookUrl" in body:
        _check_uri(problems, "webhookUrl", body["webhookUrl"])
    _check_events(problems, body)
    needs_character = model == "ideogram-character"
    if "ideogramParams" in body:
        _check_params(problems, body["ideogramParams"], needs_character=needs_character)
    elif needs_character:
        _add(problems, "ideogramParams", "Required")
    return problems


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """The parsed query of `GET /v2/jobs`."""

    status: str | None = None
    model: str | None = None
    limit: int = 20
    cursor: str | None = None
    team: bool = False
    search: str | None = None
    include_models: bool = False


def parse_job_query(query: Mapping[str, str]) -> JobQuery | Problems:
    """Read the query of `GET /v2/jobs`, or say what is wrong with it."""
    problems: Problems = {}
    status = _check_enum(problems, "status", query, _STATUSES)
    scope = _check_enum(problems, "scope", query, ("user", "team"))
    include_models = _check_enum(problems, "include_models", query, ("true", "false"))
    limit = query.get("limit", "20")
    if not re.fullmatch(r"[0-9]{1,6}", limit):
        _add(problems, "limit", "Expected number, received nan")
    elif not 1 <= int(limit) <= 100:
        _add(problems, "limit", "Number must be between 1 and 100")
    search = query.get("search")
    if search is not None and not is_uuid(search):
        _add(problems, "search", "Invalid uuid")
    if problems:
        return problems
    return JobQuery(
        status=status,
        model=query.get("model"),
        limit=int(limit),
        cursor=query.get("cursor"),
        team=scope == "team",
        search=search,
        include_models=include_models == "true",
    )


def modality_problems(query: Mapping[str, str]) -> Problems:
    """Return what is wrong with the query of `GET /v2/models`."""
    problems: Problems = {}
    _check_enum(problems, "modality", query, ("image", "video", "music"))
    return problems


def is_uuid(text: str) -> bool:
    """Say whether `text` is a UUID in its usual spelling with hyphens."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _check_prompt(problems: Problems, body: Mapping[str, object]) -> None:
    if "prompt" not in body:
        _add(problems, "prompt", "Required")
        return
    prompt = body["prompt"]
    if not isinstance(prompt, str):
        _add(problems, "prompt", f"Expected string, received {_kind(prompt)}")
        return
    # The provider validates in JavaScript, where a character outside the basic plane (most
    # emoji) counts as two.
    length = len(prompt.encode("utf-16-le", "surrogatepass")) // 2
    if length < 1:
        _add(problems, "prompt", "String must contain at least 1 character(s)")
    if length > _PROMPT_LIMIT:
        _add(problems, "prompt", f"String must contain at most {_PROMPT_LIMIT} character(s)")


def _check_events(problems: Problems, body: Mapping[str, object]) -> None:
    if "webhookEvents" not in body:
        return
    events = body["webhookEvents"]
    if not isinstance(events, list):
        _add(problems, "webhookEvents", f"Expected array, received {_kind(events)}")
        return
    if not events:
        _add(problems, "webhookEvents", "Array must contain at least 1 element(s)")
    for index, event in enumerate(events):
        if event not in _EVENTS:
            _add(problems, f"webhookEvents.{index}", _enum_sentence(_EVENTS, event))


def _check_params(problems: Problems, params: object, *, needs_character: bool) -> None:
    if not isinstance(params, dict):
        _add(problems, "ideogramParams", f"Expected object, received {_kind(params)}")
        return
    prefix = "ideogramParams."
    _refuse_unknown(problems, params, _PARAM_KEYS, prefix=prefix)
    for name in _STRING_PARAMS:
        if name in params and not isinstance(params[name], str):
            _add(problems, prefix + name, f"Expected string, received {_kind(params[name])}")
    for name in _URI_PARAMS:
        if name in params:
            _check_uri(problems, prefix + name, params[name])
    for name, allowed in _ENUM_PARAMS.items():
        _check_enum(problems, name, params, allowed, prefix=prefix)
    if "seed" in params:
        _check_integer(problems, prefix + "seed", params["seed"])
    if "style_reference_images" in params:
        _check_references(
            problems, prefix + "style_reference_images", params["style_reference_images"]
        )
    if needs_character and "character_reference_image" not in params:
        _add(problems, prefix + "character_reference_image", "Required")


def _check_references(problems: Problems, path: str, value: object) -> None:
    if not isinstance(value, list):
        _add(problems, path, f"Expected array, received {_kind(value)}")
        return
    if len(value) > _REFERENCE_LIMIT:
        _add(problems, path, f"Array must contain at most {_REFERENCE_LIMIT} element(s)")
    for index, item in enumerate(value):
        _check_uri(problems, f"{path}.{index}", item)


def _check_integer(problems: Problems, path: str, value: object) -> None:
    # JSON has one kind of number: to the provider 7.0 is the integer 7.
    if isinstance(value, bool) or not isinstance(value, int | float):
        _add(problems, path, f"Expected number, received {_kind(value)}")
    elif isinstance(value, float) and not value.is_integer():
        _add(problems, path, "Expected integer, received float")


def _check_uri(problems: Problems, path: str, value: object) -> None:
    if not isinstance(value, str):
        _add(problems, path, f"Expected string, received {_kind(value)}")
    elif not _is_uri(value):
        _add(problems, path, "Invalid url")


def _is_uri(text: str) -> bool:
    if _URI.fullmatch(text) is None:
        return False
    try:
        parts = urlsplit(text)
        # Reading the port raises for one that is not a number.
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) if parts.scheme in ("http", "https") else True


def _check_enum(
    problems: Problems,
    name: str,
    values: Mapping[str, object],
    allowed: Collection[str],
    *,
    prefix: str = "",
    required: bool = False,
) -> str | None:
    if name not in values:
        if required:
            _add(problems, prefix + name, "Required")
        return None
    value = values[name]
    if isinstance(value, str) and value in allowed:
        return value
    _add(problems, prefix + name, _enum_sentence(allowed, value))
    return None


def _refuse_unknown(
    problems: Problems, values: Mapping[str, object], allowed: Collection[str], *, prefix: str
) -> None:
    for name in values:
        if name not in allowed:
            _add(problems, prefix + name, f"Unrecognized key(s) in object: '{name}'")


def _enum_sentence(allowed: Iterable[str], value: object) -> str:
    options = " | ".join(f"'{option}'" for option in allowed)
    received = f"'{value}'" if isinstance(value, str) else _kind(value)
    return f"Invalid enum value. Expected {options}, received {received}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _add(problems: Problems, path: str, sentence: str) -> None:
    problems.setdefault(path, []).append(sentence)

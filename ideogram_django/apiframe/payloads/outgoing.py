"""Our requests as the provider's JSON, and whether a job was made from one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ideogram_django.apiframe.catalogue import PARAMETERS, CleanRequest
from ideogram_django.apiframe.checking import is_unset
from ideogram_django.apiframe.payloads.shapes import JobStatus
from ideogram_django.apiframe.strict_json import parse_json

UPLOAD_FIELD = "file"
"""The one field of the multipart body of ``POST /v2/uploads``."""
WEBHOOK_EVENTS = ("completed", "failed")
WIRE_NAMES = {"reference_image": "image"}
"""Our parameter names that differ from the API's."""

_PARAMS = "ideogramParams"
_WIRE_PARAMETERS = frozenset(WIRE_NAMES.get(name, name) for name in PARAMETERS)
_CONTENT = _WIRE_PARAMETERS | {_PARAMS, "prompt", "mask", "character_reference_image"}


def submit_body(request: CleanRequest, *, webhook_url: str | None, webhook_url_key: str) -> bytes:
    """The body of a submission: equal requests give equal bytes, as repeats of a key must.

    Source: ``POST /v2/images/generate``. Nothing but what was set is sent.
    """
    body: dict[str, object] = {"model": request.model, "prompt": request.prompt}
    parameters = {
        WIRE_NAMES.get(name, name): value
        for name, value in request.parameters.items()
        if not is_unset(value)
    }
    if parameters:
        body["ideogramParams"] = parameters
    if webhook_url:
        body[webhook_url_key] = webhook_url
        body["webhookEvents"] = WEBHOOK_EVENTS
    return json.dumps(
        body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    ).encode()


def job_list_query(*, limit: int, cursor: str | None, status: JobStatus | None) -> dict[str, str]:
    """The query of ``GET /v2/jobs``; ``limit`` from 1 to 100."""
    query = {"limit": str(limit)}
    if cursor:
        query["cursor"] = cursor
    if status is not None:
        query["status"] = status.value
    return query


def model_list_query(modality: str) -> dict[str, str]:
    """The query of ``GET /v2/models``: "image", "video" or "music"."""
    return {"modality": modality}


def same_request(body: bytes, job_input: Mapping[str, object]) -> bool:
    """Whether a job's ``input`` is the request with this frozen body.

    The layout of ``input`` is not documented, so it is read with some patience: as sent, with
    the parameters flattened, or wrapped in one more object. Our webhook address, made for this
    one attempt, decides where it appears; another address is another request. Otherwise prompt
    and parameters must be equal, and the model where it is told. A needless "no" costs a repeat
    with the same key; a wrong "yes" would adopt somebody else's picture. Raises
    ``InvalidPayloadError`` where ``body`` is not a body of ours.
    """
    if carries_address(body, job_input):
        return True
    ours = parse_json(body)
    if not isinstance(ours, dict) or any(_addresses(job_input)):
        return False
    wrapped = [value for value in job_input.values() if isinstance(value, Mapping)]
    return any(_same_content(ours, candidate) for candidate in (job_input, *wrapped))


def carries_address(body: bytes, job_input: Mapping[str, object]) -> bool:
    """Whether a job's ``input`` names the webhook address of this very body: the surest mark."""
    return bool(set(_addresses(parse_json(body))) & set(_addresses(job_input)))


def _addresses(value: object) -> Iterator[str]:
    """The addresses anywhere inside, but for prompt and parameters: they call back to somebody."""
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        yield value
    elif isinstance(value, Mapping):
        for name, child in value.items():
            if name not in _CONTENT:
                yield from _addresses(child)
    elif isinstance(value, list):
        for child in value:
            yield from _addresses(child)


def _same_content(ours: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    if theirs.get("prompt") != ours.get("prompt"):
        return False
    if theirs.get("model") not in (None, ours.get("model")):
        return False
    return _parameters(theirs) == _parameters(ours)


def _parameters(request: Mapping[str, object]) -> dict[str, object]:
    """What was set, from the parameter object or, without one, from the request itself."""
    inner = request.get(_PARAMS)
    if isinstance(inner, Mapping):
        return {name: value for name, value in inner.items() if value is not None}
    return {
        name: value
        for name, value in request.items()
        if name in _WIRE_PARAMETERS and value is not None
    }

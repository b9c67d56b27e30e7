"""The provider's JSON into values.

Parsers take the bytes of a whole body and raise ``InvalidPayloadError`` alone. Without an id or a
status nothing can be done, so those are demanded; whatever else is missing or odd becomes None,
``""`` or ``()``. Fields that we do not know are passed over. Source: Apiframe API reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from ideogram_django.apiframe import strict_json
from ideogram_django.apiframe.payloads.shapes import (
    Account,
    ErrorBody,
    Job,
    JobAccepted,
    JobPage,
    JobStatus,
    ModelPrice,
    Upload,
    WebhookCall,
)
from ideogram_django.apiframe.strict_json import integer, moment, parse_json
from ideogram_django.exceptions import InvalidPayloadError

EVENT_STATUS = {
    "progress": JobStatus.PROCESSING,
    "completed": JobStatus.COMPLETED,
    "failed": JobStatus.FAILED,
}
"""What a webhook call says about its job where it names no status."""


def parse_job_accepted(raw: bytes) -> JobAccepted:
    """The answer to a submission (202)."""
    data = _object(raw)
    return JobAccepted(
        job_id=_required_id(data, "jobId"),
        status=JobStatus.read(strict_json.text(data.get("status"))),
    )


def parse_job(raw: bytes) -> Job:
    """The answer to ``GET /v2/jobs/{id}``."""
    return _job(_object(raw))


def parse_job_page(raw: bytes) -> JobPage:
    """The answer to ``GET /v2/jobs``. One unreadable job does not hide the others."""
    data = _object(raw)
    jobs: list[Job] = []
    entries = _list(data, "jobs")
    for entry in entries:
        try:
            jobs.append(_job(entry))
        except InvalidPayloadError:
            continue
    cursor = strict_json.url(data.get("nextCursor"))  # opaque, and goes back in an address
    return JobPage(
        jobs=tuple(jobs),
        next_cursor=cursor or None,
        has_more=data.get("hasMore") is True,
        skipped=len(entries) - len(jobs),
    )


def parse_account(raw: bytes) -> Account:
    """The answer to ``GET /v2/me``; without a user it is not an answer."""
    data = _object(raw)
    user = data.get("user")
    if not isinstance(user, dict):
        raise InvalidPayloadError("The account has no user.")
    team = _mapping(data, "team")
    key = _mapping(data, "apiKey")
    return Account(
        credits=integer(team.get("credits")),
        plan=strict_json.text(team.get("plan")),
        team_name=strict_json.text(team.get("name")),
        max_concurrent_jobs=integer(team.get("maxConcurrentJobs")),
        key_name=strict_json.text(key.get("name")),
        key_prefix=strict_json.text(key.get("prefix")),
        user_email=strict_json.text(user.get("email")),
        user_role=strict_json.text(user.get("role")),
    )


def parse_models(raw: bytes) -> tuple[ModelPrice, ...]:
    """The answer to ``GET /v2/models``; entries without an id are passed over."""
    entries = [entry for entry in _list(_object(raw), "models") if isinstance(entry, dict)]
    models = (
        ModelPrice(
            id=strict_json.text(entry.get("id")),
            label=strict_json.text(entry.get("label")),
            modality=strict_json.text(entry.get("modality")),
            cost_min=strict_json.number(entry.get("costMin")),
            cost_max=strict_json.number(entry.get("costMax")),
            pricing_mode=strict_json.text(entry.get("pricingMode")),
        )
        for entry in entries
    )
    return tuple(model for model in models if model.id)


def parse_upload(raw: bytes) -> Upload:
    """The answer to ``POST /v2/uploads`` (201)."""
    data = _object(raw)
    address = strict_json.url(data.get("url"))
    if not address:
        raise InvalidPayloadError("The upload has no address.")
    return Upload(
        id=strict_json.text(data.get("id")),
        url=address,
        kind=strict_json.text(data.get("kind")),
        content_type=strict_json.text(data.get("contentType")),
        byte_size=integer(data.get("byteSize")),
        expires_at=moment(data.get("expiresAt")),
    )


def parse_webhook(raw: bytes) -> WebhookCall:
    """The body of a webhook call. Without status and event it says nothing and is refused."""
    data = _object(raw)
    event = strict_json.text(data.get("event"), 50).lower()
    told = data.get("status")
    implied = EVENT_STATUS.get(event)
    if isinstance(told, str) and told:
        status = JobStatus.read(told)
        # "failed" with COMPLETED: neither half may be believed. Progress may come at any status.
        if implied is not None and implied.is_final and status is not implied:
            status = JobStatus.UNKNOWN
    elif implied is not None:
        status = implied
    else:
        raise InvalidPayloadError("The call tells no status.")
    return WebhookCall(
        event=event,
        job_id=_required_id(data, "jobId"),
        status=status,
        progress=_percent(data.get("progress")),
        image_urls=_image_urls(data.get("result")),
        error=strict_json.text(data.get("error")),
        model=strict_json.text(data.get("model"), 100),
        credit_cost=integer(data.get("creditCost")),
        completed_at=moment(data.get("completedAt")),
    )


def parse_error(raw: bytes) -> ErrorBody:
    """The body of a 4xx or 5xx. ``InvalidPayloadError``: the provider's API did not write it."""
    data = _object(raw)
    if not isinstance(data.get("error"), str):
        raise InvalidPayloadError("The error has no sentence.")
    details = {
        strict_json.text(path, 200): [strict_json.text(told) for told in sentences[:20]]
        for path, sentences in list(_mapping(data, "details").items())[:50]
        if isinstance(sentences, list)
    }
    return ErrorBody(
        error=strict_json.text(data["error"]),
        details=details,
        credits_required=integer(data.get("creditsRequired")),
        credits_available=integer(data.get("creditsAvailable")),
    )


def _job(data: object) -> Job:
    if not isinstance(data, dict):
        raise InvalidPayloadError("The job is not an object.")
    status = data.get("status")
    if not isinstance(status, str):
        raise InvalidPayloadError("The job has no status.")
    given = data.get("input")
    return Job(
        id=_required_id(data, "id"),
        status=JobStatus.read(status),
        model=strict_json.text(data.get("model"), 100),
        progress=_percent(data.get("progress")),
        image_urls=_image_urls(data.get("result")),
        error=strict_json.text(data.get("error")),
        credit_cost=integer(data.get("creditCost")),
        created_at=moment(data.get("createdAt")),
        completed_at=moment(data.get("completedAt")),
        input=given if isinstance(given, dict) else None,
        expired=data.get("expired") is True,
    )


def _image_urls(result: object) -> tuple[str, ...]:
    """Addresses of the pictures: an object with a list today, one bare text in older pages."""
    if isinstance(result, dict):
        return strict_json.urls(result.get("images")) or strict_json.urls([result.get("gridUrl")])
    return strict_json.urls([result])


def _percent(value: object) -> int | None:
    found = strict_json.number(value)
    return None if found is None else min(int(found), 100)


def _required_id(data: Mapping[str, object], key: str) -> str:
    found = strict_json.job_id(data.get(key))
    if not found:
        raise InvalidPayloadError(f"“{key}” is not a UUID.")
    return found


def _object(raw: bytes) -> dict[str, object]:
    data = parse_json(raw)
    if not isinstance(data, dict):
        raise InvalidPayloadError("This is not a JSON object.")
    return data


def _mapping(data: Mapping[str, object], key: str) -> dict[str, object]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _list(data: Mapping[str, object], key: str) -> list[object]:
    found = data.get(key)
    if not isinstance(found, list):
        raise InvalidPayloadError(f"“{key}” is not a list.")
    return found

"""The public endpoints: one request in, one answer out; no sockets here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ideogram_django.simulator.accounts import Keyring, caller
from ideogram_django.simulator.answers import Answer, cut, refusal, reply
from ideogram_django.simulator.files import Gallery
from ideogram_django.simulator.gate import Gate
from ideogram_django.simulator.ledger import Account
from ideogram_django.simulator.provider import Provider, Refused
from ideogram_django.simulator.uploads import UploadStore, file_field
from ideogram_django.simulator.validation import (
    body_problems,
    is_uuid,
    modality_problems,
    parse_job_query,
)

_IMAGE = re.compile(r"/images/([0-9a-f-]{36})-1\.png")
_KEY_LIMIT = 255
_INVALID = "Validation failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, read completely."""

    method: str
    path: str
    """Without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Endpoints:
    """The API and the CDN."""

    def __init__(
        self,
        provider: Provider,
        keyring: Keyring,
        uploads: UploadStore,
        gallery: Gallery,
        gate: Gate,
    ) -> None:
        self._provider = provider
        self._keyring = keyring
        self._uploads = uploads
        self._gallery = gallery
        self._gate = gate

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        route = (request.method, request.path)
        if request.method == "GET" and request.path.startswith("/images/"):
            return self._image(request.path)
        if request.method == "GET" and request.path.startswith("/uploads/"):
            return self._uploaded(request.path.removeprefix("/uploads/"))
        self._gate.pause(self._provider.mischief.latency)
        if route == ("GET", "/v2/models"):
            return self._models(request)
        if not request.path.startswith("/v2/"):
            return refusal(404, "Not found")
        key = request.headers.get("x-api-key")
        account = self._keyring.check(key)
        if isinstance(account, Answer):
            return account
        key = str(key)
        if route == ("POST", "/v2/images/generate"):
            return self._generate(request, account, key)
        if route == ("GET", "/v2/jobs"):
            return self._list(request, account)
        if request.method == "GET" and request.path.startswith("/v2/jobs/"):
            return self._job(request.path.removeprefix("/v2/jobs/"), account)
        if route == ("GET", "/v2/me"):
            return reply(200, caller(account, key, self._provider.credits(account)))
        if route == ("POST", "/v2/uploads"):
            return self._upload(request)
        return refusal(404, "Not found")

    def _generate(self, request: Request, account: Account, api_key: str) -> Answer:
        try:
            body: Any = json.loads(request.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return refusal(400, "Invalid JSON in request body")
        problems = body_problems(body, self._provider.models)
        if problems:
            return refusal(400, _INVALID, details=problems)
        key = request.headers.get("idempotency-key") or None
        if key is not None and len(key) > _KEY_LIMIT:
            return refusal(
                400, _INVALID, details={"Idempotency-Key": ["Must be at most 255 characters"]}
            )
        prompt: str = body["prompt"]
        # Without a key a repeated try can only be told by its content.
        attempt = f"{api_key}|{key or request.body!r}"
        mischief = self._provider.mischief
        refused = mischief.refusal(prompt, attempt)
        if refused is not None:
            return self._refused_by_fault(refused)
        if not self._gate.pass_through("before"):
            return cut()
        job = self._provider.submit(account, api_key, body, request.body, key)
        if isinstance(job, Refused):
            return self._refused(job)
        accepted = reply(202, {"jobId": job.id, "status": job.status(self._provider.clock.now())})
        if not self._gate.pass_through("after"):
            return cut()
        lost = mischief.lost_answer(prompt, attempt)
        return accepted if lost is None else _lost(lost)

    def _refused_by_fault(self, name: str) -> Answer:
        if name == "conflict":
            return self._refused(Refused(reason="conflict"))
        if name == "429":
            return self._too_many("Rate limit exceeded")
        if name == "503":
            return refusal(503, "Service temporarily unavailable")
        if name == "1010":
            return Answer(
                status=403, body=b"error code: 1010", content_type="text/plain; charset=UTF-8"
            )
        return cut()

    def _refused(self, refused: Refused) -> Answer:
        if refused.reason == "conflict":
            return refusal(409, "Idempotency-Key was used with a different request body")
        if refused.reason == "concurrency":
            return self._too_many("Too many concurrent jobs")
        return refusal(
            402,
            "Insufficient credits",
            creditsRequired=refused.required,
            creditsAvailable=refused.available,
        )

    def _too_many(self, sentence: str) -> Answer:
        retry_after = str(self._provider.mischief.retry_after)
        return refusal(429, sentence, headers={"Retry-After": retry_after})

    def _list(self, request: Request, account: Account) -> Answer:
        query = parse_job_query(request.query)
        if isinstance(query, dict):
            return refusal(400, _INVALID, details=query)
        if query.team and account.role not in ("OWNER", "ADMIN"):
            return refusal(403, "Only team admins can list the team's jobs")
        page = self._provider.page(account, query)
        if page is None:
            return refusal(400, "Invalid cursor")
        shown: dict[str, object] = {
            "jobs": [self._provider.public(job) for job in page.jobs],
            "nextCursor": page.next_cursor,
            "hasMore": page.next_cursor is not None,
        }
        if query.include_models:
            shown["models"] = page.models
        return reply(200, shown)

    def _job(self, job_id: str, account: Account) -> Answer:
        if not is_uuid(job_id):
            return refusal(400, "Invalid job ID")
        job = self._provider.job(job_id.lower())
        if job is None or job.account is not account:
            return refusal(404, "Job not found")
        if "poll-429" in job.faults and self._provider.mischief.first("poll-429", job.id):
            return self._too_many("Rate limit exceeded")
        if "poll-503" in job.faults and self._provider.mischief.first("poll-503", job.id):
            return refusal(503, "Service temporarily unavailable")
        return reply(200, self._provider.public(job, with_input=True))

    def _models(self, request: Request) -> Answer:
        problems = modality_problems(request.query)
        if problems:
            return refusal(400, _INVALID, details=problems)
        asked = request.query.get("modality", "image")
        models = [model.entry() for model in self._provider.models.values()]
        return reply(200, {"models": models if asked == "image" else []})

    def _upload(self, request: Request) -> Answer:
        data = file_field(request.body, request.headers.get("content-type", ""))
        if data is None:
            return refusal(400, "No file provided")
        upload = self._uploads.add(data)
        if isinstance(upload, str):
            return refusal(400, upload)
        return reply(201, upload.public(self._provider.base_url))

    def _uploaded(self, upload_id: str) -> Answer:
        upload = self._uploads.get(upload_id)
        if upload is None:
            return Answer(status=404, body=b"Not Found", content_type="text/plain")
        return Answer(status=200, body=upload.data, content_type=upload.content_type)

    def _image(self, path: str) -> Answer:
        match = _IMAGE.fullmatch(path)
        job = self._provider.job(match[1]) if match else None
        now = self._provider.clock.now()
        gone = (
            job is None
            or job.status(now) != "COMPLETED"
            or job.expired(now, self._provider.options.result_ttl)
        )
        if job is None or gone:
            return Answer(status=404, body=b"Not Found", content_type="text/plain")
        return self._gallery.answer(job)


def _lost(name: str) -> Answer:
    if name == "504":
        page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
        return Answer(status=504, body=page, content_type="text/html")
    if name == "nonsense":
        return Answer(status=202, body=b"<html>Accepted", content_type="text/html")
    return cut()


def _refuse_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which are not JSON.
    raise ValueError(name)

"""The offline twin, asked over real sockets with plain `requests`; never with our client."""

import ast
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

import ideogram_django.simulator
from ideogram_django.simulator import Faults, Simulator, fault_names
from ideogram_django.simulator.drawing import draw_png, picture_size
from ideogram_django.simulator.webhooks import is_local, signature

KEY = "afk_" + "0" * 40
OTHER_KEY = "afk_" + "1" * 40
FOREIGN_KEY = "afk_" + "2" * 40
TURBO = "ideogram-v4-turbo"


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something another thread does; ten seconds are far more than it takes."""
    for _ in range(2000):
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("It did not happen.")


class Api:
    """A few lines around `requests`: address and key."""

    def __init__(self, twin: Simulator, key: str | None = KEY) -> None:
        self.twin = twin
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "tests"
        if key is not None:
            self.session.headers["X-API-Key"] = key

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.get(self.twin.base_url + path, timeout=10, **kwargs)

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.post(self.twin.base_url + path, timeout=10, **kwargs)

    def generate(
        self, prompt: str = "A fox", key: str | None = None, **body: Any
    ) -> requests.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"prompt": prompt, "model": TURBO, **body}
        return self.post("/v2/images/generate", json=body, headers=headers)

    def finished(self, prompt: str = "A fox", **body: Any) -> dict[str, Any]:
        job_id = self.generate(prompt, **body).json()["jobId"]
        self.twin.finish_all()
        return self.job(job_id)

    def job(self, job_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.get(f"/v2/jobs/{job_id}").json()
        return shown


@pytest.fixture
def make() -> Iterator[Callable[..., Api]]:
    opened: list[Api] = []

    def start(key: str | None = KEY, **options: Any) -> Api:
        options = {
            "api_keys": [KEY, OTHER_KEY],
            "foreign_keys": [FOREIGN_KEY],
            "credits": 1000,
            "picture_long_side": 160,
            **options,
        }
        twin = Simulator(**options)
        twin.start()
        opened.append(Api(twin, key))
        return opened[-1]

    yield start
    for api in opened:
        api.session.close()
        api.twin.stop()


@pytest.fixture
def api(make: Callable[..., Api]) -> Api:
    return make()


class Receiver:
    """A webhook receiver that remembers what came and answers as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((self.path, dict(self.headers.items()), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=t"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.calls]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


# Keys


def test_no_key_is_refused(make):
    response = make(key=None).get("/v2/me")
    assert (response.status_code, response.json()) == (401, {"error": "API key is required"})


def test_unknown_key_is_refused_and_nothing_is_charged(make):
    api = make(key="afk_unknown")
    response = api.generate()
    assert (response.status_code, response.json()) == (401, {"error": "Invalid API key"})
    assert (api.twin.ledger, api.twin.credits) == ([], 1000)


def test_authorization_header_is_no_key(make):
    api = make(key=None)
    response = api.get("/v2/me", headers={"Authorization": KEY})
    assert (response.status_code, response.json()) == (401, {"error": "API key is required"})


def test_inactive_key_is_refused(api):
    api.twin.deactivate_key(KEY)
    response = api.get("/v2/me")
    assert (response.status_code, response.json()) == (403, {"error": "API key is inactive"})


def test_v1_key_is_explained(make):
    response = make(key=str(uuid.uuid4())).get("/v2/me")
    assert response.status_code == 400
    assert "v1 API key" in response.json()["error"]


def test_revoked_key_stops_and_its_successor_sees_the_jobs(api):
    job_id = api.generate().json()["jobId"]
    api.twin.revoke_key(KEY)
    assert api.get(f"/v2/jobs/{job_id}").status_code == 401
    api.session.headers["X-API-Key"] = OTHER_KEY
    assert api.job(job_id)["id"] == job_id


# Submission


def test_accepted_job(api):
    response = api.generate()
    assert response.status_code == 202
    assert set(response.json()) == {"jobId", "status"}
    assert response.json()["status"] == "QUEUED"
    assert str(uuid.UUID(response.json()["jobId"])) == response.json()["jobId"]


PARAMS = "ideogramParams"
BAD_BODIES = {
    "no prompt": ({"model": TURBO}, "prompt"),
    "empty prompt": ({"model": TURBO, "prompt": ""}, "prompt"),
    "long prompt": ({"model": TURBO, "prompt": "x" * 2001}, "prompt"),
    "emoji count twice": ({"model": TURBO, "prompt": "🦊" * 1001}, "prompt"),
    "prompt no string": ({"model": TURBO, "prompt": 7}, "prompt"),
    "no model": ({"prompt": "x"}, "model"),
    "unknown model": ({"prompt": "x", "model": "ideogram-v3"}, "model"),
    "webhook_url": ({"prompt": "x", "model": TURBO, "webhook_url": "http://a/"}, "webhook_url"),
    "webhookUrl": ({"prompt": "x", "model": TURBO, "webhookUrl": "nowhere"}, "webhookUrl"),
    "no host": ({"prompt": "x", "model": TURBO, "webhookUrl": "https://"}, "webhookUrl"),
    "null": ({"prompt": "x", "model": TURBO, "webhookUrl": None}, "webhookUrl"),
    "no events": ({"prompt": "x", "model": TURBO, "webhookEvents": []}, "webhookEvents"),
    "event": ({"prompt": "x", "model": TURBO, "webhookEvents": ["done"]}, "webhookEvents.0"),
    "params": ({"prompt": "x", "model": TURBO, PARAMS: []}, PARAMS),
    "no character": ({"prompt": "x", "model": "ideogram-character"}, PARAMS),
    "empty character": (
        {"prompt": "x", "model": "ideogram-character", PARAMS: {}},
        f"{PARAMS}.character_reference_image",
    ),
}
BAD_PARAMS = {
    "num_images": 2,
    "magic_prompt_option": "AUTO",
    "rendering_speed": "TURBO",
    "image": "fox.png",
    "mask": 1,
    "seed": 1.5,
    "style_reference_images": ["https://a.test/1"] * 4,
    "style_type": 3,
    "aspect_ratio": None,
    "negative_prompt": ["x"],
    "resolution": 1024,
    "style_preset": {},
    "output_format": "png",
}
for name, value in BAD_PARAMS.items():
    BAD_BODIES[f"params {name}"] = (
        {"prompt": "x", "model": TURBO, PARAMS: {name: value}},
        f"{PARAMS}.{name}",
    )


@pytest.mark.parametrize(("body", "path"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_bad_body_is_refused_by_path_and_nothing_is_charged(api, body, path):
    response = api.post("/v2/images/generate", json=body)
    assert response.status_code == 400
    assert set(response.json()) == {"error", "details"}
    assert list(response.json()["details"]) == [path]
    assert all(isinstance(text, str) for text in response.json()["details"][path])
    assert (api.twin.jobs, api.twin.ledger, api.twin.credits) == ([], [], 1000)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"prompt": NaN}', b"[" * 100_000])
def test_body_that_is_not_json(api, raw):
    response = api.post("/v2/images/generate", data=raw)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}


def test_body_that_is_no_object(api):
    assert api.post("/v2/images/generate", json=[1]).json()["details"] == {
        "": ["Expected object, received array"]
    }


def test_full_body_is_accepted_and_shown_as_input(api):
    uri = "https://pictures.test/1.png"
    body = {
        "prompt": "x" * 2000,
        "model": "ideogram-character",
        "webhookUrl": "https://hook.example/?a=b",
        "webhookEvents": ["progress", "completed", "failed"],
        "ideogramParams": {
            "style_type": "AUTO",
            "magic_prompt_option": "Off",
            "image": uri,
            "mask": uri,
            "style_reference_images": [uri] * 3,
            "style_preset": "Watercolor",
            "character_reference_image": uri,
            "negative_prompt": "",
            "rendering_speed": "quality",
            "seed": 7.0,
            "aspect_ratio": "16:9",
            "resolution": "1024x1024",
        },
    }
    response = api.post("/v2/images/generate", json=body)
    assert response.status_code == 202
    job = api.job(response.json()["jobId"])
    assert job["input"] == body
    assert job["creditCost"] == 20


def test_unknown_route(api):
    for path in ("/v2/images/remix", "/nothing", "/fetch"):
        response = api.post(path, json={})
        assert (response.status_code, response.json()) == (404, {"error": "Not found"})


# Credits


@pytest.mark.parametrize(
    ("model", "params", "credits"),
    [
        ("ideogram-v4-turbo", {}, 3),
        ("ideogram-v4-balanced", {}, 6),
        ("ideogram-v4-quality", {}, 10),
        ("ideogram-v4-turbo", {"rendering_speed": "quality"}, 3),
        ("ideogram-v3-turbo", {}, 3),
        ("ideogram-v2a-turbo", {}, 3),
        ("ideogram-character", {"rendering_speed": "turbo"}, 10),
        ("ideogram-character", {}, 15),
        ("ideogram-character", {"rendering_speed": "default"}, 15),
        ("ideogram-character", {"rendering_speed": "quality"}, 20),
    ],
)
def test_credits_are_taken_at_submission(api, model, params, credits):
    if model == "ideogram-character":
        params = {"character_reference_image": "https://a.test/1.png", **params}
    job_id = api.generate("A fox", key="k1", model=model, ideogramParams=params).json()["jobId"]
    assert api.twin.credits == 1000 - credits
    (charge,) = api.twin.ledger
    assert (charge.job_id, charge.model, charge.credits) == (job_id, model, credits)
    assert (charge.refunded, charge.idempotency_key, charge.prompt) == (False, "k1", "A fox")
    assert api.job(job_id)["creditCost"] == credits


def test_failure_gives_the_credits_back(api):
    job = api.finished("A fox [fail]")
    assert (job["status"], job["creditCost"], job["progress"]) == ("FAILED", 0, 0)
    assert job["error"] == "Provider returned an error: generation failed"
    assert job["result"] is None
    assert job["completedAt"] is not None
    assert api.twin.credits == 1000
    assert [(charge.credits, charge.refunded) for charge in api.twin.ledger] == [(3, True)]


def test_too_few_credits(make):
    api = make(credits=5)
    api.generate()
    response = api.generate()
    assert response.status_code == 402
    assert response.json() == {
        "error": "Insufficient credits",
        "creditsRequired": 3,
        "creditsAvailable": 2,
    }
    assert (len(api.twin.jobs), api.twin.credits) == (1, 2)


def test_prices_can_be_set(make):
    api = make(prices={TURBO: 4})
    api.generate()
    assert api.twin.credits == 996
    with pytest.raises(ValueError, match="unknown models"):
        Simulator(prices={"nothing": 1})


# Idempotency


def test_same_key_returns_the_same_job(api):
    first, second = api.generate(key="one"), api.generate(key="one")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert len(api.twin.ledger) == 1


def test_replay_tells_the_status_of_the_moment(api):
    api.generate(key="one")
    api.twin.finish_all()
    assert api.generate(key="one").json()["status"] == "COMPLETED"


def test_key_lives_24_hours(api):
    first = api.generate(key="one").json()["jobId"]
    api.twin.advance(24 * 3600 - 60)
    assert api.generate(key="one").json()["jobId"] == first
    api.twin.advance(61)
    assert api.generate(key="one").json()["jobId"] != first


def test_key_belongs_to_its_api_key(api):
    first = api.generate(key="one").json()["jobId"]
    api.session.headers["X-API-Key"] = OTHER_KEY
    assert api.generate(key="one").json()["jobId"] != first


def test_other_body_with_the_same_key(make):
    lenient, strict = make(), make(conflict_on_reuse=True)
    first = lenient.generate("A fox", key="one").json()["jobId"]
    assert lenient.generate("A bear", key="one").json()["jobId"] == first
    strict.generate("A fox", key="one")
    assert strict.generate("A fox", key="one").status_code == 202
    assert strict.generate("A bear", key="one").status_code == 409
    assert len(strict.twin.ledger) == 1


def test_key_can_be_ignored_and_has_a_length(make):
    api = make(honours_idempotency=False)
    assert api.generate(key="one").json() != api.generate(key="one").json()
    assert api.generate(key="k" * 255).status_code == 202
    assert api.generate(key="k" * 256).status_code == 400


def test_concurrent_submissions_with_one_key_make_one_job(api):
    answers: list[str] = []

    def submit() -> None:
        own = Api(api.twin)
        answers.append(own.generate(key="one").json()["jobId"])
        own.session.close()

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), len(set(answers)), len(api.twin.ledger)) == (8, 1, 1)


# Jobs


def test_timeline(make):
    api = make(seconds_per_job=100)
    job_id = api.generate().json()["jobId"]
    job = api.job(job_id)
    assert set(job) == {
        "id", "status", "model", "progress", "result", "error", "creditCost", "webhookStatus",
        "createdAt", "completedAt", "expired", "input",
    }  # fmt: skip
    assert (job["status"], job["progress"], job["result"]) == ("QUEUED", 0, None)
    assert (job["error"], job["completedAt"], job["webhookStatus"]) == (None, None, None)
    assert job["expired"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["createdAt"])
    api.twin.advance(50)
    job = api.job(job_id)
    assert (job["status"], job["progress"] // 10) == ("PROCESSING", 5)
    api.twin.advance(50)
    job = api.job(job_id)
    assert (job["status"], job["progress"]) == ("COMPLETED", 100)
    assert job["result"] == {"images": [f"{api.twin.base_url}/images/{job_id}-1.png"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["completedAt"])


@pytest.mark.parametrize(
    ("model", "seconds"),
    [(TURBO, 15), ("ideogram-v4-balanced", 22), ("ideogram-v4-quality", 40)],
)
def test_duration_by_model_and_speed(make, model, seconds):
    api = make(speed=0.1)
    job_id = api.generate(model=model).json()["jobId"]
    api.twin.advance(seconds * 10 - 20)
    assert api.job(job_id)["status"] == "PROCESSING"
    api.twin.advance(20)
    assert api.job(job_id)["status"] == "COMPLETED"


def test_job_ends_by_itself(make):
    api = make(seconds_per_job=0.01)
    api.generate("A fox [fail]")
    until(lambda: api.twin.credits == 1000)


def test_bad_unknown_and_foreign_ids(api):
    job_id = api.generate().json()["jobId"]
    assert api.get("/v2/jobs/nothing").status_code == 400
    assert api.get(f"/v2/jobs/{uuid.uuid4()}").status_code == 404
    api.session.headers["X-API-Key"] = FOREIGN_KEY
    response = api.get(f"/v2/jobs/{job_id}")
    assert (response.status_code, response.json()) == (404, {"error": "Job not found"})


def test_result_expires(make):
    api = make(result_ttl=3600)
    job = api.finished()
    url = job["result"]["images"][0].removeprefix(api.twin.base_url)
    assert (api.get(url).status_code, job["expired"]) == (200, False)
    api.twin.advance(3600)
    assert api.get(url).status_code == 404
    assert api.job(job["id"])["expired"] is True
    assert api.get("/v2/jobs").json()["jobs"][0]["expired"] is True


def test_values_that_only_the_model_refuses(api):
    for params in ({"style_type": "CUBIST"}, {"aspect_ratio": "wide"}, {"resolution": "big"}):
        assert api.finished(ideogramParams=params)["status"] == "FAILED"
    for params in ({"style_type": "Realistic"}, {"aspect_ratio": "3:1"}, {"resolution": "None"}):
        assert api.finished(ideogramParams=params)["status"] == "COMPLETED"


def test_list_pages_newest_first(api):
    ids = [api.generate(f"Fox {n}").json()["jobId"] for n in range(5)]
    page = api.get("/v2/jobs?limit=2").json()
    assert set(page) == {"jobs", "nextCursor", "hasMore"}
    assert set(page["jobs"][0]) == {
        "id", "status", "model", "progress", "result", "error", "creditCost", "webhookStatus",
        "createdAt", "completedAt", "expired",
    }  # fmt: skip
    seen = [job["id"] for job in page["jobs"]]
    while page["hasMore"]:
        api.generate("In between")  # a new job does not shift the pages behind
        page = api.get("/v2/jobs", params={"limit": 2, "cursor": page["nextCursor"]}).json()
        seen += [job["id"] for job in page["jobs"]]
    assert seen == ids[::-1]
    assert page["nextCursor"] is None


def test_list_filters(api):
    failed = api.finished("A fox [fail]")["id"]
    queued = api.generate(model="ideogram-v4-quality").json()["jobId"]

    def listed(query: str) -> list[str]:
        return [job["id"] for job in api.get(f"/v2/jobs?{query}").json()["jobs"]]

    assert listed("") == [queued, failed]
    assert listed("status=FAILED") == [failed]
    assert listed("status=QUEUED&scope=team") == [queued]
    assert listed("model=ideogram-v4-quality") == [queued]
    assert listed(f"search={failed}") == [failed]
    assert api.get("/v2/jobs?include_models=true").json()["models"] == [
        "ideogram-v4-quality",
        TURBO,
    ]
    api.session.headers["X-API-Key"] = FOREIGN_KEY
    assert listed("") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "status=done", "scope=all", "search=1", "cursor=zzz",
     "cursor=é", "include_models=1"],
)  # fmt: skip
def test_bad_list_queries(api, query):
    response = api.get(f"/v2/jobs?{query}")
    assert response.status_code == 400
    assert "error" in response.json()


def test_team_list_is_for_admins(make):
    assert make(role="MEMBER").get("/v2/jobs?scope=team").status_code == 403


# The rest of the API


def test_me(api):
    me = api.get("/v2/me").json()
    assert set(me) == {"user", "team", "apiKey"}
    assert set(me["user"]) == {"id", "email", "role"}
    assert set(me["team"]) == {"id", "name", "credits", "plan", "customerId"}
    assert set(me["apiKey"]) == {"id", "name", "prefix"}
    assert me["team"]["credits"] == 1000
    assert KEY.startswith(me["apiKey"]["prefix"])
    assert KEY not in json.dumps(me)


def test_models_need_no_key(make):
    api = make(key=None)
    models = api.get("/v2/models").json()["models"]
    assert len(models) == 11
    assert {model["id"]: model["costMax"] for model in models}["ideogram-character"] == 20
    assert api.get("/v2/models?modality=image").json()["models"] == models
    assert api.get("/v2/models?modality=video").json() == {"models": []}
    assert api.get("/v2/models?modality=text").status_code == 400


def test_upload_by_its_first_bytes(api):
    png = b"\x89PNG\r\n\x1a\n\r\n\n--x\r\n\r\n"
    response = api.post("/v2/uploads", files={"file": ("a.txt", png, "text/plain")})
    assert response.status_code == 201
    upload = response.json()
    assert set(upload) == {"id", "url", "kind", "contentType", "byteSize", "expiresAt"}
    assert (upload["kind"], upload["contentType"]) == ("image", "image/png")
    assert upload["byteSize"] == len(png)
    assert requests.get(upload["url"], timeout=10).content == png
    api.twin.advance(3 * 3600)
    assert requests.get(upload["url"], timeout=10).status_code == 404


def test_bad_uploads(api):
    assert api.post("/v2/uploads", files={"file": ("a.png", b"<html>")}).status_code == 400
    assert api.post("/v2/uploads", files={"image": ("a.png", b"GIF89a")}).status_code == 400
    assert api.post("/v2/uploads", data=b"x").status_code == 400
    large = b"GIF89a" + bytes(25 * 1024 * 1024)
    assert api.post("/v2/uploads", files={"file": ("a.gif", large)}).status_code == 400


def test_requests_are_recorded_with_masked_keys(api):
    api.generate("A fox", key="one")
    api.get("/v2/me")
    submission, me = api.twin.requests
    assert (submission.method, submission.path) == ("POST", "/v2/images/generate")
    assert submission.body == {"prompt": "A fox", "model": TURBO}
    assert submission.headers["idempotency-key"] == "one"
    assert submission.headers["x-api-key"] == "afk_…0000"
    assert (me.method, me.path, me.body) == ("GET", "/v2/me", None)


def test_connection_is_kept_alive_and_bodies_are_bounded(api):
    assert api.get("/v2/me").headers.get("Connection") is None
    assert api.get("/v2/me").raw.version == 11
    assert api.post("/v2/images/generate", data=iter([b"x"])).status_code == 413


# Webhooks


def test_signature_vectors():
    body = b'{"jobId":"abc","status":"COMPLETED"}'
    assert signature(body, KEY, "raw") == (
        "sha256=58e6d7af820911d918b1b43ade255ec260002ca8b24ba46dd057a99d192c89f4"
    )
    assert signature(body, KEY, "hex") == (
        "sha256=2cb660473e59908c969f761f7444eda6c9067d13d2d83a0057fb8fb5197c60af"
    )
    assert signature(body, KEY, "none") is None


def test_completed_webhook(api, receiver):
    job_id = api.generate(webhookUrl=receiver.url).json()["jobId"]
    assert api.job(job_id)["webhookStatus"] == "pending"
    api.twin.finish_all()
    until(lambda: api.job(job_id)["webhookStatus"] == "delivered")
    ((path, headers, body),) = receiver.calls
    job = api.job(job_id)
    assert list(json.loads(body).items()) == list(
        {
            "event": "completed",
            "jobId": job_id,
            "status": "COMPLETED",
            "progress": 100,
            "result": job["result"],
            "model": TURBO,
            "creditCost": 3,
            "completedAt": job["completedAt"],
        }.items()
    )
    assert path == "/hook?token=t"
    assert headers["X-Webhook-Event"] == "completed"
    assert headers["X-Webhook-Signature"] == signature(body, KEY, "hex")
    assert headers["Content-Type"] == "application/json"


def test_failed_webhook(make, receiver):
    api = make(signature="raw")
    job = api.finished("A fox [policy]", webhookUrl=receiver.url)
    until(lambda: receiver.calls)
    ((_, headers, body),) = receiver.calls
    assert json.loads(body) == {
        "event": "failed",
        "jobId": job["id"],
        "status": "FAILED",
        "error": "Provider returned an error: content policy violation",
        "model": TURBO,
    }
    assert headers["X-Webhook-Signature"] == signature(body, KEY, "raw")


def test_unsigned_webhook(make, receiver):
    make(signature="none").finished(webhookUrl=receiver.url)
    until(lambda: receiver.calls)
    assert "X-Webhook-Signature" not in receiver.calls[0][1]


def test_progress_webhooks_only_when_asked(make, receiver):
    api = make(seconds_per_job=0.05, webhook_threads=1)
    job_id = api.generate(webhookUrl=receiver.url, webhookEvents=["progress", "completed"]).json()[
        "jobId"
    ]
    until(lambda: receiver.calls and receiver.payloads[-1]["event"] == "completed")
    progress = [p for p in receiver.payloads if p["event"] == "progress"]
    assert [p["progress"] for p in progress] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert progress[0] == {
        "event": "progress",
        "jobId": job_id,
        "status": "PROCESSING",
        "progress": 10,
        "model": TURBO,
    }
    assert receiver.payloads[-1]["event"] == "completed"


def test_event_not_asked_for_is_not_told(api, receiver):
    unasked = api.finished(webhookUrl=receiver.url, webhookEvents=["failed"])
    asked = api.finished("[fail]", webhookUrl=receiver.url, webhookEvents=["failed"])
    until(lambda: receiver.calls)
    assert [p["jobId"] for p in receiver.payloads] == [asked["id"]]
    assert api.job(unasked["id"])["webhookStatus"] == "pending"


def test_refused_webhook_is_tried_again_and_redirects_are_not_followed(make, receiver):
    api = make(webhook_retries=[0, 0])
    receiver.answers = [500, 302]
    job = api.finished(webhookUrl=receiver.url)
    until(lambda: api.job(job["id"])["webhookStatus"] == "delivered")
    assert [path for path, _, _ in receiver.calls] == ["/hook?token=t"] * 3
    deliveries = api.twin.webhook_deliveries
    assert [(d.attempt, d.status) for d in deliveries] == [(1, 500), (2, 302), (3, 204)]
    assert len({d.body for d in deliveries}) == 1


def test_webhook_that_never_succeeds(make, receiver):
    api = make(webhook_retries=[0])
    receiver.answers = [500] * 9
    job = api.finished(webhookUrl=receiver.url)
    until(lambda: api.job(job["id"])["webhookStatus"] == "failed")
    assert len(receiver.calls) == 2


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:1/", True), ("http://web:8000/", True), ("http://a.test/", True),
     ("http://[::1]/", True), ("https://example.com/", False), ("http://8.8.8.8/", False)],
)  # fmt: skip
def test_webhooks_stay_at_home(url, local):
    assert is_local(urlsplit(url)) is local


# Faults


@pytest.mark.parametrize(
    ("mark", "status"), [("429", 429), ("503", 503), ("1010", 403), ("504", 504)]
)
def test_first_try_is_refused(api, mark, status):
    prompt = f"A fox [{mark}]"
    first = api.generate(prompt, key="one")
    assert first.status_code == status
    assert len(api.twin.ledger) == (1 if mark == "504" else 0)
    assert api.generate(prompt, key="one").status_code == 202
    assert len(api.twin.ledger) == 1
    assert first.headers.get("Retry-After") == ("1" if mark == "429" else None)
    if mark == "1010":
        assert first.text == "error code: 1010"


@pytest.mark.parametrize(("mark", "made"), [("cut", 1), ("cut-before", 0)])
def test_connection_is_cut(api, mark, made):
    with pytest.raises(requests.ConnectionError):
        api.generate(f"A fox [{mark}]", key="one")
    assert len(api.twin.ledger) == made
    assert api.generate(f"A fox [{mark}]", key="one").status_code == 202
    assert len(api.twin.ledger) == 1


def test_nonsense_answer(api):
    response = api.generate("A fox [nonsense]", key="one")
    assert response.status_code == 202
    with pytest.raises(requests.JSONDecodeError):
        response.json()
    assert api.generate("A fox [nonsense]", key="one").json()["jobId"] == api.twin.jobs[0]["id"]


def test_conflict(api):
    assert [api.generate("[conflict]", key="one").status_code for _ in range(2)] == [409, 409]
    assert api.twin.ledger == []


@pytest.mark.parametrize(
    ("mark", "status", "error"),
    [
        ("policy", "FAILED", "Provider returned an error: content policy violation"),
        ("capacity", "FAILED", "No available capacity — please retry shortly"),
        ("cancelled", "CANCELLED", None),
    ],
)
def test_jobs_that_end_badly(api, mark, status, error):
    job = api.finished(f"A fox [{mark}]")
    assert (job["status"], job["error"], job["creditCost"]) == (status, error, 0)
    assert api.twin.credits == 1000


def test_slow_and_endless_jobs(make):
    api = make(seconds_per_job=10)
    slow = api.generate("A fox [slow]").json()["jobId"]
    endless = api.generate("A fox [forever]").json()["jobId"]
    api.twin.advance(50)
    assert api.job(slow)["status"] == "PROCESSING"
    api.twin.advance(50)
    assert api.job(slow)["status"] == "COMPLETED"
    assert api.twin.finish_all() == 0
    assert api.job(endless)["status"] == "PROCESSING"


def test_odd_shapes(make):
    api = make()
    assert api.job(api.generate("[null-progress]").json()["jobId"])["progress"] is None
    job = api.finished("[string-result]")
    assert job["result"] == f"{api.twin.base_url}/images/{job['id']}-1.png"
    assert isinstance(make(result_shape="string").finished()["result"], str)
    (foreign,) = api.finished("[foreign-url]")["result"]["images"]
    assert not foreign.startswith(api.twin.base_url)
    expired = api.finished("[expired]")
    assert (expired["status"], expired["expired"]) == ("COMPLETED", True)
    assert requests.get(expired["result"]["images"][0], timeout=10).status_code == 404


def test_polls_fail_once(api):
    job_id = api.generate("[poll-503] [poll-429]").json()["jobId"]
    assert [api.get(f"/v2/jobs/{job_id}").status_code for _ in range(3)] == [429, 503, 200]


def test_lost_webhook(api, receiver):
    lost = api.finished("[no-webhook]", webhookUrl=receiver.url)
    other = api.finished("A fox", webhookUrl=receiver.url)
    until(lambda: receiver.calls)
    assert [p["jobId"] for p in receiver.payloads] == [other["id"]]
    assert api.job(lost["id"])["webhookStatus"] == "pending"


def test_webhook_twice_late_stale_and_forged(make, receiver):
    api = make(seconds_per_job=30)
    api.finished("[duplicate-webhook]", webhookUrl=receiver.url)
    until(lambda: len(receiver.calls) == 2)
    assert receiver.calls[0][2] == receiver.calls[1][2]
    receiver.calls.clear()
    late = api.generate("[late-webhook]", webhookUrl=receiver.url).json()["jobId"]
    api.twin.advance(30)
    assert api.job(late)["status"] == "COMPLETED"
    assert receiver.calls == []
    api.twin.advance(60)
    until(lambda: receiver.calls)
    receiver.calls.clear()
    api.finished(
        "[stale-webhook]", webhookUrl=receiver.url, webhookEvents=["progress", "completed"]
    )
    until(lambda: len(receiver.calls) == 2)
    assert [p["event"] for p in receiver.payloads] == ["completed", "progress"]
    receiver.calls.clear()
    api.finished("[bad-signature]", webhookUrl=receiver.url)
    until(lambda: receiver.calls)
    _, headers, body = receiver.calls[0]
    assert headers["X-Webhook-Signature"] != signature(body, KEY, "hex")


def test_rates_and_counts(make):
    api = make(faults=Faults(rates={"fail": 1.0}, next={"429": 2}, retry_after=7))
    refused = [api.generate() for _ in range(3)]
    assert [response.status_code for response in refused] == [429, 429, 202]
    assert refused[0].headers["Retry-After"] == "7"
    api.twin.fail_next("cancelled")
    assert api.finished()["status"] == "CANCELLED"
    assert api.finished()["status"] == "FAILED"
    api.twin.set_faults(Faults())
    assert api.finished()["status"] == "COMPLETED"


@pytest.mark.parametrize("wrong", [{"rates": {"x": 1}}, {"rates": {"fail": 2}}, {"latency": -1}])
def test_wrong_faults(wrong):
    with pytest.raises(ValueError, match=r"Unknown fault|probability|negative"):
        Faults(**wrong)


def test_too_many_jobs_at_once(make):
    api = make(max_concurrent_jobs=1)
    api.generate()
    assert api.generate().status_code == 429
    api.twin.finish_all()
    assert api.generate().status_code == 202


# Holding submissions back


@pytest.mark.parametrize(("when", "made"), [("after", 1), ("before", 0)])
def test_held_submission(api, when, made):
    answers: list[requests.Response] = []
    api.twin.hold(when, 1)
    thread = threading.Thread(target=lambda: answers.append(api.generate(key="one")))
    thread.start()
    assert api.twin.wait_until_held()
    assert (api.twin.held, len(api.twin.ledger), answers) == (1, made, [])
    assert api.twin.release() == 1
    thread.join()
    assert answers[0].json()["jobId"] == api.twin.ledger[0].job_id
    assert api.generate().status_code == 202


def test_dropped_submission_makes_no_job(api):
    api.twin.hold("before")
    failures: list[Exception] = []

    def submit() -> None:
        try:
            api.generate()
        except requests.ConnectionError as error:
            failures.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    assert api.twin.wait_until_held()
    api.twin.release(drop=True)
    thread.join()
    assert (len(failures), api.twin.ledger) == (1, [])


# Control over HTTP


def test_control_over_http(make, receiver):
    api = make(key=None)
    client = Api(api.twin)
    job_id = client.generate("Fuchs", key="one", webhookUrl=receiver.url).json()["jobId"]
    ledger = api.get("/_simulator/ledger").json()
    assert ledger["credits"] == 997
    assert ledger["charges"][0].items() >= {"job_id": job_id, "refunded": False}.items()
    assert api.post("/_simulator/finish", json={"job": job_id}).json() == {"finished": 1}
    assert api.get("/_simulator/jobs").json()["jobs"][0]["status"] == "COMPLETED"
    until(lambda: api.get("/_simulator/webhooks").json()["deliveries"])
    recorded = api.get("/_simulator/requests").json()["requests"]
    assert [request["path"] for request in recorded] == ["/v2/images/generate"]
    assert KEY not in json.dumps(recorded)
    faults = {"next": {"503": 1}, "rates": {"fail": 1}}
    assert api.post("/_simulator/faults", json=faults).json()["next"] == {"503": 1}
    assert api.post("/_simulator/faults", json={"latency": 0.001}).json()["rates"] == {"fail": 1}
    assert [client.generate().status_code for _ in range(2)] == [503, 202]
    assert api.post("/_simulator/faults", json={"rates": {"x": 1}}).status_code == 400
    assert api.post("/_simulator/hold", json={"when": "never"}).status_code == 400
    assert api.post("/_simulator/hold", json={"when": "after"}).status_code == 200
    assert api.get("/_simulator/hold").json() == {"held": 0}
    assert api.post("/_simulator/release").json() == {"released": 0}
    assert api.post("/_simulator/advance", json={"seconds": 60}).status_code == 200
    assert api.twin.jobs[-1]["status"] == "FAILED"
    assert api.post("/_simulator/credits", json={"credits": 1}).json() == {"credits": 1}
    assert client.generate().status_code == 402
    assert api.get("/_simulator/nothing").status_code == 404
    client.session.close()


def test_control_is_closed_to_web_pages(api):
    response = api.get("/_simulator/ledger", headers={"Host": "attacker.example"})
    assert response.status_code == 403


# Files


def test_picture(make):
    api = make(picture_long_side=None)
    job = api.finished("A fox", ideogramParams={"aspect_ratio": "16:9"})
    response = requests.get(job["result"]["images"][0], timeout=10)
    assert response.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (1280, 720))
        assert len(picture.getcolors(maxcolors=2**24) or []) > 100
    assert requests.get(job["result"]["images"][0], timeout=10).content == response.content


def test_one_picture_for_every_job(make):
    given = draw_png("A fox", {}, "1", 16)
    api = make(picture=given)
    for prompt in ("A fox", "A hare"):
        url = api.finished(prompt)["result"]["images"][0]
        assert requests.get(url, timeout=10).content == given
    cut = api.finished("A fox [truncated]")["result"]["images"][0]
    assert requests.get(cut, timeout=10).content == given[: len(given) // 2]


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({}, (1024, 1024)),
        ({"aspect_ratio": "9:16"}, (720, 1280)),
        ({"aspect_ratio": "1:1"}, (1024, 1024)),
        ({"aspect_ratio": "0:1"}, (1024, 1024)),
        ({"resolution": "1440x2560"}, (1440, 2560)),
        ({"resolution": "None"}, (1024, 1024)),
    ],
)
def test_picture_sizes(params, size):
    assert picture_size(params, None) == size


def test_pictures_differ_by_job_unless_a_seed_is_given():
    assert draw_png("A fox", {}, "1", 64) != draw_png("A fox", {}, "2", 64)
    assert draw_png("A fox", {"seed": 7}, "1", 64) == draw_png("A fox", {"seed": 7}, "2", 64)


@pytest.mark.parametrize(
    "prompt", ["x" * 2000, "word " * 400, 'A "quoted" word', "é 日本 🦊", "\ud800", "[fail]", " "]
)
@pytest.mark.parametrize("style", ["AUTO", "DESIGN", "REALISTIC"])
def test_any_prompt_can_be_drawn(prompt, style):
    data = draw_png(prompt, {"style_type": style}, "1", 200)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size == (200, 200)


def download(api: Api, prompt: str, **options: Any) -> requests.Response:
    url = api.finished(prompt)["result"]["images"][0]
    return requests.get(url, timeout=10, allow_redirects=False, **options)


def test_file_is_absent_until_the_job_is_complete(api):
    job_id = api.generate().json()["jobId"]
    failed = api.generate("[fail]").json()["jobId"]
    assert api.get(f"/images/{job_id}-1.png").status_code == 404
    api.twin.finish_all()
    assert api.get(f"/images/{job_id}-1.png").status_code == 200
    assert api.get(f"/images/{job_id}-2.png").status_code == 404
    assert api.get(f"/images/{failed}-1.png").status_code == 404


def test_hostile_files(api):
    html = download(api, "[hostile]")
    assert (html.headers["Content-Type"], html.content[:15]) == ("image/png", b"<!doctype html>")
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(download(api, "[truncated]").content)).load()
    redirect = download(api, "[redirect]")
    assert (redirect.status_code, redirect.headers["Location"][:22]) == (
        302,
        "http://169.254.169.254",
    )
    bomb = download(api, "[bomb]").content
    assert len(bomb) < 1024 * 1024
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb))
    job = api.finished("[file-503]")
    statuses = [requests.get(job["result"]["images"][0], timeout=10).status_code for _ in "12"]
    assert statuses == [503, 200]


def test_endless_files(api):
    with download(api, "[huge]", stream=True) as huge:
        assert huge.headers["Content-Length"] == str(1 << 30)
        assert huge.raw.read(1 << 20)[:4] == b"\x89PNG"
    with download(api, "[drip]", stream=True) as drip:
        assert drip.raw.read(1) == b"\x89"


# The whole


def test_many_jobs_in_flight_share_one_thread(make):
    api = make(credits=10**6)
    before = threading.active_count()
    provider = api.twin._provider
    account = api.twin._keyring.main
    body = {"prompt": "A fox", "model": TURBO}
    for _ in range(5000):
        provider.submit(account, KEY, body, b'{"prompt":"A fox"}', None)
    assert threading.active_count() == before
    api.twin.advance(60)
    assert {job["status"] for job in api.twin.jobs} == {"COMPLETED"}


def test_stop_ends_every_thread_even_with_held_requests(receiver):
    before = set(threading.enumerate())
    with Simulator(api_keys=[KEY]) as twin:
        api = Api(twin)
        api.get("/v2/me")
        twin.hold("after")

        def submit() -> None:
            with pytest.raises(requests.ConnectionError):
                api.generate()

        thread = threading.Thread(target=submit)
        thread.start()
        assert twin.wait_until_held()
    thread.join()
    api.session.close()
    assert {t for t in threading.enumerate() if t.name.startswith("simulator")} <= before


def test_wrong_options_are_refused():
    for options in ({"signature": "md5"}, {"result_shape": "x"}, {"speed": 0}, {"api_keys": ["k"]}):
        with pytest.raises(ValueError, match=r"."):
            Simulator(**options)


def test_it_shares_nothing_with_the_rest_of_the_package():
    folder = Path(ideogram_django.simulator.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                own = name.startswith("ideogram_django.simulator")
                assert own or root == "PIL" or root in sys.stdlib_module_names, (path, name)


def test_docstring_lists_every_fault():
    text = ideogram_django.simulator.__doc__
    assert sorted(re.findall(r"^`\[([a-z0-9-]+)\]`", text, re.M)) == sorted(fault_names())


def command(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run the command in a site that has no key and whose database cannot be reached."""
    (tmp_path / "site_settings.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['ideogram_django']\nUSE_TZ = True\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "site_settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, "-m", "django", "ideogram_simulator", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_runs_and_stops(tmp_path, number):
    arguments = ("--port", "0", "--api-key", KEY, "--fail-rate", "1", "--credits", "7")
    with command(tmp_path, *arguments) as process:
        assert process.stdout is not None
        greeting = ""
        while "ledger" not in greeting:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            greeting += line
        (url,) = re.findall(r'"API_BASE_URL": "(.*)"', greeting)
        response = requests.get(f"{url}/v2/me", headers={"X-API-Key": KEY}, timeout=10)
        assert response.json()["team"]["credits"] == 7
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors, output.strip()) == (0, "", "Stopped.")


def test_command_help_and_wrong_options(tmp_path):
    with command(tmp_path, "--help") as process:
        output, _ = process.communicate(timeout=20)
    for name in fault_names():
        assert f"  [{name}] " in output
    with command(tmp_path, "--fault", "nothing=1") as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "CommandError: Unknown fault 'nothing'" in errors

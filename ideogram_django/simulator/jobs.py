"""One generation job: its timeline and what the API shows of it."""

import json
import math
from dataclasses import dataclass
from typing import Any

from ideogram_django.simulator.clock import iso
from ideogram_django.simulator.ledger import Account

# The share of a job's time that it waits in the queue.
_QUEUED_SHARE = 0.1


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A job's record. Its status is computed from the clock until it is settled.

    Slotted, and the request is kept as bytes: a hundred thousand of these may be in flight.
    """

    id: str
    number: int
    account: Account
    api_key: str
    model: str
    prompt: str
    body: bytes
    """The request as received; shown as `input`."""
    idempotency_key: str | None
    price: int
    created_at: float
    duration: float
    """Simulated seconds from submission to the end; infinite if it never ends."""
    outcome: str
    """The status it will end with."""
    error: str | None
    faults: frozenset[str]
    webhook_url: str | None
    webhook_events: tuple[str, ...]
    webhook_status: str | None = None
    settled: bool = False
    """Whether the end has been booked: refund, webhook, `completed_at`."""
    completed_at: float | None = None
    told: int = 0
    """The progress that the last webhook told, in percent."""

    @property
    def due_at(self) -> float:
        """When it ends, in simulated seconds since the epoch."""
        return self.created_at + self.duration

    def status(self, now: float) -> str:
        """Return QUEUED, PROCESSING or how it ended."""
        if self.settled:
            return self.outcome
        waiting = 1.0 if math.isinf(self.duration) else self.duration * _QUEUED_SHARE
        return "QUEUED" if now < self.created_at + waiting else "PROCESSING"

    def progress(self, now: float) -> int | None:
        """Return the percentage done: 0 when queued and after a failure, 100 when complete."""
        if "null-progress" in self.faults:
            return None
        if self.settled:
            return 100 if self.outcome == "COMPLETED" else 0
        if self.status(now) == "QUEUED":
            return 0
        if math.isinf(self.duration):
            return 45
        return max(1, min(99, int(100 * (now - self.created_at) / self.duration)))

    @property
    def credit_cost(self) -> int:
        """Return what it costs: the price from the start, 0 once it is refunded."""
        return self.price if not self.settled or self.outcome == "COMPLETED" else 0

    def params(self) -> dict[str, Any]:
        """Return the request's `ideogramParams`."""
        params: dict[str, Any] = json.loads(self.body).get("ideogramParams", {})
        return params

    def result(self, base_url: str, shape: str) -> object:
        """Return the result of a COMPLETED job, else None."""
        if not self.settled or self.outcome != "COMPLETED":
            return None
        host = "https://cdn2.apiframe.ai.example" if "foreign-url" in self.faults else base_url
        url = f"{host}/images/{self.id}-1.png"
        if shape == "string" or "string-result" in self.faults:
            return url
        return {"images": [url]}

    def expired(self, now: float, result_ttl: float) -> bool:
        """Say whether the files of a COMPLETED job have been purged."""
        if self.completed_at is None or self.outcome != "COMPLETED":
            return False
        return "expired" in self.faults or now >= self.completed_at + result_ttl

    def public(self, now: float, base_url: str, shape: str, result_ttl: float) -> dict[str, object]:
        """Return the job as a list shows it (Apiframe API reference, Jobs)."""
        return {
            "id": self.id,
            "status": self.status(now),
            "model": self.model,
            "progress": self.progress(now),
            "result": self.result(base_url, shape),
            "error": self.error if self.settled else None,
            "creditCost": self.credit_cost,
            "webhookStatus": self.webhook_status,
            "createdAt": iso(self.created_at),
            "completedAt": None if self.completed_at is None else iso(self.completed_at),
            "expired": self.expired(now, result_ttl),
        }

    def final_webhook(self, base_url: str, shape: str) -> tuple[str, dict[str, object]] | None:
        """Return event and payload of the webhook that tells the end; None for CANCELLED.

        Exactly the documented keys, in their order (Apiframe documentation, Webhooks).
        """
        if self.outcome == "COMPLETED" and self.completed_at is not None:
            return "completed", {
                "event": "completed",
                "jobId": self.id,
                "status": "COMPLETED",
                "progress": 100,
                "result": self.result(base_url, shape),
                "model": self.model,
                "creditCost": self.credit_cost,
                "completedAt": iso(self.completed_at),
            }
        if self.outcome == "FAILED":
            return "failed", {
                "event": "failed",
                "jobId": self.id,
                "status": "FAILED",
                "error": self.error,
                "model": self.model,
            }
        return None

    def progress_webhook(self, progress: int) -> dict[str, object]:
        """Return the payload of a progress webhook."""
        return {
            "event": "progress",
            "jobId": self.id,
            "status": "PROCESSING",
            "progress": progress,
            "model": self.model,
        }

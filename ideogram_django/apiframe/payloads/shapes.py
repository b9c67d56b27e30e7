"""What the provider tells, as values: frozen, typed, safe to keep. No JSON name appears here."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class JobStatus(enum.StrEnum):
    """Where a job stands. A word that we do not know is UNKNOWN and ends nothing."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def read(cls, word: str) -> JobStatus:
        """The status of this name, whatever its case."""
        return cls.__members__.get(word.strip().upper(), cls.UNKNOWN)

    @property
    def is_final(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted:
    """The answer to a submission. The status is not QUEUED where a key was sent again."""

    job_id: str
    status: JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the provider sees it. ``progress`` is percent; times are aware, in UTC.

    ``credit_cost`` is what is charged at the moment: 0 once a failed job was refunded.
    ``input`` is the request as the provider received it; lists of jobs lack it.
    ``expired``: the files of a completed job are gone.
    """

    id: str
    status: JobStatus
    model: str = ""
    progress: int | None = None
    image_urls: tuple[str, ...] = ()
    error: str = ""
    credit_cost: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    input: Mapping[str, object] | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs, the newest first. ``skipped`` counts entries that could not be read."""

    jobs: tuple[Job, ...]
    next_cursor: str | None
    has_more: bool
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom the API key belongs to. ``credits`` is the team's balance, None where not told."""

    credits: int | None
    plan: str = ""
    team_name: str = ""
    max_concurrent_jobs: int | None = None
    key_name: str = ""
    key_prefix: str = ""
    user_email: str = ""
    user_role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """The provider's own word on a model's price, in credits.

    ``cost_min`` is the cheapest corner, not the price: budget with ``cost_max``.
    """

    id: str
    label: str
    modality: str
    cost_min: float | None
    cost_max: float | None
    pricing_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that the provider keeps for an hour or two, at an address fit for a request."""

    id: str
    url: str
    kind: str
    content_type: str
    byte_size: int | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """What a webhook call claims. UNKNOWN status: it contradicts itself, so ask the API."""

    event: str
    job_id: str
    status: JobStatus
    progress: int | None = None
    image_urls: tuple[str, ...] = ()
    error: str = ""
    model: str = ""
    credit_cost: int | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """The provider's explanation of a refusal. ``details`` maps JSON paths to sentences."""

    error: str
    details: Mapping[str, list[str]] = field(default_factory=dict)
    credits_required: int | None = None
    credits_available: int | None = None

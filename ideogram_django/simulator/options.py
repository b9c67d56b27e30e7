"""How a provider behaves where its documentation leaves a choice, and how fast."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ideogram_django.simulator.webhooks import SignatureKind

ResultShape = Literal["images", "string"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How this provider behaves."""

    speed: float
    seconds_per_job: float | None
    signature: SignatureKind
    result_shape: ResultShape
    result_ttl: float
    honours_idempotency: bool
    conflict_on_reuse: bool
    max_concurrent_jobs: int | None
    webhook_retries: tuple[float, ...]
    prices: Mapping[str, int] | None

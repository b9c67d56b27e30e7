"""What can go wrong, by name. One vocabulary for prompts, rates, counts and the command line."""

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

_MARK = re.compile(r"\[([a-z0-9-]+)\]")


def fault_names() -> dict[str, str]:
    """Return every fault's name and what it does, in the order worth reading."""
    return {
        # The submission; by mark these strike the first try only.
        "429": "429 with Retry-After; no job is made",
        "503": "503; no job is made",
        "504": "504 from the gateway after the job was made and charged",
        "1010": "403 with the text of Cloudflare's error 1010; no job is made",
        "cut": "the connection is cut after the job was made and charged",
        "cut-before": "the connection is cut before a job is made",
        "nonsense": "202 whose body is not JSON; the job was made and charged",
        "conflict": "409 on every try; no job is made",
        # The job.
        "fail": "FAILED with a provider error",
        "policy": "FAILED because of the content policy",
        "capacity": "FAILED because no capacity was available",
        "cancelled": "ends as CANCELLED, with a refund and without a webhook",
        "slow": "takes ten times as long",
        "forever": "stays PROCESSING and never ends",
        "null-progress": "progress is null",
        "string-result": "the result is a bare URL instead of an object",
        "foreign-url": "the result's URL is on a host that is not the provider's",
        "expired": "the result has expired by the time it is complete",
        # Looking at the job; by mark these strike the first look only.
        "poll-429": "429 with Retry-After when the job is read",
        "poll-503": "503 when the job is read",
        # The webhook.
        "no-webhook": "no webhook is sent",
        "duplicate-webhook": "the webhook is sent twice at once",
        "late-webhook": "the webhook comes late by twice the job's time",
        "stale-webhook": "after the last webhook an old progress webhook comes, if asked for",
        "bad-signature": "the webhook is signed with another key",
        # The file.
        "hostile": "the file is HTML in a .png's clothes",
        "truncated": "the file ends in its middle",
        "bomb": "the file is a small PNG of 400 million pixels",
        "redirect": "the file's URL redirects to a private address",
        "drip": "the file comes one byte at a time",
        "huge": "the file announces one gibibyte and begins to send it",
        "file-503": "503 for the file; by mark on the first try only",
    }


REFUSALS = ("conflict", "429", "503", "1010", "cut-before")
LOST_ANSWERS = ("504", "cut", "nonsense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong by itself, in addition to the marks in prompts."""

    latency: float = 0.0
    """Seconds waited before every answer of the API."""
    retry_after: int = 1
    """Seconds named in the `Retry-After` header of a 429."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Probability (0 to 1) by fault name, thrown for every submission."""
    next: Mapping[str, int] = field(default_factory=dict)
    """How many of the next submissions are struck, by fault name."""
    seed: int | None = None
    """Makes the dice repeatable."""

    def __post_init__(self) -> None:
        known = fault_names()
        for name in (*self.rates, *self.next):
            if name not in known:
                raise ValueError(f"Unknown fault {name!r}; known are: {', '.join(known)}.")
        if any(not 0 <= rate <= 1 for rate in self.rates.values()):
            raise ValueError("A rate is a probability between 0 and 1.")
        if self.latency < 0 or self.retry_after < 0 or any(n < 0 for n in self.next.values()):
            raise ValueError("Latency, retry_after and counts cannot be negative.")


class Mischief:
    """Decides which faults strike. Thread-safe."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._met: set[tuple[str, str]] = set()
        self._faults = faults
        self._left = dict(faults.next)
        self._dice = random.Random(faults.seed)  # noqa: S311 - dice, not secrets

    @property
    def latency(self) -> float:
        return self._faults.latency

    @property
    def retry_after(self) -> int:
        return self._faults.retry_after

    def current(self) -> dict[str, object]:
        """Return the faults in force, with the counts still open."""
        with self._lock:
            left = {name: count for name, count in self._left.items() if count}
            return asdict(replace(self._faults, next=left))

    def change(self, faults: Faults) -> None:
        """Put other faults in force."""
        with self._lock:
            self._faults = faults
            self._left = dict(faults.next)
            self._dice = random.Random(faults.seed)  # noqa: S311 - dice, not secrets

    def strike_next(self, name: str, count: int = 1) -> None:
        """Let the next `count` submissions suffer the fault `name`."""
        Faults(next={name: count})  # refuses unknown names and negative counts
        with self._lock:
            self._left[name] = self._left.get(name, 0) + count

    def refusal(self, prompt: str, attempt: str) -> str | None:
        """Return why a submission is refused before a job is made, or None.

        `attempt` is the same for repeated tries: a mark strikes the first of them only, so that
        a client that tries again gets through. `conflict` strikes all.
        """
        if "conflict" in marks(prompt):
            return "conflict"
        return self._strike(REFUSALS, prompt, attempt)

    def lost_answer(self, prompt: str, attempt: str) -> str | None:
        """Return how the answer to an accepted submission gets lost, or None."""
        return self._strike(LOST_ANSWERS, prompt, attempt)

    def for_job(self, prompt: str) -> frozenset[str]:
        """Return the faults that a new job carries with it."""
        own = {name for name in marks(prompt) if name not in REFUSALS + LOST_ANSWERS}
        with self._lock:
            for name in fault_names():
                if name not in REFUSALS + LOST_ANSWERS and self._strikes(name):
                    own.add(name)
        return frozenset(own)

    def first(self, name: str, what: str) -> bool:
        """Say whether the fault `name` meets `what` for the first time."""
        with self._lock:
            known = (name, what) in self._met
            self._met.add((name, what))
            return not known

    def _strike(self, names: tuple[str, ...], prompt: str, attempt: str) -> str | None:
        marked = marks(prompt)
        for name in names:
            if name in marked and self.first(name, attempt):
                return name
            with self._lock:
                if self._strikes(name):
                    return name
        return None

    def _strikes(self, name: str) -> bool:
        left = self._left.get(name, 0)
        if left:
            self._left[name] = left - 1
            return True
        rate = self._faults.rates.get(name, 0.0)
        return rate > 0 and self._dice.random() < rate


def marks(prompt: str) -> set[str]:
    """Return the names of faults that stand in square brackets in `prompt`."""
    known = fault_names()
    return {name for name in _MARK.findall(prompt) if name in known}


def without_marks(prompt: str) -> str:
    """Return `prompt` without its marks, for drawing."""
    known = fault_names()
    return _MARK.sub(lambda match: "" if match[1] in known else match[0], prompt).strip()

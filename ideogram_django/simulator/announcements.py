"""Which webhooks a job sends, and when."""

import threading
from dataclasses import replace

from ideogram_django.simulator.answers import to_json
from ideogram_django.simulator.clock import Clock
from ideogram_django.simulator.jobs import Job
from ideogram_django.simulator.options import Options
from ideogram_django.simulator.timetable import Timetable
from ideogram_django.simulator.webhooks import Courier, Letter, signature

# In percent. The provider tells every percent; nine steps show the same with less noise.
_PROGRESS_STEP = 10
# Seconds between the last webhook and a stale one.
_STALE_AFTER = 0.05


class Announcer:
    """Writes the webhooks and books their outcome, under the provider's lock."""

    def __init__(
        self, options: Options, clock: Clock, timetable: Timetable, lock: threading.RLock
    ) -> None:
        self.base_url = ""
        self._options = options
        self._clock = clock
        self._timetable = timetable
        self._lock = lock
        self._courier: Courier | None = None

    def deliver_with(self, courier: Courier) -> None:
        """Send through this courier."""
        self._courier = courier

    def tell_end(self, job: Job) -> None:
        """Send the webhook of a settled job, if it was asked for."""
        final = job.final_webhook(self.base_url, self._options.result_shape)
        if final is None or final[0] not in job.webhook_events or "no-webhook" in job.faults:
            return
        event, payload = final
        late = 2 * job.duration if "late-webhook" in job.faults else 0.0
        copies = 2 if "duplicate-webhook" in job.faults else 1
        for _ in range(copies):
            self._post(job, event, payload, late)
        if "stale-webhook" in job.faults and "progress" in job.webhook_events:
            self._post(job, "progress", job.progress_webhook(50), late + _STALE_AFTER)

    def plan_progress(self, job: Job) -> None:
        """Put the job's next progress webhook on the timetable."""
        step = job.told + _PROGRESS_STEP
        if step < 100:
            # The first step falls on the end of the queue: a moment later it is PROCESSING.
            moment = job.created_at + job.duration * max(step / 100, 0.11)
            self._timetable.at(moment, self._tell_progress, job)

    def attempted(self, letter: Letter, job: Job, *, delivered: bool) -> None:
        """Book the outcome of a delivery; try again later when it failed.

        How often the provider tries again is not documented.
        """
        with self._lock:
            retries = self._options.webhook_retries
            if not delivered and letter.attempt <= len(retries) and self._courier is not None:
                pause = retries[letter.attempt - 1] / self._options.speed
                later = replace(letter, attempt=letter.attempt + 1)
                self._timetable.at(self._clock.now() + pause, self._courier.send, later)
            elif letter.event != "progress" and job.webhook_status != "delivered":
                job.webhook_status = "delivered" if delivered else "failed"

    def _tell_progress(self, job: Job) -> None:
        if job.settled:
            return
        job.told += _PROGRESS_STEP
        if "no-webhook" not in job.faults:
            self._post(job, "progress", job.progress_webhook(job.told), 0.0)
        self.plan_progress(job)

    def _post(self, job: Job, event: str, payload: dict[str, object], delay: float) -> None:
        if self._courier is None or job.webhook_url is None:
            return
        body = to_json(payload)
        key = job.api_key if "bad-signature" not in job.faults else job.api_key[::-1]
        letter = Letter(
            job_id=job.id,
            event=event,
            url=job.webhook_url,
            body=body,
            signature=signature(body, key, self._options.signature),
        )
        if delay:
            self._timetable.at(self._clock.now() + delay, self._courier.send, letter)
        else:
            self._courier.send(letter)

"""The simulator as its users see it: one object that is started and stopped."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from ideogram_django.simulator.accounts import Keyring
from ideogram_django.simulator.answers import Answer
from ideogram_django.simulator.clock import Clock
from ideogram_django.simulator.control import PREFIX, control
from ideogram_django.simulator.endpoints import Endpoints, Request
from ideogram_django.simulator.faults import Faults
from ideogram_django.simulator.files import Gallery
from ideogram_django.simulator.gate import Gate, Moment
from ideogram_django.simulator.journal import Journal, RecordedRequest, mask
from ideogram_django.simulator.ledger import Charge
from ideogram_django.simulator.options import Options, ResultShape
from ideogram_django.simulator.provider import Provider
from ideogram_django.simulator.server import LoopbackServer
from ideogram_django.simulator.uploads import UploadStore
from ideogram_django.simulator.webhooks import Courier, Delivery, SignatureKind


class Simulator:
    """Apiframe v2 for Ideogram on 127.0.0.1. Use as a context manager, once."""

    def __init__(
        self,
        *,
        api_keys: Iterable[str] = ("afk_simulator",),
        foreign_keys: Iterable[str] = (),
        credits: int = 100_000,
        role: str = "OWNER",
        port: int = 0,
        speed: float = 1.0,
        seconds_per_job: float | None = None,
        faults: Faults | None = None,
        signature: SignatureKind = "hex",
        result_shape: ResultShape = "images",
        honours_idempotency: bool = True,
        conflict_on_reuse: bool = False,
        max_concurrent_jobs: int | None = None,
        result_ttl: float = 86_400,
        prices: Mapping[str, int] | None = None,
        picture_long_side: int | None = None,
        picture: bytes | None = None,
        webhook_retries: Iterable[float] = (2.0, 10.0, 30.0),
        webhook_timeout: float = 5.0,
        webhook_threads: int = 8,
        webhook_anywhere: bool = False,
        keep: int = 10_000,
    ) -> None:
        """Prepare a simulator; nothing listens before `start`.

        api_keys: keys of the one main user.
        foreign_keys: keys of other users, each on their own, with the same credits.
        credits: what the team has at the beginning.
        role: the main user's role; OWNER and ADMIN may list with `scope=team`.
        port: 0 takes a free one.
        speed: how many times faster than the provider jobs run and webhooks are tried again.
        seconds_per_job: real seconds that every job takes, instead of the model's time.
        signature: how webhooks are signed, see `webhooks.signature`.
        result_shape: `images` for `{"images": [url]}`, `string` for a bare URL.
        honours_idempotency: False ignores `Idempotency-Key`.
        conflict_on_reuse: True answers 409 when a key comes with another body.
        max_concurrent_jobs: more running jobs than this are refused with 429.
        result_ttl: seconds after which a result expires.
        prices: credits by model id, replacing the catalogue's.
        picture_long_side: pixels; None for about 1280, or exactly the `resolution` asked for.
        picture: this PNG for every job, where drawing would take longer than what is measured.
        webhook_retries: seconds before the second and every further try.
        webhook_timeout: seconds a receiver may take to answer.
        webhook_anywhere: deliver also to hosts that are not on this machine or its network.
        keep: how many requests and deliveries to remember, newest first.
        """
        if signature not in ("hex", "raw", "none"):
            raise ValueError("signature is 'hex', 'raw' or 'none'.")
        if result_shape not in ("images", "string"):
            raise ValueError("result_shape is 'images' or 'string'.")
        if speed <= 0:
            raise ValueError("speed is greater than 0.")
        options = Options(
            speed=speed,
            seconds_per_job=seconds_per_job,
            signature=signature,
            result_shape=result_shape,
            result_ttl=result_ttl,
            honours_idempotency=honours_idempotency,
            conflict_on_reuse=conflict_on_reuse,
            max_concurrent_jobs=max_concurrent_jobs,
            webhook_retries=tuple(webhook_retries),
            prices=prices,
        )
        self._clock = Clock()
        self._gate = Gate()
        self._journal = Journal(keep)
        self._keyring = Keyring(api_keys, foreign_keys, credits=credits, role=role)
        self._provider = Provider(options, self._clock, faults or Faults())
        self._courier = Courier(
            threads=webhook_threads,
            timeout=webhook_timeout,
            anywhere=webhook_anywhere,
            now=self._clock.now,
            on_attempt=self._provider.webhook_attempted,
            keep=keep,
        )
        self._provider.announcer.deliver_with(self._courier)
        gallery = Gallery(
            mischief=self._provider.mischief,
            gate=self._gate,
            long_side=picture_long_side,
            picture=picture,
            keep=64,
        )
        self._endpoints = Endpoints(
            self._provider, self._keyring, UploadStore(self._clock), gallery, self._gate
        )
        self._port = port
        self._server: LoopbackServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and begin to work."""
        if self._server is not None:
            raise RuntimeError("A simulator is started once.")
        self._server = LoopbackServer(self._port, self._answer, self._arrived)
        self._provider.listen_at(self.base_url)
        self._provider.timetable.start()
        self._courier.start()
        self._server.start()

    def stop(self) -> None:
        """Close everything; within a few seconds even when clients and receivers hang."""
        self._gate.close()
        if self._server is not None:
            self._server.stop()
            self._provider.timetable.stop()
            self._courier.stop()

    @property
    def base_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8899`."""
        if self._server is None:
            raise RuntimeError("The simulator has not been started.")
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def credits(self) -> int:
        """The main user's balance."""
        return self._provider.credits(self._keyring.main)

    @credits.setter
    def credits(self, value: int) -> None:
        with self._provider.lock:
            self._keyring.main.credits = value

    @property
    def ledger(self) -> list[Charge]:
        """Every charge, oldest first."""
        return self._provider.charges()

    @property
    def jobs(self) -> list[dict[str, object]]:
        """Every job as `GET /v2/jobs/{id}` shows it, oldest first."""
        return [self._provider.public(job, with_input=True) for job in self._provider.jobs()]

    @property
    def requests(self) -> list[RecordedRequest]:
        """The newest requests to the API and the CDN, oldest first; keys are masked."""
        return self._journal.requests()

    @property
    def webhook_deliveries(self) -> list[Delivery]:
        """The newest attempts to deliver a webhook, oldest first."""
        return self._courier.deliveries()

    @property
    def held(self) -> int:
        """How many submissions are being held back now."""
        return self._gate.held()

    def finish_all(self) -> int:
        """End every running job now; returns how many."""
        return self.finish()

    def finish(self, job_id: str | None = None) -> int:
        """End one running job now (None: all of them); returns how many ended."""
        return self._provider.finish(job_id)

    def advance(self, seconds: float) -> None:
        """Let time pass at once: for jobs, retries, expiry and idempotency keys."""
        self._clock.advance(seconds)
        self._provider.timetable.wake()

    def fail_next(self, fault: str, count: int = 1) -> None:
        """Let the next `count` submissions suffer a fault, by its name."""
        self._provider.mischief.strike_next(fault, count)

    def set_faults(self, faults: Faults) -> None:
        """Put other faults in force."""
        self._provider.mischief.change(faults)

    def current_faults(self) -> dict[str, object]:
        """Return the faults in force."""
        return self._provider.mischief.current()

    def hold(self, when: Moment, count: int | None = None) -> None:
        """Hold back the next `count` submissions, `before` or `after` their job is made."""
        self._gate.hold(when, count)

    def release(self, *, drop: bool = False) -> int:
        """Let the held ones go on, or with `drop` cut them; returns how many there were."""
        return self._gate.release(drop=drop)

    def wait_until_held(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until `count` submissions are held; False after `timeout` seconds."""
        return self._gate.wait_until_held(count, timeout)

    def add_key(self, api_key: str) -> None:
        """Give the main user one more key, as when rotating."""
        self._keyring.add(api_key)

    def revoke_key(self, api_key: str) -> None:
        """Make a key invalid (401), immediately."""
        self._keyring.revoke(api_key)

    def deactivate_key(self, api_key: str) -> None:
        """Make a key inactive (403)."""
        self._keyring.deactivate(api_key)

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX):
            return control(self, request)
        return self._endpoints.answer(request)

    def _arrived(self, method: str, path: str, headers: dict[str, str], body: object) -> None:
        if path.startswith(PREFIX):
            return
        masked = {name: mask(name, value) for name, value in headers.items()}
        self._journal.record(
            RecordedRequest(
                method=method, path=path, headers=masked, body=body, at=self._clock.now()
            )
        )

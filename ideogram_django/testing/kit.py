"""What the fixture ``ideogram`` gives to a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from ideogram_django.simulator import Charge, RecordedRequest, Simulator
from ideogram_django.statuses import IN_PROGRESS, ChargeState, ErrorCode, Status

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ideogram_django.models import GeneratedImage

MOST_PASSES = 25
"""Passes without any picture ending that :meth:`Ideogram.finish` makes; the longest chain of tries
needs about ten."""
FAULTS: Mapping[str, str] = {
    ErrorCode.REFUSED: "policy",
    ErrorCode.PROVIDER_BUSY: "capacity",
    ErrorCode.PROVIDER_FAILED: "fail",
    ErrorCode.PROVIDER_CANCELLED: "cancelled",
    ErrorCode.RESULT_EXPIRED: "expired",
    ErrorCode.NOT_A_PICTURE: "hostile",
    ErrorCode.TOO_LARGE: "huge",
    ErrorCode.TOO_MANY_PIXELS: "bomb",
    ErrorCode.HOST_REFUSED: "foreign-url",
}
"""What makes a picture end with each error code."""


class Ideogram:
    """What the fixture ``ideogram`` gives: makes time pass, and says what was made and spent."""

    def __init__(self, twin: Simulator) -> None:
        self.twin = twin
        """The twin itself, for what is not offered here; see :mod:`ideogram_django.simulator`."""

    # --- making things happen -------------------------------------------------------------------

    def finish(self) -> None:
        """Send, render, fetch and store everything that is in progress, at once.

        Bulk runs that were started are carried on to their end, or to what pauses them. Works in
        this process, without queue and worker, and inside the transaction that the fixture ``db``
        opens. ``image_completed`` and ``image_failed`` are sent. Instances that the test holds
        have to be read again. Fails the test when something stays unfinished, such as a prompt
        marked ``[forever]`` or an account without credits; :meth:`step` does not.
        """
        passes, left = 0, self._left()
        while left != (0, 0) and passes < MOST_PASSES:
            self.step()
            now = self._left()
            passes, left = (passes + 1, now) if now == left else (0, now)
        if left != (0, 0):
            pytest.fail(self._stuck(), pytrace=False)

    def step(self) -> None:
        """One pass of a worker: what waits is sent, what was sent is fetched."""
        from django.db import router
        from django.db.models.functions import Now
        from django.test import TestCase

        from ideogram_django import drains
        from ideogram_django.models import GeneratedImage, ProviderState

        self.twin.finish_all()
        GeneratedImage.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
        ProviderState.objects.update(not_before=None, probe_after=None)
        # Under ``db`` the test's transaction never commits; the signals of this pass go out anyway.
        alias = router.db_for_write(GeneratedImage)
        with TestCase.captureOnCommitCallbacks(using=alias, execute=True):
            drains.work(sync=False, linger=0)

    def fail_next(self, kind: str = "provider_failed", count: int = 1) -> None:
        """Let the next ``count`` pictures meet trouble.

        ``kind``: the error code that they shall end with, such as ``refused`` or
        ``not_a_picture``, or one of the twin's faults, such as ``429`` or ``cut``, which
        ``manage.py ideogram_simulator --help`` lists. ``ValueError`` for another one.
        """
        self.twin.fail_next(FAULTS.get(kind, kind), count)

    @property
    def credits(self) -> int:
        """The balance of the provider account; may be set."""
        return self.twin.credits

    @credits.setter
    def credits(self, value: int) -> None:
        self.twin.credits = value

    # --- what happened --------------------------------------------------------------------------

    @property
    def charges(self) -> list[Charge]:
        """What the provider charged, oldest first, with ``credits``, ``prompt``, ``refunded``."""
        return self.twin.ledger

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every call that arrived at the provider, oldest first."""
        return self.twin.requests

    @property
    def generated(self) -> list[dict[str, Any]]:
        """What was ordered of the provider, oldest first: prompt, model and parameters, flat.

        By this package's names: what the API calls ``image`` is ``reference_image``.
        """
        return [_flat(job["input"]) for job in self.twin.jobs]

    def assert_generated(
        self, prompt: str = "", *, times: int | None = None, **parameters: Any
    ) -> None:
        """The provider was asked for a picture whose prompt contains ``prompt``.

        ``parameters``: what the request must hold beside it, such as ``aspect_ratio="16:9"`` or
        ``model="ideogram-v4-quality"``; ``times``: exactly so often, instead of at least once.
        """
        found = self._generated(prompt, parameters)
        if found if times is None else len(found) == times:
            return
        wanted = "at least one picture" if times is None else _pictures(times)
        raise AssertionError(
            f"Expected {wanted} for {_asked(prompt, parameters)}, found {len(found)}. "
            f"{self._told_generated()}"
        )

    def assert_not_generated(self, prompt: str = "", **parameters: Any) -> None:
        """The provider was not asked for such a picture; see :meth:`assert_generated`."""
        found = self._generated(prompt, parameters)
        if found:
            raise AssertionError(
                f"Expected no picture for {_asked(prompt, parameters)}, found {len(found)}. "
                f"{self._told_generated()}"
            )

    def assert_nothing_generated(self) -> None:
        """The provider was asked for nothing at all, and nothing waits to be sent to it."""
        waiting = self._unfinished().count()
        if self.generated or waiting:
            raise AssertionError(f"Expected that nothing is generated. {self._told_generated()}")

    def assert_pending(self, count: int) -> None:
        """So many pictures are asked for and not finished yet, drafts not counted."""
        from ideogram_django.models import GeneratedImage

        self._assert_count(count, GeneratedImage.objects.in_progress(), "in progress")

    def assert_completed(self, count: int) -> None:
        """So many pictures are finished, each with its file; uploads are not counted."""
        from ideogram_django.models import GeneratedImage

        finished = GeneratedImage.objects.completed().filter(uploaded=False)
        self._assert_count(count, finished, "completed")

    def assert_failed(self, code: str = "", *, count: int | None = None) -> None:
        """Pictures failed, with this error code if one is given; exactly ``count``, if given."""
        from ideogram_django.models import GeneratedImage

        failed = GeneratedImage.objects.failed()
        if code not in ("", *ErrorCode.values):
            raise ValueError(f"There is no error code {code!r}. There are: {ErrorCode.values}.")
        found = failed.filter(error_code=code) if code else failed
        if found.exists() if count is None else found.count() == count:
            return
        wanted = "a picture" if count is None else _pictures(count)
        raise AssertionError(
            f"Expected {wanted} to fail{f' with {code!r}' if code else ''}, found "
            f"{found.count()}. {self._told_rows()}"
        )

    def assert_nothing_spent(self) -> None:
        """Nothing is reserved, and nothing was charged that was not given back."""
        self.assert_charged(credits=0)

    def assert_charged(self, credits: int) -> None:
        """So many credits were spent, by the provider's account and by this site's ledger alike.

        What the provider gave back for a failed picture does not count.
        """
        from django.db.models import Sum

        from ideogram_django.models import Charge as Entry

        entries = Entry.objects.all()
        reserved = entries.filter(state=ChargeState.RESERVED).count()
        if reserved:
            raise AssertionError(
                f"{reserved} charges are reserved and still open. {self._told_waiting()}"
            )
        settled = entries.filter(state=ChargeState.SETTLED)
        booked = settled.aggregate(total=Sum("charged_credits"))["total"] or 0
        taken = sum(charge.credits for charge in self.charges if not charge.refunded)
        if (booked, taken) != (credits, credits):
            raise AssertionError(
                f"Expected {credits} credits to be spent; the provider took {taken}, "
                f"the ledger holds {booked}."
            )

    # --- parts ----------------------------------------------------------------------------------

    def _left(self) -> tuple[int, int]:
        """Pictures that are to end, those of running bulk runs too, and runs that are."""
        from ideogram_django.models import GeneratedImage, Run

        running = Run.objects.running()
        waiting = GeneratedImage.objects.drafts().filter(run__in=running, error_code="")
        return self._unfinished().count() + waiting.count(), running.count()

    def _generated(self, prompt: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            one
            for one in self.generated
            if prompt in one["prompt"]
            and all(one.get(name) == value for name, value in parameters.items())
        ]

    def _assert_count(self, count: int, rows: QuerySet[GeneratedImage], what: str) -> None:
        found = rows.count()
        if found != count:
            raise AssertionError(
                f"Expected {_pictures(count)} {what}, found {found}. {self._told_rows()}"
            )

    def _told_rows(self) -> str:
        from ideogram_django.models import GeneratedImage

        rows = GeneratedImage.objects.order_by("-pk")[:10]
        told = [
            f"{image.prompt[:40]!r} is {image.status}"
            + (f" ({image.error_code})" if image.error_code else "")
            for image in rows
        ]
        return f"The newest pictures: {'; '.join(told)}." if told else "There is no picture."

    def _unfinished(self) -> QuerySet[GeneratedImage]:
        from django.db.models import Q

        from ideogram_django.models import GeneratedImage

        # A finished picture may still have its smaller widths to come.
        more = Q(status=Status.COMPLETED, next_check_at__isnull=False)
        failing = Q(
            status=Status.FAILED, next_check_at__isnull=False, charge__state=ChargeState.RESERVED
        )
        return GeneratedImage.objects.filter(Q(status__in=IN_PROGRESS) | more | failing)

    def _stuck(self) -> str:
        from ideogram_django.models import ProviderState, Run

        lines = [f"  {image.prompt[:60]!r} is {image.status}" for image in self._unfinished()[:10]]
        lines += [f"  The bulk run {run.name!r} is running" for run in Run.objects.running()[:10]]
        paused = ProviderState.load().pause_message
        reason = f" {paused}" if paused else ""
        return "\n".join([f"Still unfinished after {MOST_PASSES} passes.{reason}", *lines])

    def _told_generated(self) -> str:
        if not self.generated:
            return f"Nothing was generated. {self._told_waiting()}"
        return "Generated were: " + "; ".join(str(one) for one in self.generated[-10:])

    def _told_waiting(self) -> str:
        waiting = self._unfinished().count()
        return f"Pictures in progress: {waiting}; was ideogram.finish() called?" if waiting else ""


def _flat(order: Any) -> dict[str, Any]:
    """The body of a request, its parameters beside prompt and model."""
    parameters: Mapping[str, Any] = order.get("ideogramParams") or {}
    flat = {"prompt": order["prompt"], "model": order["model"], **parameters}
    if "image" in flat:
        flat["reference_image"] = flat.pop("image")
    return flat


def _asked(prompt: str, parameters: Mapping[str, Any]) -> str:
    return ", ".join([repr(prompt), *(f"{name}={value!r}" for name, value in parameters.items())])


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"

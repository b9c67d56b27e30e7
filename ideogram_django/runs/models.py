"""The record of a bulk run."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from ideogram_django import hooks
from ideogram_django.budget.amounts import plain
from ideogram_django.budget.models import MONEY
from ideogram_django.runs import preparing, reporting, steering
from ideogram_django.statuses import RunPause, RunState

if TYPE_CHECKING:
    from ideogram_django.querysets import GeneratedImageQuerySet
    from ideogram_django.runs.reporting import Report


class RunQuerySet(models.QuerySet["Run"]):
    def running(self) -> RunQuerySet:
        return self.filter(state=RunState.RUNNING)

    def viewable_by(self, user: Any) -> RunQuerySet:
        """All for who may view runs; for who may have pictures made, their own.

        Somebody else's with pictures that the site's hooks hide from this person is hidden, too.
        """
        if any(user.has_perm(f"ideogram_django.{verb}_run") for verb in ("view", "change")):
            return self._not_hidden_from(user)
        if hooks.current().may(user, "generate"):
            return self.filter(requested_by=user.pk)
        return self.none()

    def _not_hidden_from(self, user: Any) -> RunQuerySet:
        site = hooks.current()
        if not hooks.hides_pictures(site):
            return self.all()
        pictures = preparing.pictures_of(self)
        its = pictures.filter(run=models.OuterRef("pk"))
        hidden = its.exclude(pk__in=site.visible(pictures, user).values("pk"))
        seen = models.Exists(its) & ~models.Exists(hidden)
        return self.filter(models.Q(requested_by=user.pk) | models.Q(seen))

    def prepare(
        self,
        requests: Iterable[Mapping[str, Any]],
        *,
        name: str,
        requested_by: Any = None,
        ceiling: Decimal | None = None,
        at_once: int | None = None,
        approve: bool = False,
        source: str = "",
        again_of: Run | None = None,
        run_id: UUID | None = None,
        **shared: Any,
    ) -> Run:
        """Check, price and save a run with its pictures as drafts; nothing is spent.

        ``requests`` and ``shared`` as for ``GeneratedImage.objects.generate_many()``.
        ``ceiling``: money that the run never commits more than; ``at_once``: most pictures in
        progress (default: ``RUN_IN_FLIGHT``); ``approve``: nothing is given to a record before
        somebody picked it; ``source``: what it was made from, for people; ``run_id``: preparing
        again with the same one gives the same run.
        Raises ``ValidationError`` with every problem's number, and then writes nothing.
        """
        return preparing.prepare(
            self,
            requests,
            run_id=run_id,
            columns={
                "name": name,
                "requested_by": requested_by,
                "ceiling": ceiling,
                "at_once": at_once,
                "approve": approve,
                "source": source,
                "again_of": again_of,
            },
            shared=shared,
        )


class Run(models.Model):
    """Many pictures that are made one after another, until somebody or something says stop."""

    State = RunState

    uuid = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=200)
    source = models.CharField(_("made from"), max_length=200, blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("requested by"),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=RunState, default=RunState.PREPARED, editable=False
    )
    pause = models.CharField(
        _("why it waits"), max_length=10, choices=RunPause, blank=True, editable=False
    )
    ceiling = models.DecimalField(
        _("ceiling"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("The run never commits more money than this. Empty: only the limits count."),
        **MONEY,
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, editable=False)
    at_once = models.PositiveIntegerField(
        _("at once"),
        validators=[MinValueValidator(1)],
        help_text=_("Most pictures of this run in progress at the same time."),
    )
    approve = models.BooleanField(
        _("ask before use"),
        default=False,
        help_text=_("A record gets its picture when somebody has picked it, not before."),
    )
    again_of: models.ForeignKey[Run | None, Run | None] = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="tries",
        verbose_name=_("failures tried again from"),
    )
    fed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True, editable=False)

    if TYPE_CHECKING:
        images: Any

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk run")
        verbose_name_plural = _("bulk runs")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["fed_at"],
                condition=models.Q(state=RunState.RUNNING),
                name="ideogram_django_running",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def pictures(self) -> GeneratedImageQuerySet:
        """The run's pictures, in the order in which they are made."""
        found: GeneratedImageQuerySet = self.images.order_by("pk")
        return found

    @property
    def is_over(self) -> bool:
        return self.state in (RunState.STOPPED, RunState.FINISHED)

    def report(self) -> Report:
        """How far it is and what it cost; see :class:`reporting.Report`. Two queries."""
        return reporting.report(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for an API, with the report; keys are only ever added to. Two queries."""
        return {
            "uuid": str(self.uuid),
            "name": self.name,
            "source": self.source,
            "state": str(self.state),
            "label": str(self.get_state_display()),
            "is_over": self.is_over,
            "pause": self.pause,
            "pause_message": str(self.get_pause_display()),
            "ceiling": plain(self.ceiling),
            "currency": self.currency,
            "at_once": self.at_once,
            "approve": self.approve,
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            **self.report().as_dict(),
        }

    # --- what one can do with it ----------------------------------------------------------------

    def start(self) -> None:
        """Prepared → running. ``ValidationError`` (code ``run_state``) from anywhere else."""
        steering.start(self)

    def halt(self) -> None:
        """Running → paused: nothing more is started; what is at the provider comes in."""
        steering.pause(self, RunPause.PERSON)

    def resume(self) -> None:
        """Paused → running; after a ceiling was raised, for example."""
        steering.resume(self)

    def stop(self) -> None:
        """End it for good: nothing more is started, what was not sent yet is cancelled."""
        steering.stop(self)

    def limit_to(self, ceiling: Decimal | None) -> None:
        """Set the ceiling, or take it away with ``None``. It holds from the next picture on."""
        steering.limit_to(self, ceiling)

    def discard(self) -> None:
        """Delete the run and its drafts; only before it was started."""
        preparing.discard(self)

    def try_failures_again(self, *, requested_by: Any = None, run_id: UUID | None = None) -> Run:
        """A new prepared run with the requests that failed and may work another time.

        Each failure is tried again by one run only. ``ValidationError`` (code
        ``nothing_failed``) where there are none; ``run_id`` as for ``prepare()``.
        """
        return preparing.again(self, requested_by=requested_by, run_id=run_id)

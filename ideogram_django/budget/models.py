"""The ledger and the limits."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from ideogram_django.budget.amounts import price_text
from ideogram_django.statuses import ChargeState, Period

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 6}


class Charge(models.Model):
    """One attempt at one picture: reservation, ledger entry and what was sent, in one row.

    Rows outlive their picture: ``image`` is a reference without a database constraint, so that
    the accountant keeps the picture's uuid after the picture is gone.
    """

    image: models.ForeignKey[GeneratedImage, GeneratedImage] = models.ForeignKey(
        "ideogram_django.GeneratedImage",
        to_field="uuid",
        db_constraint=False,
        db_index=False,  # the first column of a unique pair
        on_delete=models.DO_NOTHING,
        related_name="charges",
        verbose_name=_("picture"),
    )
    batch = models.UUIDField(
        _("request or run"),
        null=True,
        blank=True,
        db_index=True,
        help_text=_("What was asked for together; it adds up here when pictures are gone."),
    )
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    model = models.CharField(_("model"), max_length=100)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("user"),
    )
    user_label = models.CharField(
        _("who"), max_length=254, blank=True, help_text=_("Kept when the user is deleted.")
    )

    state = models.CharField(
        _("state"), max_length=10, choices=ChargeState, default=ChargeState.RESERVED
    )
    expected_credits = models.PositiveIntegerField(_("expected credits"))
    charged_credits = models.PositiveIntegerField(_("charged credits"), null=True, blank=True)
    credit_price = models.DecimalField(_("price of a credit"), **MONEY)
    currency = models.CharField(_("currency"), max_length=3)
    expected = models.DecimalField(_("expected"), **MONEY)
    estimated = models.BooleanField(
        _("estimated"),
        default=False,
        help_text=_("The provider has not told what it charged; the expected price stands in."),
    )
    charged = models.DecimalField(_("charged"), null=True, blank=True, **MONEY)
    periods = models.JSONField(
        default=list, blank=True, help_text=_("Spending periods that hold the reservation.")
    )

    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key_fingerprint = models.CharField(max_length=16, blank=True, editable=False)
    body = models.TextField(blank=True, editable=False)
    sendings = models.PositiveIntegerField(default=0, editable=False)
    maybe_sent = models.BooleanField(default=False, editable=False)
    job_id = models.CharField(_("job"), max_length=64, null=True, blank=True, unique=True)
    other_job_ids = models.JSONField(default=list, blank=True, editable=False)

    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    first_sent_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    closed_at = models.DateTimeField(_("settled or given back"), null=True, blank=True)

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["image", "attempt"], name="ideogram_django_charge_attempt"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ChargeState.values),
                name="ideogram_django_charge_state",
            ),
            models.CheckConstraint(
                condition=models.Q(state=ChargeState.RESERVED, closed_at__isnull=True)
                | (~models.Q(state=ChargeState.RESERVED) & models.Q(closed_at__isnull=False)),
                name="ideogram_django_charge_closed",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="ideogram_django_charge_day"),
            models.Index(
                fields=["id"],
                condition=models.Q(state=ChargeState.RESERVED),
                name="ideogram_django_reserved",
            ),
            # What RETENTION has yet to empty.
            models.Index(
                fields=["created_at"],
                condition=~models.Q(body=""),
                name="ideogram_django_old_bodies",
            ),
        ]

    def __str__(self) -> str:
        price = price_text(self.expected, self.currency)
        return f"{self.model} · {price} · {self.get_state_display()}"


class SpendingLimit(models.Model):
    """How much the site, a group or a user may spend in a day or a month."""

    group = models.ForeignKey(
        "auth.Group",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("group"),
        help_text=_("All members of the group share the amount."),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("user"),
    )
    period = models.CharField(_("period"), max_length=5, choices=Period, default=Period.MONTH)
    amount = models.DecimalField(
        _("amount"), validators=[MinValueValidator(Decimal(0))], max_digits=12, decimal_places=2
    )

    class Meta:
        verbose_name = _("spending limit")
        verbose_name_plural = _("spending limits")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(group__isnull=True) | models.Q(user__isnull=True),
                name="ideogram_django_limit_one_scope",
                violation_error_message=_("Choose a group or a user, or neither for the site."),
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="ideogram_django_limit_not_negative"
            ),
        ]

    def __str__(self) -> str:
        scope = self.user or self.group or _("The whole site")
        amount = number_format(self.amount, decimal_pos=2)
        return f"{scope} · {amount} · {self.get_period_display()}"


class SpendingPeriod(models.Model):
    """What one limit has committed in one day or month of the site's time zone."""

    limit = models.ForeignKey(
        SpendingLimit, on_delete=models.CASCADE, related_name="periods", verbose_name=_("limit")
    )
    start = models.DateField(_("first day"))
    committed = models.DecimalField(_("committed"), default=Decimal(0), **MONEY)

    class Meta:
        verbose_name = _("spending period")
        verbose_name_plural = _("spending periods")
        ordering = ["-start", "limit_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["limit", "start"], name="ideogram_django_period_per_limit"
            ),
        ]

    def __str__(self) -> str:
        return f"{date_format(self.start)}: {number_format(self.committed, decimal_pos=2)}"

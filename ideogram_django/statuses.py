"""The closed sets of words that this package owns: states, error codes, pause reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a picture stands. Which may follow which is decided by ``lifecycle`` alone."""

    DRAFT = "draft", _("Draft")
    PENDING = "pending", _("Waiting")
    SUBMITTING = "submitting", _("Sending")
    SUBMITTED = "submitted", _("Queued at the provider")
    PROCESSING = "processing", _("Rendering")
    FETCHING = "fetching", _("Saving")
    COMPLETED = "completed", _("Finished")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


FINISHED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
"""Nothing more happens by itself."""

IN_PROGRESS = (
    Status.PENDING,
    Status.SUBMITTING,
    Status.SUBMITTED,
    Status.PROCESSING,
    Status.FETCHING,
)
"""Something will still happen without anybody's doing."""

AT_PROVIDER = (Status.SUBMITTING, Status.SUBMITTED, Status.PROCESSING)
"""The provider has, or may have, the job and has not reported its end."""


SENTENCES: Mapping[str, Any] = {
    Status.DRAFT: _("A draft. Nothing was sent, nothing was spent."),
    Status.PENDING: _("Waiting to be sent to the provider."),
    Status.SUBMITTING: _("Being sent to the provider."),
    Status.SUBMITTED: _("The provider has the request and will start soon."),
    Status.PROCESSING: _("The provider is making the picture."),
    Status.FETCHING: _("The picture is ready and is being copied to this site."),
    Status.COMPLETED: _("The file is in this site’s own storage."),
    Status.FAILED: _("No picture came of this request."),
    Status.CANCELLED: _("Cancelled before it was sent. Nothing was charged."),
}
"""What a status means, as a sentence."""
OWN_WORK = _("Own work, uploaded. The file is in this site’s own storage.")


class ErrorCode(models.TextChoices):
    """Why a picture failed. The label is the sentence that an editor reads.

    It says what happened and the way on, where that is the same for every such picture; what was
    charged, and what a new try costs, are each picture's own. See :data:`wording.ADVICE`.
    """

    REJECTED = (
        "rejected",
        _("The provider did not accept this request. Change the prompt or the options."),
    )
    REFUSED = (
        "refused",
        _("The provider's rules do not allow this picture. Change the prompt."),
    )
    PROVIDER_BUSY = (
        "provider_busy",
        _("The provider had no room for this picture. Try again in a few minutes."),
    )
    PROVIDER_FAILED = (
        "provider_failed",
        _("The provider could not make this picture. Try again, or change the prompt."),
    )
    PROVIDER_CANCELLED = (
        "provider_cancelled",
        _("The provider cancelled this picture. Try again."),
    )
    NO_RESULT = (
        "no_result",
        _("The provider reported a finished picture but gave no file. It has to be made again."),
    )
    RESULT_EXPIRED = (
        "result_expired",
        _("The provider deleted the file before it could be saved. It has to be made again."),
    )
    NOT_A_PICTURE = (
        "not_a_picture",
        _("The provider's file is not a picture that this site can use. Fetch it again."),
    )
    TOO_LARGE = (
        "too_large",
        _(
            "The provider's file is larger than this site allows. "
            "An administrator can allow larger files."
        ),
    )
    TOO_MANY_PIXELS = (
        "too_many_pixels",
        _(
            "The provider's picture has more pixels than this site allows. "
            "An administrator can allow more."
        ),
    )
    REFERENCE_FAILED = (
        "reference_failed",
        _("A reference picture could not be sent to the provider. Choose another one."),
    )
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        _(
            "It is not certain whether the provider made this picture. Check again before you "
            "have it made anew: it may have been charged."
        ),
    )
    GAVE_UP = (
        "gave_up",
        _("The provider did not finish in time. The picture may still come: check again."),
    )
    STORAGE_FAILED = (
        "storage_failed",
        _("The picture is finished, but this site could not save the file. Try again."),
    )
    HOST_REFUSED = (
        "host_refused",
        _(
            "The file lies at an address that this site does not trust. "
            "Ask your administrator to allow it."
        ),
    )


OPEN_ERRORS = (
    ErrorCode.OUTCOME_UNKNOWN,
    ErrorCode.GAVE_UP,
    ErrorCode.STORAGE_FAILED,
    ErrorCode.HOST_REFUSED,
)
"""Failures that positive evidence may still turn into a finished picture."""


class ChargeState(models.TextChoices):
    """What became of the money of one attempt."""

    RESERVED = "reserved", _("Reserved")
    SETTLED = "settled", _("Charged")
    RELEASED = "released", _("Given back")


class PauseCode(models.TextChoices):
    """Why nothing is sent to the provider at the moment. The label tells what to do."""

    UNAUTHORIZED = (
        "unauthorized",
        _("The provider does not accept this site's API key. An administrator must correct it."),
    )
    INSUFFICIENT_CREDITS = (
        "insufficient_credits",
        _(
            "The provider account has not enough credits. "
            "Waiting pictures go on by themselves after a top-up."
        ),
    )
    FORBIDDEN = (
        "forbidden",
        _("The provider account may not use this service. An administrator must look into it."),
    )
    WRONG_ADDRESS = (
        "wrong_address",
        _("The provider's address does not answer as expected. An administrator must check it."),
    )


class ObjectKind(models.TextChoices):
    """What one stored object is."""

    ORIGINAL = "original", _("Original")
    WIDTH = "width", _("Smaller width")
    REFERENCE = "reference", _("Reference picture")


class RunState(models.TextChoices):
    """Where a bulk run stands."""

    PREPARED = "prepared", _("Prepared")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", _("Stopped")
    FINISHED = "finished", _("Finished")


class RunPause(models.TextChoices):
    """What paused a bulk run. The label tells what to do."""

    PERSON = "person", _("Somebody paused it.")
    CEILING = "ceiling", _("It has come to its ceiling. Raise it and go on, or stop the run.")
    LIMIT = "limit", _("A spending limit is used up. Go on when there is money again.")


class Decision(models.TextChoices):
    """How it stands with a picture that a bulk run proposes for a record."""

    COMING = "coming", _("Still to come")
    OPEN = "open", _("To be decided")
    COPYING = "copying", _("Approved, being copied")
    USED = "used", _("Approved and in use")
    KEPT = "kept", _("Not used: the record was changed meanwhile")
    REJECTED = "rejected", _("Rejected")
    FAILED = "failed", _("No picture")


class Period(models.TextChoices):
    """How long a spending limit counts before it starts afresh."""

    DAY = "day", _("Day")
    MONTH = "month", _("Month")

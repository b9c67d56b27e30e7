"""Words for people: amounts of money, states as sentences, names of styles and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.apiframe import catalogue
from ideogram_django.budget.amounts import price_text
from ideogram_django.estimates import seconds_left
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.statuses import Status

SENTENCES = {
    Status.DRAFT: _("A draft. Nothing was sent, nothing was spent."),
    Status.PENDING: _("Waiting to be sent to the provider."),
    Status.SUBMITTING: _("Being sent to the provider."),
    Status.SUBMITTED: _("The provider has the request and will start soon."),
    Status.PROCESSING: _("The provider is making the picture."),
    Status.FETCHING: _("The picture is ready and is being copied to this site."),
    Status.COMPLETED: _("Finished. The file is in this site’s own storage."),
    Status.FAILED: _("No picture came of this request."),
    Status.CANCELLED: _("Cancelled before it was sent. Nothing was charged."),
}

TIERS = {"draft": _("Draft"), "balanced": _("Balanced"), "quality": _("Quality")}

STYLES = {
    "none": _("No style"),
    "auto": _("Automatic"),
    "general": _("General"),
    "realistic": _("Realistic"),
    "design": _("Design"),
    "render_3d": _("3D render"),
    "anime": _("Anime"),
}


def money(amount: Decimal | None, currency: str) -> str:
    """``$0.03``, or nothing where there is no amount."""
    if amount is None:
        return ""
    return price_text(amount, currency)


def make_label(count: int, total: Decimal, currency: str, *, drafts: bool) -> str:
    """What stands on the button: ``Make 4 drafts · $0.12``."""
    gaps = {"count": count, "total": money(total, currency)}
    if count == 1:
        return gettext("Make · %(total)s") % gaps
    if drafts:
        text = ngettext(
            "Make %(count)d draft · %(total)s", "Make %(count)d drafts · %(total)s", count
        )
    else:
        text = ngettext(
            "Make %(count)d picture · %(total)s", "Make %(count)d pictures · %(total)s", count
        )
    return text % gaps


def sentence(
    image: GeneratedImage, *, typical: Mapping[str, float] | None = None, pause: str = ""
) -> str:
    """The state as a sentence; for a failure, why.

    ``typical``: what :func:`estimates.typical_seconds` gave, to say how long it will take;
    ``pause``: why nothing is sent at the moment, told of pictures that wait for it.
    """
    if image.uploaded:
        return gettext("Own work, uploaded. The file is in this site’s own storage.")
    if image.error_message:
        return image.error_message
    if image.status == Status.PENDING and pause:
        return gettext("Waiting. %(reason)s") % {"reason": pause}
    left = seconds_left(image, typical or {})
    said = str(SENTENCES[Status(image.status)])
    return said if left is None else f"{said} {time_left(left)}"


def pause_message(images: Iterable[GeneratedImage]) -> str:
    """Why nothing is sent at the moment; looked up only where a picture waits for it."""
    if not any(image.status == Status.PENDING for image in images):
        return ""
    state = ProviderState.objects.filter(pk=1).first()
    return state.pause_message if state is not None else ""


def time_left(seconds: float) -> str:
    """``About 10 seconds left.`` A guess, so it is rounded like one."""
    if seconds <= 0:
        return gettext("It takes longer than usual.")
    if seconds > 90:
        minutes = round(seconds / 60)
        return ngettext(
            "About %(count)d minute left.", "About %(count)d minutes left.", minutes
        ) % {"count": minutes}
    whole = max(1, round(seconds)) if seconds < 10 else 5 * round(seconds / 5)
    return ngettext("About %(count)d second left.", "About %(count)d seconds left.", whole) % {
        "count": whole
    }


def model_label(model_id: str) -> str:
    """The model's name; its id where the catalogue does not know it."""
    known = catalogue.MODELS.get(model_id)
    return known.label if known else model_id or str(_("Own work"))


def style_label(value: str) -> str:
    known = STYLES.get(value.casefold())
    return str(known) if known else value


def shape_of(image: GeneratedImage) -> tuple[int, int]:
    """Width and height of the picture, or numbers in the proportion that it will have."""
    if image.width and image.height:
        return image.width, image.height
    for text, divider in ((image.resolution, "x"), (image.aspect_ratio, ":")):
        width, _divider, height = text.partition(divider)
        if width.isdecimal() and height.isdecimal() and int(width) and int(height):
            scale = 1024 / max(int(width), int(height))
            return round(int(width) * scale), round(int(height) * scale)
    return 1024, 1024

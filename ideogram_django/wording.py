"""Words for people: money, states as sentences, what to do after a failure, names of styles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.apiframe import catalogue
from ideogram_django.budget.amounts import price_text
from ideogram_django.budget.limits import Allowance
from ideogram_django.estimates import seconds_left
from ideogram_django.lifecycle.steering import waits_for_refund
from ideogram_django.models import GeneratedImage, ProviderState, Run
from ideogram_django.runs.reporting import Report
from ideogram_django.statuses import ChargeState, ErrorCode, Period, RunPause, RunState, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What can be done about one kind of failure.

    Whether it is free and what it costs is the picture's own matter: see ``fetched_free`` and
    ``may_cost_again`` in :mod:`ideogram_django.lifecycle.steering`, and :func:`charged`.
    """

    hint: Any = ""
    """A sentence for who looks closer; where ``again`` is false, it says why."""
    again: bool = True
    """Whether the very same request, or its file, may come the next time."""
    edit: bool = False
    """Whether other words or options are a way on."""
    ask: bool = False
    """Whether the provider may know more by now: it can be asked again, free."""
    quoted: bool = False
    """Whether ``error_detail`` holds the provider's words, not a note of ours for support."""


ADVICE: Mapping[str, Advice] = {
    ErrorCode.REJECTED: Advice(
        again=False,
        edit=True,
        quoted=True,
        hint=_("The same request would be turned down again; it has to be changed first."),
    ),
    ErrorCode.REFUSED: Advice(
        again=False,
        edit=True,
        quoted=True,
        hint=_("The same words would be refused again; they have to be changed first."),
    ),
    ErrorCode.PROVIDER_BUSY: Advice(quoted=True),
    ErrorCode.PROVIDER_FAILED: Advice(edit=True, quoted=True),
    ErrorCode.PROVIDER_CANCELLED: Advice(quoted=True),
    ErrorCode.NO_RESULT: Advice(),
    ErrorCode.RESULT_EXPIRED: Advice(),
    ErrorCode.NOT_A_PICTURE: Advice(),
    ErrorCode.TOO_LARGE: Advice(hint=_("Once it is allowed, the file can be fetched again.")),
    ErrorCode.TOO_MANY_PIXELS: Advice(hint=_("Once it is allowed, the file can be fetched again.")),
    ErrorCode.REFERENCE_FAILED: Advice(
        again=False,
        edit=True,
        quoted=True,
        hint=_("The same reference picture would fail again."),
    ),
    ErrorCode.OUTCOME_UNKNOWN: Advice(
        ask=True, hint=_("An administrator can also look it up in the provider account.")
    ),
    ErrorCode.GAVE_UP: Advice(ask=True),
    ErrorCode.STORAGE_FAILED: Advice(
        hint=_("If it happens again, tell your administrator: the storage may be full or away.")
    ),
    ErrorCode.HOST_REFUSED: Advice(hint=_("Once it is allowed, the file can be fetched again.")),
}
"""By error code."""
CANCELLED = Advice(edit=True)
UNFORESEEN = Advice(edit=True)
"""For a code that this version does not know."""

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


def money_left(one: Allowance, currency: str) -> str:
    """What is left of a spending limit, of how much, for how long and for whom."""
    today = one.limit.period == Period.DAY
    gaps = {
        "left": money(one.left, currency),
        "amount": money(one.limit.amount, currency),
        "scope": str(one.limit.user or one.limit.group or ""),
    }
    if one.limit.user is not None:
        text = (
            gettext("You have %(left)s of %(amount)s left today.")
            if today
            else gettext("You have %(left)s of %(amount)s left this month.")
        )
    elif one.limit.group is not None:
        text = (
            gettext("“%(scope)s” has %(left)s of %(amount)s left today.")
            if today
            else gettext("“%(scope)s” has %(left)s of %(amount)s left this month.")
        )
    else:
        text = (
            gettext("This site has %(left)s of %(amount)s left today.")
            if today
            else gettext("This site has %(left)s of %(amount)s left this month.")
        )
    return text % gaps


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


class Teller:
    """What is said about the pictures of one page. They share a few texts: each is looked up once.

    ``typical``: what :func:`estimates.typical_seconds` gave, to say how long it will take;
    ``pause``: why nothing is sent at the moment, told of pictures that wait for it. For one
    request, since the next one may speak another language.
    """

    def __init__(self, *, typical: Mapping[str, float] | None = None, pause: str = "") -> None:
        self._typical = typical or {}
        self._now = timezone.now()
        self._waiting = gettext("Waiting. %(reason)s") % {"reason": pause} if pause else ""
        self._labels: dict[str, str] = {}
        self._states: dict[tuple[Any, ...], tuple[str, bool]] = {}
        self._about = cache(_about)

    def label(self, image: GeneratedImage) -> str:
        """The status in a word."""
        if image.status not in self._labels:
            self._labels[image.status] = image.get_status_display()
        return self._labels[image.status]

    def sentence(self, image: GeneratedImage, *, left: str | None = None) -> str:
        """The state as a sentence; for a failure, why. ``left``: what :meth:`left` said."""
        key = (image.status, image.uploaded, image.error_code, image.error_detail)
        if key not in self._states:
            self._states[key] = image.sentence, bool(image.error_message)
        state, failed = self._states[key]
        if self._waiting and image.status == Status.PENDING and not failed:
            return self._waiting
        if image.uploaded or failed:
            return state
        left = self.left(image) if left is None else left
        return f"{state} {left}" if left else state

    def left(self, image: GeneratedImage) -> str:
        """How long it will take yet, as a sentence; empty where nobody can say."""
        left = seconds_left(image, self._typical, self._now)
        return "" if left is None else self._about(*_rounded(left))


def sentence(
    image: GeneratedImage, *, typical: Mapping[str, float] | None = None, pause: str = ""
) -> str:
    """What a :class:`Teller` says about one picture."""
    return Teller(typical=typical, pause=pause).sentence(image)


def remaining(image: GeneratedImage, typical: Mapping[str, float]) -> str:
    """How long it will take yet, as a sentence; empty where nobody can say."""
    return Teller(typical=typical).left(image)


def advice(image: GeneratedImage) -> Advice | None:
    """What can be done where no picture came of a request; ``None`` for every other picture."""
    if image.status == Status.CANCELLED:
        return CANCELLED
    if image.status != Status.FAILED:
        return None
    return ADVICE.get(image.error_code, UNFORESEEN)


def charged(image: GeneratedImage) -> str:
    """What became of the money of a picture that did not come, as a sentence; may be empty."""
    charge = image.charge
    if charge is None or image.status != Status.FAILED:
        return ""
    if waits_for_refund(image):
        return gettext("The provider is being asked whether this was charged.")
    if charge.state == ChargeState.RESERVED:
        return ""
    if charge.state == ChargeState.RELEASED or not charge.charged:
        return gettext("Nothing was charged.")
    gaps = {"amount": money(charge.charged, charge.currency)}
    if charge.estimated:
        return gettext("It may have been charged: %(amount)s.") % gaps
    return gettext("It was charged: %(amount)s.") % gaps


def pause_message(images: Iterable[GeneratedImage]) -> str:
    """Why nothing is sent at the moment; looked up only where a picture waits for it."""
    if not any(image.status == Status.PENDING for image in images):
        return ""
    state = ProviderState.objects.filter(pk=1).first()
    return state.pause_message if state is not None else ""


def time_left(seconds: float) -> str:
    """``About 10 seconds left.``"""
    return _about(*_rounded(seconds))


def _rounded(seconds: float) -> tuple[int, int]:
    """In minutes or in seconds, as people would say it; neither: it should be over."""
    if seconds <= 0:
        return 0, 0
    return (round(seconds / 60), 0) if seconds > 90 else (0, _roundly(seconds))


def _about(minutes: int, seconds: int) -> str:
    if minutes:
        return ngettext(
            "About %(count)d minute left.", "About %(count)d minutes left.", minutes
        ) % {"count": minutes}
    if not seconds:
        return gettext("It takes longer than usual.")
    return ngettext("About %(count)d second left.", "About %(count)d seconds left.", seconds) % {
        "count": seconds
    }


def duration(seconds: float) -> str:
    """``12 seconds``, ``3 minutes``: how long something took."""
    if seconds > 90:
        minutes = round(seconds / 60)
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    whole = max(1, round(seconds))
    return ngettext("%(count)d second", "%(count)d seconds", whole) % {"count": whole}


def usual_time(seconds: float, *, here: bool) -> str:
    """``about 15 s here``: how long pictures take, on this site or as the provider says."""
    if seconds > 90:
        said = gettext("about %(count)d min here") if here else gettext("about %(count)d min")
        return said % {"count": round(seconds / 60)}
    said = gettext("about %(count)d s here") if here else gettext("about %(count)d s")
    return said % {"count": _roundly(seconds)}


def _roundly(seconds: float) -> int:
    """A guess, so it is rounded like one."""
    return max(1, round(seconds)) if seconds < 10 else 5 * round(seconds / 5)


def model_label(model_id: str) -> str:
    """The model's name; its id where the catalogue does not know it."""
    known = catalogue.MODELS.get(model_id)
    return known.label if known else model_id or str(_("Own work"))


def style_label(value: str) -> str:
    known = STYLES.get(value.casefold())
    return str(known) if known else value


def out_of_date(changed: Iterable[str]) -> str:
    """Why a picture is out of date; ``changed``: what people call the fields. Empty without."""
    names = [gettext("“%(name)s”") % {"name": name} for name in changed]
    if not names:
        return ""
    text = ngettext(
        "Out of date: %(names)s has changed since this picture was made.",
        "Out of date: %(names)s have changed since this picture was made.",
        len(names),
    )
    return text % {"names": get_text_list(names, gettext("and"))}


PARAMETERS = {
    "model": _("Model"),
    "style_type": _("Style"),
    "aspect_ratio": _("Shape"),
    "negative_prompt": _("Negative prompt"),
    "style_preset": _("Style preset"),
}


def parameter(name: str, value: str) -> tuple[str, str]:
    """One parameter of a request as people say it: ``("Model", "Ideogram v4 Turbo")``."""
    words = {"model": model_label, "style_type": style_label}.get(name, str)
    return str(PARAMETERS.get(name, name)), words(value)


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


# --- bulk runs ----------------------------------------------------------------------------------


def run_sentence(run: Run, report: Report, *, left: float | None = None) -> str:
    """Where a run stands, in one or two sentences; ``left``: seconds until it is done."""
    gaps = {"done": report.done, "count": report.count, "made": report.completed}
    if run.state == RunState.PREPARED:
        return gettext("Nothing was sent, nothing was spent. It begins when you start it.")
    done = ngettext(
        "%(done)d of %(count)d picture is done.",
        "%(done)d of %(count)d pictures are done.",
        report.count,
    )
    if run.state == RunState.FINISHED:
        made = ngettext(
            "%(made)d of %(count)d picture was made.",
            "%(made)d of %(count)d pictures were made.",
            report.count,
        )
        return made % gaps
    sentences = [done % gaps]
    if run.state == RunState.PAUSED and run.pause in RunPause.values:
        sentences.insert(0, str(RunPause(run.pause).label))
    elif run.state == RunState.STOPPED:
        sentences.insert(0, gettext("It was stopped."))
    elif left is not None:
        sentences.append(time_left(left))
    return " ".join(sentences)


def run_milestone(run: Run, report: Report) -> str:
    """What is told aloud: a new text with every tenth of the way, and with every new state."""
    if run.state == RunState.RUNNING:
        tenth = {"percent": report.percent // 10 * 10}
        return gettext("The run goes on: %(percent)d%% is done.") % tenth
    if run.state == RunState.PAUSED and run.pause in RunPause.values:
        return str(RunPause(run.pause).label)
    return str(run.get_state_display())

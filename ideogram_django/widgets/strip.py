"""The drafts beside each other, one radio each, and the way back to the picture before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from ideogram_django import wording
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets.offers import Offer
from ideogram_django.widgets.pictures import sign_widget


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One radio of the strip."""

    label: str
    picture: GeneratedImage | None = None
    sentence: str = ""
    checked: bool = False

    @property
    def value(self) -> str:
        return str(self.picture.uuid) if self.picture else ""

    @property
    def thumbnail(self) -> GeneratedImage | None:
        return self.picture if self.picture and self.picture.has_file else None


def strip_context(
    name: str, offer: Offer, *, picked: str = "", problem: str = "", request_id: str = ""
) -> dict[str, Any]:
    """What ``widgets/drafts.html`` needs, also as an answer of its own.

    ``picked``: the value of the radio to be checked, by default the first draft that was made
    from this form, else the current picture. ``request_id``: for what is ordered next.
    """
    found = _choices(offer)
    values = [value for value, _label, _picture in found]
    if not picked or picked not in values:
        picked = values[0] if offer.drafts else str(offer.current.uuid) if offer.current else ""
    pictures = [picture for _value, _label, picture in found if picture]
    if offer.current is not None:
        pictures.append(offer.current)
    return {
        "name": name,
        "choices": [
            Choice(
                label=label,
                picture=picture,
                sentence=sentence(picture, offer),
                checked=value == picked,
            )
            for value, label, picture in found
        ],
        "fresh": bool(offer.drafts),
        "problem": problem,
        "request_id": request_id,
        # Who may look at every picture shares one question with the rest of the page.
        "token": sign_widget([one.uuid for one in pictures])
        if pictures and not offer.may_view
        else "",
    }


def _choices(offer: Offer) -> list[tuple[str, str, GeneratedImage | None]]:
    """Values, labels and pictures of the radios; none where there is nothing to pick from."""
    current = offer.current
    found: list[tuple[str, GeneratedImage | None]] = [
        (gettext("Draft %(number)d") % {"number": number}, draft)
        for number, draft in enumerate(offer.drafts, start=1)
    ]
    known = {draft.pk for draft in offer.drafts}
    others: list[tuple[str, GeneratedImage | None]] = []
    if current is not None:
        others.append((gettext("Used now"), current))
    others += [(_label(one, offer), one) for one in offer.relatives]
    if offer.before is not None:
        others.append((gettext("The picture before"), offer.before))
    for label, picture in others:
        if picture is not None and picture.pk not in known:
            known.add(picture.pk)
            found.append((label, picture))
    if current is None and found:
        found.append((gettext("None of these"), None))
    if len(found) < 2:
        return []
    return [(str(picture.uuid) if picture else "", label, picture) for label, picture in found]


def _label(relative: GeneratedImage, offer: Offer) -> str:
    if offer.current is not None and relative.replaces_id == offer.current.pk:
        return gettext("Newer, not used")
    number = {"number": relative.request_number + 1}
    if offer.drafts:
        return gettext("Earlier draft %(number)d") % number
    return gettext("Draft %(number)d") % number


def sentence(image: GeneratedImage | None, offer: Offer) -> str:
    if image is None:
        return ""
    return wording.sentence(image, typical=offer.typical, pause=offer.pause)

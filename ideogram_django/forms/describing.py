"""The words for people who cannot see the picture, asked for where it is used.

Somebody else's words are never overwritten unseen: where they differ from what the form showed,
the form comes back with both, and shows theirs as the stored ones from then on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ideogram_django.forms.access import may
from ideogram_django.forms.answers import Answer, GenerationRequest, UploadedPicture
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import LONGEST_ALT, Words

_ATTRIBUTE = "_ideogram_words"


class WordsClashError(ValidationError):
    """The picture has other words than the form showed."""

    def __init__(self, theirs: Words, mine: Words) -> None:
        self.theirs = theirs
        super().__init__(
            _(
                "This picture already has words: %(theirs)s. Yours are: %(mine)s. Nothing was "
                "changed. Save again to put yours in their place, or write theirs to keep them."
            ),
            code="words_changed",
            params={"theirs": _shown(theirs), "mine": _shown(mine)},
        )


def may_describe(user: Any, picture: GeneratedImage | None) -> bool:
    """Who may change pictures, and who asked for this one."""
    if picture is None or not getattr(user, "is_authenticated", False):
        return False
    return may(user, "change") or picture.requested_by_id == user.pk


def describe(answer: Any, words: Words, before: Words, user: Any) -> Answer:
    """The answer with these words; on a picture that exists they wait for :func:`write`.

    ``before``: the words that the form showed. Raises ``ValidationError``.
    """
    if words.alt_text and words.decorative:
        raise ValidationError(
            _("Give an alternative text, or say that the picture is decorative: not both."),
            code="alt_and_decorative",
        )
    if len(words.alt_text) > LONGEST_ALT:
        raise ValidationError(
            _("The alternative text has %(length)d characters; it may have %(most)d."),
            code="alt_too_long",
            params={"length": len(words.alt_text), "most": LONGEST_ALT},
        )
    if isinstance(answer, (GenerationRequest, UploadedPicture)):
        return replace(answer, alt_text=words.alt_text, decorative=words.decorative)
    theirs = Words.of(answer)
    if words.same(theirs):
        return answer  # type: ignore[no-any-return]
    if theirs and not theirs.same(before):
        raise WordsClashError(theirs, words)
    if not may_describe(user, answer):
        raise ValidationError(
            _("You may not change the words of this picture, which somebody else asked for."),
            code="may_not_describe",
        )
    answer.__dict__[_ATTRIBUTE] = words
    return answer  # type: ignore[no-any-return]


def write(picture: GeneratedImage) -> None:
    """Write the words that wait; ``ValidationError`` if somebody was faster by a moment."""
    words = picture.__dict__.get(_ATTRIBUTE)
    if words is None:
        return
    if not using.describe(picture, alt_text=words.alt_text, decorative=words.decorative):
        picture.refresh_from_db(fields=["alt_text", "decorative"])
        raise WordsClashError(Words.of(picture), words)
    del picture.__dict__[_ATTRIBUTE]


def _shown(words: Words) -> Any:
    if words.decorative:
        return _("decorative")
    return f"“{words.alt_text}”" if words.alt_text else _("none")

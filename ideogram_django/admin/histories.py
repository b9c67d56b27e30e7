"""The versions of a profile: what each changed, what was made with it, what it looks like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count
from django.utils.text import capfirst

from ideogram_django import wording
from ideogram_django.estimates import typical_seconds
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile, SampleSheet
from ideogram_django.profiles.models import VALUES, WORDS
from ideogram_django.querysets import GeneratedImageQuerySet

SHOWN = 10
"""How many versions the page shows before it is asked for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some words of a text that changed."""

    text: str
    kind: str = ""
    """``in``, ``out``, or nothing: they are in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one version says otherwise than the one before it."""

    label: str
    before: str = ""
    after: str = ""
    pieces: Sequence[Piece] = ()
    """Of a text that was there before and is there still: its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture of a sample sheet."""

    image: GeneratedImage
    sentence: str
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version, as the page tells it."""

    version: ProfileVersion
    changes: Sequence[Change]
    is_current: bool
    is_first: bool
    count: int = 0
    """Pictures made with it."""
    sheet: SampleSheet | None = None
    pictures: Sequence[Shown] = field(default_factory=list)


class History:
    """The versions of one profile, the newest first. The same few queries, however many."""

    def __init__(
        self, profile: PromptProfile, *, every: bool, pictures: GeneratedImageQuerySet | None
    ) -> None:
        """``pictures``: those that the reader may see; ``None``: nothing is told of any."""
        rows = profile.versions.select_related("created_by", "profile").order_by("-number")
        # One more than is shown: the oldest one shown is compared with it.
        versions = list(rows if every else rows[: SHOWN + 1])
        self.current = versions[0] if versions else None
        shown = versions if every else versions[:SHOWN]
        self.is_cut = len(versions) > len(shown)
        counts = _counts(profile, pictures) if pictures is not None else {}
        sheets = _newest_sheets(shown) if pictures is not None else {}
        images = _images(list(sheets.values()), pictures)
        before: list[ProfileVersion | None] = [*versions[1:], None]
        self.entries = [
            Entry(
                version=version,
                changes=list(_changes(earlier, version)),
                is_current=version == self.current,
                is_first=earlier is None,
                count=counts.get(version.number, 0),
                sheet=sheets.get(version.pk),
                pictures=images.get(sheets[version.pk].batch, []) if version.pk in sheets else [],
            )
            for version, earlier in zip(shown, before, strict=False)
        ]

    @property
    def newest(self) -> Entry | None:
        return self.entries[0] if self.entries else None


def pictures_made(profile: PromptProfile) -> bool:
    """Whether any picture remembers this profile."""
    return GeneratedImage.objects.filter(profile=profile.name).exists()


def _counts(profile: PromptProfile, pictures: GeneratedImageQuerySet) -> Mapping[int | None, int]:
    rows = pictures.filter(profile=profile.name).order_by()
    found = rows.values_list("profile_version").annotate(number=Count("pk"))
    return dict(found.values_list("profile_version", "number"))


def _newest_sheets(versions: Sequence[ProfileVersion]) -> dict[int, SampleSheet]:
    sheets = SampleSheet.objects.filter(version__in=versions).order_by("pk")
    return {sheet.version_id: sheet for sheet in sheets}


def _images(
    sheets: Sequence[SampleSheet], pictures: GeneratedImageQuerySet | None
) -> dict[Any, list[Shown]]:
    if not sheets or pictures is None:
        return {}
    batches = [sheet.batch for sheet in sheets]
    rows = list(pictures.filter(batch__in=batches).order_by("pk"))
    typical = typical_seconds() if any(image.is_in_progress for image in rows) else {}
    pause = wording.pause_message(rows)
    found: dict[Any, list[Shown]] = {}
    for image in rows:
        found.setdefault(image.batch, []).append(
            Shown(
                image=image,
                sentence=wording.sentence(image, typical=typical, pause=pause),
                shape=wording.shape_of(image),
            )
        )
    return found


def _changes(before: ProfileVersion | None, after: ProfileVersion) -> Iterator[Change]:
    """Every value that differs; of the first version, every value that it has."""
    for name in VALUES:
        old, new = (getattr(before, name) if before else ""), getattr(after, name)
        if old == new:
            continue
        column: Any = ProfileVersion._meta.get_field(name)
        if name in WORDS:
            label = str(capfirst(column.verbose_name))
        else:
            label, new = wording.parameter(name, new)
            old = wording.parameter(name, old)[1] if old else ""
            new = new if getattr(after, name) else ""
        is_text = name in (*WORDS, "negative_prompt")
        yield Change(
            label=label,
            before=old,
            after=new,
            pieces=list(_pieces(old, new)) if is_text and old and new else (),
        )


def _pieces(old: str, new: str) -> Iterator[Piece]:
    """Both texts in one, word by word."""
    was, now = (re.findall(r"\s+|\w+|[^\w\s]", text) for text in (old, new))
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        out, put_in = "".join(was[start:end]), "".join(now[new_start:new_end])
        if kind == "equal":
            yield Piece(text=out)
            continue
        if out:
            yield Piece(text=out, kind="out")
        if put_in:
            yield Piece(text=put_in, kind="in")

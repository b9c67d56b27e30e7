"""What became of the lines of an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ideogram_django.recipes.lines import Recipe

MOST_TOLD = 100


@dataclass(slots=True)
class Report:
    """What became of the lines. Every recipe is counted once."""

    here: int = 0
    """Left alone: a picture with this uuid is here."""
    same_file: int = 0
    """Left alone: the very same file is here, under another uuid."""
    adopted: int = 0
    """Taken over with their file, free of charge."""
    drafts: int = 0
    """Saved as drafts: there was no file yet."""
    missing: int = 0
    """Their file was not found; they could be made again."""
    amount: Decimal = Decimal(0)
    """What making the missing ones would cost."""
    currency: str = ""
    waiting: int = 0
    """Missing, too, but made from reference pictures that are not here: those come first."""
    lost: int = 0
    """Their file was not found, and they cannot be made again: own work, or a model gone."""
    left_out: int = 0
    """Failed or cancelled where they come from."""
    linked: int = 0
    """Pictures whose family or references were joined up."""
    told: list[str] = field(default_factory=list)
    """Sentences about pictures that cannot be made here and files that are not what they should
    be; the first :data:`MOST_TOLD`."""
    untold: int = 0
    """How many more there were."""

    def tell(self, recipe: Recipe, sentence: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(f"{recipe.uuid}: {sentence}")
        else:
            self.untold += 1

    @property
    def written(self) -> int:
        return self.adopted + self.drafts

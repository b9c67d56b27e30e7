"""What links the pictures of a library: parents, what they replace, and references."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from ideogram_django.lifecycle import references
from ideogram_django.models import GeneratedImage
from ideogram_django.recipes.lines import Recipe

LINKS = ("parent", "replaces")


class Family:
    """``last_before``: the newest picture that was here before the import."""

    def __init__(self, last_before: int) -> None:
        self._last_before = last_before
        self.known_as: dict[UUID, UUID] = {}
        """Recipes whose file is here under another uuid."""

    def link(self, recipes: Sequence[Recipe]) -> int:
        """Join up those that this import, or an earlier one, has brought here; how many were."""
        ours = GeneratedImage.objects.filter(
            Q(pk__gt=self._last_before) | Q(adopted=True), uuid__in=[one.uuid for one in recipes]
        )
        rows = {row.uuid: row for row in ours}
        wanted = {getattr(recipe, name) for recipe in recipes for name in LINKS} - {None}
        targets = dict(
            GeneratedImage.objects.filter(uuid__in=map(self.here, wanted)).values_list("uuid", "pk")
        )
        changed = []
        for recipe in recipes:
            row = rows.get(recipe.uuid)
            if row is not None and self._join(row, recipe, targets):
                changed.append(row)
        GeneratedImage.objects.bulk_update(changed, [*LINKS, *references.REFERENCES])
        return len(changed)

    def _join(self, row: GeneratedImage, recipe: Recipe, targets: dict[UUID, int]) -> bool:
        before = [getattr(row, name) for name in (*_columns(LINKS), *references.REFERENCES)]
        for name, column in zip(LINKS, _columns(LINKS), strict=True):
            wanted = getattr(recipe, name)
            target = None if wanted is None else targets.get(self.here(wanted))
            # What somebody linked here stays; nothing comes to hang on itself.
            if target is not None and target != row.pk and getattr(row, column) is None:
                setattr(row, column, target)
        row.reference_image = self._own(row.reference_image)
        row.style_reference_images = [self._own(one) for one in row.style_reference_images]
        after = [getattr(row, name) for name in (*_columns(LINKS), *references.REFERENCES)]
        return before != after

    def here(self, wanted: UUID) -> UUID:
        """The uuid that a picture of the library has here."""
        return self.known_as.get(wanted, wanted)

    def _own(self, reference: str) -> str:
        """A reference to a picture of the library by the uuid that it has here."""
        if not references.is_own(reference):
            return reference
        try:
            wanted = UUID(reference.removeprefix(references.OWN))
        except ValueError:
            return reference
        known = self.known_as.get(wanted)
        return reference if known is None else f"{references.OWN}{known}"


def _columns(names: Sequence[str]) -> list[str]:
    return [f"{name}_id" for name in names]

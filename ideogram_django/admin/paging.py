"""Pages of a gallery of any size: only as many pictures are counted as a page needs to know of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    _Pages = Paginator[GeneratedImage]
else:
    _Pages = Paginator

AHEAD = 2000
"""Pictures that are counted beyond the page asked for. With more, further pages follow later."""


class FarEnough(_Pages):
    """Counts up to ``reach`` rows and no further, because each row counted is a row read."""

    def __init__(self, *args: Any, page: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reach = page * self.per_page + AHEAD

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.reach)

    @property
    def is_short(self) -> bool:
        """There are more than :attr:`count` says."""
        return self._counted > self.reach

    @cached_property
    def _counted(self) -> int:
        # In the order of the page: where that finds some soon, so does this.
        rows: Any = self.object_list
        return int(rows.values("pk")[: self.reach + 1].count())

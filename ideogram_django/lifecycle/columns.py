"""What may be set on a new picture beside its request, and what the site's hooks set on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ideogram_django import hooks

COLUMNS = (
    "alt_text",
    "batch",
    "decorative",
    "extra",
    "parent",
    "priority",
    "profile",
    "profile_version",
    "replaces",
    "run",
    "source_digests",
    "source_fingerprint",
    "target_before",
    "target_field",
    "target_id",
    "target_type",
    "typed_prompt",
)
"""What a caller may set on a new picture."""


class SiteColumns:
    """The columns that the site gives to the pictures of one call."""

    def __init__(self, user: Any) -> None:
        self._user = user
        self._hooks = hooks.current()
        self._found: dict[Any, dict[str, Any]] = {}

    def under(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The caller's columns over the site's; ``extra`` is laid over key by key.

        ``TypeError`` where the hook names a column that no caller may set.
        """
        parent = columns.get("parent")
        key = getattr(parent, "pk", None)
        if key not in self._found:
            self._found[key] = dict(self._hooks.columns(self._user, parent))
        site = self._found[key]
        if unknown := sorted(set(site) - set(COLUMNS)):
            raise TypeError(f"The hook columns() gave unexpected columns: {', '.join(unknown)}")
        merged = {**site, **columns}
        if "extra" in site:
            merged["extra"] = {**site["extra"], **columns.get("extra", {})}
        return merged

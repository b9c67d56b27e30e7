"""Frozen lists: what was chosen on a gallery page, kept until it is confirmed.

A confirm page posts the list's id instead of a thousand hidden fields. The id is also the
``request_id`` of what comes of it, so a list can be carried out once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest

SESSION_KEY = "ideogram_django_lists"
KEPT = 5
MOST = 500
"""Pictures in one go; more than an editor can look through is a job for a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenList:
    """Rows chosen for an action: keys of records, each with what it stood at."""

    id: str
    owner: str
    """The model whose records these are, so that a list cannot be carried to another page."""
    action: str
    rows: list[list[Any]]
    done: str = ""
    """Where its result can be seen, once it was carried out."""

    @property
    def request_id(self) -> uuid.UUID:
        return uuid.UUID(self.id)


def freeze(
    request: HttpRequest, *, owner: str, action: str, rows: Iterable[list[Any]]
) -> FrozenList:
    """Keep a list in this person's session; the oldest of :data:`KEPT` gives way."""
    kept = FrozenList(id=str(uuid.uuid4()), owner=owner, action=action, rows=list(rows))
    _store(request, kept)
    return kept


def thaw(request: HttpRequest, list_id: uuid.UUID, *, owner: str) -> FrozenList | None:
    for entry in request.session.get(SESSION_KEY, []):
        if entry.get("id") == str(list_id) and entry.get("owner") == owner:
            return FrozenList(**entry)
    return None


def finish(request: HttpRequest, done: FrozenList, url: str) -> None:
    """Note that the list was carried out; its rows are no longer needed."""
    _store(
        request,
        FrozenList(id=done.id, owner=done.owner, action=done.action, rows=[], done=url),
    )


def _store(request: HttpRequest, new: FrozenList) -> None:
    others = [entry for entry in request.session.get(SESSION_KEY, []) if entry.get("id") != new.id]
    request.session[SESSION_KEY] = [*others, asdict(new)][-KEPT:]


def fingerprint(shown: Iterable[object]) -> str:
    """Short proof of what a confirm page showed, to notice that it no longer holds."""
    digest = hashlib.sha256()
    for one in shown:
        digest.update(repr(one).encode())
        digest.update(b"\n")
    return digest.hexdigest()[:24]

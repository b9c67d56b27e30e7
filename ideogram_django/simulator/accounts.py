"""Who may call: API keys, and the accounts that they belong to."""

import re
import threading
import uuid
from collections.abc import Iterable

from ideogram_django.simulator.answers import Answer, refusal
from ideogram_django.simulator.ledger import Account
from ideogram_django.simulator.validation import is_uuid

_KEY = re.compile(r"afk_[A-Za-z0-9]+")


class Keyring:
    """API keys by account. Thread-safe.

    The keys given first belong to one user, as during a rotation; each foreign key belongs to a
    user of its own, who does not see the others' jobs.
    """

    def __init__(
        self, keys: Iterable[str], foreign: Iterable[str], *, credits: int, role: str
    ) -> None:
        self._lock = threading.Lock()
        self.main = _account("owner@example.com", role, credits)
        self._accounts = {_checked(key): self.main for key in keys}
        for number, key in enumerate(foreign, 1):
            self._accounts[_checked(key)] = _account(f"other{number}@example.com", "OWNER", credits)
        self._inactive: set[str] = set()

    def add(self, key: str) -> None:
        """Give the main user one more key."""
        with self._lock:
            self._accounts[_checked(key)] = self.main
            self._inactive.discard(key)

    def revoke(self, key: str) -> None:
        """Delete a key: from now on it is invalid (401)."""
        with self._lock:
            self._accounts.pop(key, None)

    def deactivate(self, key: str) -> None:
        """Make a key inactive (403)."""
        with self._lock:
            self._inactive.add(key)

    def check(self, key: str | None) -> Account | Answer:
        """Return the key's account, or the refusal (Apiframe documentation, Authentication)."""
        if not key:
            return refusal(401, "API key is required")
        with self._lock:
            account = self._accounts.get(key)
            inactive = key in self._inactive
        if account is None and is_uuid(key):
            return refusal(400, "This is a v1 API key. Create a v2 key to use the v2 API.")
        if account is None:
            return refusal(401, "Invalid API key")
        if inactive:
            return refusal(403, "API key is inactive")
        return account


def caller(account: Account, key: str, credits: int) -> dict[str, object]:
    """Return the answer of `GET /v2/me` (Apiframe API reference, Account)."""
    return {
        "user": {"id": account.user_id, "email": account.email, "role": account.role},
        "team": {
            "id": account.team_id,
            "name": "Simulated team",
            "credits": credits,
            "plan": "simulated",
            "customerId": None,
        },
        "apiKey": {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
            "name": "Simulated key",
            "prefix": key[:8],
        },
    }


def _account(email: str, role: str, credits: int) -> Account:
    return Account(
        user_id=str(uuid.uuid4()),
        team_id=str(uuid.uuid4()),
        email=email,
        role=role,
        credits=credits,
    )


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ValueError("An API key is 'afk_' followed by letters and digits.")
    return key

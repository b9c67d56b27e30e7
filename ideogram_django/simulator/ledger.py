"""Credits: what was charged, for which job, and what was given back."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One job's charge. Taken at submission, returned in full when the job fails."""

    job_id: str
    model: str
    credits: int
    """What was taken at submission."""
    refunded: bool
    idempotency_key: str | None
    prompt: str
    at: float
    """When it was taken, in seconds since the epoch."""


@dataclass(slots=True, kw_only=True)
class Account:
    """A user with a team and its credits; API keys belong to it."""

    user_id: str
    team_id: str
    email: str
    role: str
    credits: int


class Ledger:
    """Every charge in order of submission. Guarded by the provider's lock."""

    def __init__(self) -> None:
        self._charges: dict[str, Charge] = {}

    def charge(self, account: Account, charge: Charge) -> None:
        """Take the credits of a new job."""
        account.credits -= charge.credits
        self._charges[charge.job_id] = charge

    def refund(self, account: Account, job_id: str) -> None:
        """Give a failed job's credits back, once."""
        charge = self._charges[job_id]
        if not charge.refunded:
            account.credits += charge.credits
            self._charges[job_id] = replace(charge, refunded=True)

    def charges(self) -> list[Charge]:
        """Return every charge, oldest first."""
        return list(self._charges.values())

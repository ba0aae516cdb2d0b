"""How many attempts may begin: token buckets of business time, shared by all processes.

One bucket is the whole house's, and each connection has its own. They are rows of `call_budgets`,
taken in the claim's own transaction: whoever claims holds the house's bucket until it commits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.settings import Settings

HOUSE = "house"
# seconds of the rate that a full bucket holds: with it, no minute has more than 1.17 times its
# budget, also after an outage in which nothing was taken
BURST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Attempts per business minute."""

    per_minute: float

    @property
    def rate(self) -> float:
        """Tokens that come back per business second."""
        return self.per_minute / 60

    @property
    def capacity(self) -> float:
        """What a full bucket holds; a tiny budget still lets one attempt through."""
        return max(1.0, self.rate * BURST_SECONDS)


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budget of the whole house, and that of each connection."""

    house: Bucket = field(default_factory=lambda: Bucket(3000))
    connection: Bucket = field(default_factory=lambda: Bucket(1500))

    @classmethod
    def of(cls, settings: Settings) -> Budgets:
        return cls(
            Bucket(settings.retry_budget_per_minute),
            Bucket(settings.connection_retry_budget_per_minute),
        )


def take_hold(connection: Connection, budgets: Budgets, now: datetime) -> int:
    """Lock the house's bucket until the transaction ends; how many whole tokens are in it."""
    return int(_refill(connection, [HOUSE], budgets.house, now)[HOUSE])


def left(
    connection: Connection, connection_ids: Iterable[uuid.UUID], budgets: Budgets, now: datetime
) -> dict[uuid.UUID, int]:
    """Whole tokens of some connections; the caller holds the house's bucket."""
    keys = {key_of(one): one for one in connection_ids}
    found = _refill(connection, sorted(keys), budgets.connection, now)
    return {keys[key]: int(tokens) for key, tokens in found.items()}


def spend(connection: Connection, spent: Mapping[uuid.UUID, int]) -> None:
    """Take one token for each attempt that began, from its connection's bucket and the house's."""
    took = {key_of(one): count for one, count in spent.items()} | {HOUSE: sum(spent.values())}
    connection.execute(
        query("charging", "spend"), {"keys": list(took), "spent": list(took.values())}
    )


def key_of(connection_id: uuid.UUID) -> str:
    """The name of a connection's bucket."""
    return f"connection:{connection_id}"


def _refill(
    connection: Connection, keys: list[str], bucket: Bucket, now: datetime
) -> dict[str, float]:
    values: dict[str, Any] = {
        "keys": keys,
        "capacity": bucket.capacity,
        "rate": bucket.rate,
        "now": now,
    }
    return {row.key: row.tokens for row in connection.execute(query("charging", "refill"), values)}

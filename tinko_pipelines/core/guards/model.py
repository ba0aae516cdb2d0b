"""The limits as typed rows, and the facts they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LIMITS = Path(__file__).with_name("limits.yaml")


@dataclass(frozen=True, slots=True)
class Limit:
    """One effective-dated row: in force in [since, until)."""

    id: str
    kind: str
    scope: Mapping[str, frozenset[str]]
    params: Mapping[str, Any]
    since: datetime
    until: datetime | None
    source: str

    def in_force(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)

    def covers(self, facts: Facts) -> bool:
        """Whether the row speaks of this attempt; `not_…` scopes exclude."""
        for name, values in self.scope.items():
            negated = name.startswith("not_")
            value = getattr(facts, name.removeprefix("not_"))
            if (value in values) is negated:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt, by anyone, that a counter sees. `at` is business time, amount in minor units."""

    at: datetime
    amount: int
    currency: str
    initiator: str  # merchant or customer
    same_obligation: bool


@dataclass(frozen=True, slots=True)
class LastFailure:
    at: datetime
    network_decline_code: str | None = None
    network_advice_code: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the attempt that is asked for. Amount in minor units.

    `timed_out_at`: when the newest of the debt's tries, by anyone, failed in a way that the bank
    may still turn into a success.
    """

    psp: str
    method: str
    network: str | None
    country: str | None
    instrument_key: str | None
    amount: int
    currency: str
    counted: tuple[Counted, ...] = ()
    last_failure: LastFailure | None = None
    timed_out_at: datetime | None = None
    cycle_end: datetime | None = None


@cache
def limits() -> tuple[Limit, ...]:
    """All rows of limits.yaml, in their order. Raises KeyError where a row lacks a field."""
    return tuple(_limit(row) for row in yaml.safe_load(LIMITS.read_text()))


def _limit(row: dict[str, Any]) -> Limit:
    def instant(value: Any) -> datetime:
        return datetime.combine(value, time(), UTC)

    return Limit(
        id=row["id"],
        kind=row["kind"],
        scope={name: frozenset(values) for name, values in row["scope"].items()},
        params=row["params"],
        since=instant(row["since"]),
        until=instant(row["until"]) if "until" in row else None,
        source=row["source"],
    )

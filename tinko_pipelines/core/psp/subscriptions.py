"""How the subscription stands that a debt was made by. Pure.

A cancelled one is so for ever at every PSP. Of anything else the latest news is believed, whenever
it arrives, and of two of one second the one that stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

_READ = datetime.max.replace(tzinfo=UTC)


class SubscriptionStanding(StrEnum):
    LIVE = "live"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SubscriptionSeen:
    """The subscription of a debt. `standing` None: only its name is said; `at` is when it stood
    so, None where it was read just now. `invoice`: the last it made, where it says."""

    object_id: str
    standing: SubscriptionStanding | None = None
    at: datetime | None = None
    invoice: str | None = None


def latest(a: SubscriptionSeen | None, b: SubscriptionSeen | None) -> SubscriptionSeen | None:
    """Of two of one debt the one that knows best how it stands; of equals `b`."""
    if a is None or b is None:
        return a if b is None else b
    return max(b, a, key=_weight)


def _weight(seen: SubscriptionSeen) -> tuple[bool, bool, datetime, bool]:
    return (
        seen.standing is not None,
        seen.standing is SubscriptionStanding.CANCELLED,
        seen.at or _READ,
        seen.standing is SubscriptionStanding.PAUSED,
    )

"""What rules look at: one failure of a debt at an instant, in the words of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tinko_pipelines.core.rules.vocabulary import Field, Zone


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A failure as rules see it; None is missing.

    `amount`: minor units of `currency` still to be collected. `attempt`: how many tries at the
    debt have failed so far, anyone's, this one counted. `days_since_failure`: whole periods of
    24 h since the debt's first failure. `customer_tags`: empty is missing. Local times are
    minutes since midnight, weekdays ISO numbers (Monday is 1).
    """

    amount: int | None = None
    currency: str | None = None
    psp: str | None = None
    method: str | None = None
    category: str | None = None
    code: str | None = None
    attempt: int | None = None
    days_since_failure: int | None = None
    customer_tags: tuple[str, ...] = ()
    country: str | None = None
    org_time: int | None = None
    org_weekday: int | None = None
    payer_time: int | None = None
    payer_weekday: int | None = None

    @classmethod
    def at(
        cls, now: datetime, org_zone: str, payer_zone: str | None = None, **known: Any
    ) -> RuleFacts:
        """Facts at the instant `now` (aware). Zones are names of the tz database.

        Raises ZoneInfoNotFoundError for a zone that is none.
        """
        org_time, org_weekday = wall(now, org_zone)
        payer_time, payer_weekday = wall(now, payer_zone) if payer_zone else (None, None)
        return cls(
            org_time=org_time,
            org_weekday=org_weekday,
            payer_time=payer_time,
            payer_weekday=payer_weekday,
            **known,
        )


def wall(now: datetime, zone: str) -> tuple[int, int]:
    """Minutes since midnight and ISO weekday of an instant on a zone's wall clock."""
    local = now.astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute, local.isoweekday()


def column(field: Field, zone: Zone) -> str:
    """The attribute of `RuleFacts` (and the column of a frame of facts) that holds a field."""
    if field is Field.LOCAL_TIME:
        return f"{zone}_time"
    if field is Field.WEEKDAY:
        return f"{zone}_weekday"
    return field.value

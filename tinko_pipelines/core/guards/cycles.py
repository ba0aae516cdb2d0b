"""The cycles of a mandate: how often it may be debited, as spans of the local calendar. Pure.

A mandate says only its frequency. Its cycles are those of the calendar: of `monthly` that was seen
live (one debit a calendar month, whenever it was registered), of the others it is how Razorpay's
`recurring_value` counts them (days 1 to 7 of a week, 1 to 31 of a month). See ADR 0028.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Frequency(StrEnum):
    """How often a mandate may be debited; `as_presented` whenever it is asked for."""

    DAILY = "daily"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"
    BIMONTHLY = "bimonthly"  # every two months
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    YEARLY = "yearly"
    AS_PRESENTED = "as_presented"


# of those that are made of whole months: how many
_MONTHS = {
    Frequency.MONTHLY: 1,
    Frequency.BIMONTHLY: 2,
    Frequency.QUARTERLY: 3,
    Frequency.HALF_YEARLY: 6,
    Frequency.YEARLY: 12,
}
_MID_MONTH = 16  # the second fortnight's first day
LONGEST_CYCLE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Cycle:
    """[start, end), midnights of the zone it was asked for in, in UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


def cycle_of(frequency: Frequency | None, at: datetime, zone: ZoneInfo) -> Cycle | None:
    """The cycle that `at` falls in; None where there is none: debited as presented, or unknown."""
    if frequency is None or frequency is Frequency.AS_PRESENTED:
        return None
    first, after = _days(frequency, at.astimezone(zone).date())
    return Cycle(*(datetime.combine(one, time(), zone).astimezone(UTC) for one in (first, after)))


def _days(frequency: Frequency, day: date) -> tuple[date, date]:
    """The cycle's first day, and the first after it."""
    if frequency is Frequency.DAILY:
        return day, day + timedelta(days=1)
    if frequency is Frequency.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if frequency is Frequency.FORTNIGHTLY:
        if day.day < _MID_MONTH:
            return day.replace(day=1), day.replace(day=_MID_MONTH)
        return day.replace(day=_MID_MONTH), _next_month(day)
    months = _MONTHS[frequency]
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    after = first
    for _ in range(months):
        after = _next_month(after)
    return first, after


def _next_month(day: date) -> date:
    return day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])

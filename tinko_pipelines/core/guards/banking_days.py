"""On which days a country's banks are open, by the `holidays` library."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import cache

SUNDAY = 6
SATURDAY = 5
LONGEST_CLOSURE = 14  # days; more than that is a mistake in a calendar


@cache
def holidays_of(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of one year, sundays and saturdays apart.

    A set per year, made whole before anybody sees it: the library's own objects fill themselves
    while they are asked, which two threads must not watch.
    """
    # 0.2 s to import, and only debits of bank accounts need it
    import holidays  # noqa: PLC0415

    found = holidays.country_holidays(country, subdiv=subdivision, years=[year])
    return frozenset(day for day in found if day.year == year)


def is_banking_day(day: date, closed: Collection[date], saturdays_off: Collection[int]) -> bool:
    """Whether banks are open: not on a Sunday, a day of `closed`, or the month's n-th Saturday
    for an n of `saturdays_off` (India: the second and fourth, since 2015-09-01)."""
    if day.weekday() == SUNDAY or day in closed:
        return False
    return day.weekday() != SATURDAY or (day.day - 1) // 7 + 1 not in saturdays_off


def next_banking_day(day: date, closed: Collection[date], saturdays_off: Collection[int]) -> date:
    """`day`, or the first open day after it. Raises ValueError where no bank opens for weeks."""
    for ahead in range(LONGEST_CLOSURE):
        candidate = day + timedelta(days=ahead)
        if is_banking_day(candidate, closed, saturdays_off):
            return candidate
    raise ValueError(f"no bank opens in the {LONGEST_CLOSURE} days from {day}")

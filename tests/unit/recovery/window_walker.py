"""The rule of windows, written a second time the plainest way: ask the wall clock every minute.

Only days of UTC near which a window names a local day are walked: on the others no minute can be
inside. Drafts are windows as a merchant sends them, in JSON.
"""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from tinko_pipelines.core.recovery.places import Place

Draft = Mapping[str, Any]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
PRESETS: Mapping[str, Draft] = {
    "daily": {"times": [{"from": "08:00", "to": "22:00"}]},
    "business_hours": {"days": WEEKDAYS[:5], "times": [{"from": "09:00", "to": "18:00"}]},
    "weekends": {"days": WEEKDAYS[5:], "times": [{"from": "09:00", "to": "21:00"}]},
    "paydays": {
        "last_banking_day": True,
        "days_of_month": [1, 2, 3, 7, 10],
        "times": [{"from": "09:00", "to": "21:00"}],
    },
}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def spelled(draft: Draft) -> Draft:
    """A draft without its preset: what the draft itself says goes before what the preset does."""
    said = {name: value for name, value in draft.items() if name != "preset"}
    return {**PRESETS[draft["preset"]], **said} if "preset" in draft else said


def shows(draft: Draft, at: datetime, place: Place) -> bool:
    """Whether the clock of the draft's zone is inside at that instant."""
    local = at.astimezone(_zone(draft, place))
    clock, today = local.hour * 60 + local.minute, local.date()
    for span in draft.get("times") or [{"from": "00:00", "to": "24:00"}]:
        begin, end = _minute(span["from"]), _minute(span["to"])
        if begin < end and begin <= clock < end and names(draft, today, place.country):
            return True
        if begin > end and (
            (clock >= begin and names(draft, today, place.country))
            or (clock < end and names(draft, today - DAY, place.country))
        ):
            return True
    return False


def names(draft: Draft, day: date, country: str | None) -> bool:
    """Whether the draft speaks of this local date."""
    if "days" in draft and WEEKDAYS[day.weekday()] not in draft["days"]:
        return False
    if "months" in draft and day.month not in draft["months"]:
        return False
    banking = draft.get("last_banking_day", False)
    if banking and day == last_open_day(day.year, day.month, country):
        return True
    if "days_of_month" not in draft:
        return not banking
    length = calendar.monthrange(day.year, day.month)[1]
    return any(day.day == (one if one > 0 else length + 1 + one) for one in draft["days_of_month"])


@cache
def last_open_day(year: int, month: int, country: str | None) -> date:
    """The month's last day on which the banks of a country are open; XX is none."""
    closed = holidays.country_holidays(country, years=year) if country not in (None, "XX") else ()
    days = [date(year, month, 1) + n * DAY for n in range(calendar.monthrange(year, month)[1])]
    saturdays = [day for day in days if day.weekday() == 5]
    # India's banks rest on the second and the fourth, others on all
    off = saturdays[1:4:2] if country == "IN" else saturdays
    return max(day for day in days if day.weekday() != 6 and day not in off and day not in closed)


def walk(drafts: Sequence[Draft], at: datetime, place: Place, years: int) -> datetime | None:
    """The first minute from `at` on at which a draft is open; None where none is for `years`."""
    if any(shows(one, at, place) for one in drafts):
        return at
    for minute in _minutes(drafts, at, place.country, years):
        if any(shows(one, minute, place) for one in drafts):
            return minute
    return None


def _minutes(
    drafts: Sequence[Draft], at: datetime, country: str | None, years: int
) -> Iterator[datetime]:
    """Whole minutes after `at`, of days of UTC that have to do with a day that a draft names."""
    begin = at.replace(second=0, microsecond=0) + MINUTE
    for number in range(years * 366):
        midnight = datetime(at.year, at.month, at.day, tzinfo=UTC) + number * DAY
        # no zone is a whole day from UTC, and a span over midnight reaches into the day after
        near = [midnight.date() + ahead * DAY for ahead in (-2, -1, 0, 1)]
        if any(names(one, day, country) for one in drafts for day in near):
            minute = max(midnight, begin)
            while minute < midnight + DAY:
                yield minute
                minute += MINUTE


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


@cache
def _known(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _zone(draft: Draft, place: Place) -> ZoneInfo:
    said = draft.get("timezone", "org")
    if said == "payer":
        said = place.payer_timezone or "org"
    return _known(place.org_timezone if said == "org" else said)

"""When a merchant wants charges to be made: local days and hours, and their next opening.

A window is a rule over the local wall clock: an instant is inside when the clock of its zone shows
a time of one of `times` on a day that the window names. So an hour that the clocks skip in spring
is not there that day, and one they repeat in autumn is open twice. A span over midnight belongs
to the day it begins on.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tinko_pipelines.core.recovery.places import Place, is_timezone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Preset = Literal["daily", "business_hours", "weekends", "paydays"]

_MINUTES = 24 * 60
_WEEKDAYS = tuple(Weekday.__args__)  # type: ignore[attr-defined]
# the 29th of February falls on a Monday every 28 years, or 40 over a century
_HORIZON = timedelta(days=41 * 366)
_DAY = timedelta(days=1)

# what a preset stands for is written into the version that names it: a later change of this table
# changes no running case
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "daily": {"times": ({"from": "08:00", "to": "22:00"},)},
    "business_hours": {"days": _WEEKDAYS[:5], "times": ({"from": "09:00", "to": "18:00"},)},
    "weekends": {"days": _WEEKDAYS[5:], "times": ({"from": "09:00", "to": "21:00"},)},
    # salaries come on the last banking day (India's and most of the world's), by the first days
    # of the month, on the 7th and the 10th (India's Payment of Wages Act, section 5)
    "paydays": {
        "last_banking_day": True,
        "days_of_month": (1, 2, 3, 7, 10),
        "times": ({"from": "09:00", "to": "21:00"},),
    },
}


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True,
        validate_by_alias=True, ignored_types=(cached_property,),
    )  # fmt: skip


class TimeSpan(_Part):
    """Local times `HH:MM`, from the first to before the second; it may cross midnight."""

    start: Annotated[str, Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, Field(alias="to", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]

    @model_validator(mode="after")
    def _not_empty(self) -> TimeSpan:
        if self.start == self.end:
            raise ValueError(f"from and to are both {self.start}: leave times out for a whole day")
        return self

    @cached_property
    def minutes(self) -> tuple[int, int]:
        """Of the day; the second is smaller where the span crosses midnight."""
        (h, m), (to_h, to_m) = (map(int, one.split(":")) for one in (self.start, self.end))
        return h * 60 + m, to_h * 60 + to_m


def _known_zone(name: str) -> str:
    if name in ("org", "payer") or is_timezone(name):
        return name
    raise ValueError(f"{name!r} is neither org, payer nor an IANA time zone")


Timezone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_known_zone)]
Month = Annotated[int, Field(ge=1, le=12)]
DayOfMonth = Annotated[int, Field(ge=-31, le=31)]


def _not_none(named: tuple[Any, ...]) -> tuple[Any, ...]:
    if not named:
        raise ValueError("an empty list names nothing: leave it out where all are meant")
    return named


# a list that is there names something; not min_length, which speaks up for a malformed item too
Some = AfterValidator(_not_none)


class Window(_Part):
    """Days and hours. What is left out does not restrict; days of the month that a month does not
    have are not there in it, and negative ones count from its end (-1 is its last)."""

    preset: Preset | None = None
    days: Annotated[tuple[Weekday, ...], Field(max_length=7), Some] | None = None
    months: Annotated[tuple[Month, ...], Field(max_length=12), Some] | None = None
    last_banking_day: bool = False
    days_of_month: Annotated[tuple[DayOfMonth, ...], Field(max_length=62), Some] | None = None
    times: Annotated[tuple[TimeSpan, ...], Field(max_length=12), Some] | None = None
    timezone: Timezone = "org"

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"preset": given}
        if isinstance(given, Mapping):
            preset = given.get("preset")
            if isinstance(preset, str):
                return {**PRESETS.get(preset, {}), **given}
        return given

    @field_validator("days_of_month")
    @classmethod
    def _possible(
        cls, days: tuple[int, ...] | None, others: ValidationInfo
    ) -> tuple[int, ...] | None:
        if days and 0 in days:
            raise ValueError("there is no day 0 of a month")
        months = others.data.get("months") or range(1, 13)
        longest = max(calendar.monthrange(2024, month)[1] for month in months)
        if days and min(map(abs, days)) > longest and not others.data.get("last_banking_day"):
            raise ValueError(f"no month of {list(months)} has a day {', '.join(map(str, days))}")
        return days

    def on(self, day: date, place: Place) -> bool:
        """Whether the window names this local date."""
        if self.days is not None and _WEEKDAYS[day.weekday()] not in self.days:
            return False
        if self.months is not None and day.month not in self.months:
            return False
        if self.days_of_month is not None:
            length = calendar.monthrange(day.year, day.month)[1]
            if day.day in self.days_of_month or day.day - length - 1 in self.days_of_month:
                return True
        elif not self.last_banking_day:
            return True
        return self.last_banking_day and day == place.last_banking_day(day.year, day.month)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Minutes of the day, the whole of it where no times are named."""
        return tuple(one.minutes for one in self.times) if self.times else ((0, _MINUTES),)


Windows = Annotated[tuple[Window, ...], Field(max_length=8), Some]


def is_open(windows: Sequence[Window], at: datetime, place: Place) -> bool:
    """Whether `at` is inside one of `windows`; no windows are always open."""
    return not windows or any(_inside(one, at, place) for one in windows)


def next_open(windows: Sequence[Window], at: datetime, place: Place) -> datetime | None:
    """The first instant from `at` on inside one of `windows`, in UTC; `at` itself may be it.

    None where they never open: a time that the clocks skip on the only day it is wanted.
    """
    if is_open(windows, at, place):
        return at
    openings = [_opening(one, at, place) for one in windows]
    return min((one for one in openings if one is not None), default=None)


def _inside(window: Window, at: datetime, place: Place) -> bool:
    local = at.astimezone(place.zone(window.timezone))
    clock, today = local.hour * 60 + local.minute, local.date()
    for start, end in window.spans:
        if start < end:
            if start <= clock < end and window.on(today, place):
                return True
        elif (clock >= start and window.on(today, place)) or (
            clock < end and window.on(today - _DAY, place)
        ):
            return True
    return False


def _opening(window: Window, at: datetime, place: Place) -> datetime | None:
    """The clock enters a window at the start of a span, or by jumping into one."""
    zone = place.zone(window.timezone)
    day = at.astimezone(zone).date() - _DAY
    last = day + _HORIZON
    found: datetime | None = None
    while day <= last and (found is None or day <= found.astimezone(zone).date() + _DAY):
        if window.on(day, place):
            entries = [
                one
                for one in _entries(window.spans, day, zone.key)
                if one >= at and _inside(window, one, place)
            ]
            # the clock may go back over midnight: the day after can be entered first
            found = min([*entries, found] if found else entries, default=None)
        day += _DAY
    return found


def _entries(spans: tuple[tuple[int, int], ...], day: date, key: str) -> Iterator[datetime]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    offsets, changes = _offsets(day, key)
    yield from changes
    for start, _ in spans:
        for offset in offsets:
            yield midnight + timedelta(minutes=start) - offset


@lru_cache(maxsize=4096)
def _offsets(day: date, key: str) -> tuple[tuple[timedelta, ...], tuple[datetime, ...]]:
    """The UTC offsets around a local date, and the instants (UTC, whole minutes) they change at."""
    zone, step = ZoneInfo(key), timedelta(hours=6)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - _DAY
    seen, changes = [offset(first)], []
    for number in range(16):
        low, high = first + number * step, first + (number + 1) * step
        if offset(high) == seen[-1]:
            continue
        while high - low > timedelta(minutes=1):
            middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
            low, high = (low, middle) if offset(middle) != seen[-1] else (middle, high)
        changes.append(high)
        seen.append(offset(high))
    return tuple(dict.fromkeys(seen)), tuple(changes)

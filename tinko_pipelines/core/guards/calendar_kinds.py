"""The kinds of limits that look at a local clock or calendar. The same contract as kinds.py."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from tinko_pipelines.core.guards.banking_days import (
    LONGEST_CLOSURE,
    holidays_of,
    is_banking_day,
    next_banking_day,
)
from tinko_pipelines.core.guards.cycles import Frequency, cycle_of
from tinko_pipelines.core.guards.kinds import NEVER, YES, Answer, Params, after
from tinko_pipelines.core.guards.model import Facts

MIDNIGHT = time()
END_OF_DAY = "24:00"


def known_zone(value: str) -> str:
    """`value`, an IANA time zone. Raises ValueError where there is none of that name."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value} is no timezone") from None
    return value


class Local(Params):
    """`debit_after_hours`: the debit comes so long after the PSP was asked for it, because the
    pre-debit notice comes first."""

    timezone: str
    debit_after_hours: NonNegativeInt

    _known = field_validator("timezone")(known_zone)


def debit_at(facts: Facts, at: datetime, hours: int) -> datetime:
    """When the debit of an attempt at `at` comes: at once where its notice was ours to wait for."""
    return at if facts.notice_required else at + timedelta(hours=hours)


class LocalWindow(Local):
    """Windows [from, to) of the local day, HH:MM, in order; `24:00` ends the day."""

    windows: list[list[str]] = Field(min_length=1)

    @field_validator("windows")
    @classmethod
    def in_order(cls, value: list[list[str]]) -> list[list[str]]:
        ends = [second for pair in value for second in seconds(pair)]
        if ends != sorted(set(ends)):
            raise ValueError("the windows overlap, are empty or stand out of order")
        return value


def seconds(pair: list[str]) -> tuple[int, int]:
    """A window in seconds of the day. Raises ValueError where it is none."""
    if len(pair) != 2:
        raise ValueError(f"{pair} is no window: it has a beginning and an end")
    begin, end = (86400 if one == END_OF_DAY else _second(time.fromisoformat(one)) for one in pair)
    return begin, end


def _second(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


@cache
def _windows(pairs: tuple[tuple[str, ...], ...]) -> tuple[tuple[int, int], ...]:
    return tuple(seconds(list(pair)) for pair in pairs)


def local_window(facts: Facts, at: datetime, params: LocalWindow) -> Answer:
    """The debit itself falls in one of the local windows."""
    zone = ZoneInfo(params.timezone)
    debit = debit_at(facts, at, params.debit_after_hours)
    local = debit.astimezone(zone)
    clock = _second(local.time())
    windows = _windows(tuple(tuple(pair) for pair in params.windows))
    for begin, end in windows:
        if begin <= clock < end:
            return YES
    later = [begin for begin, _ in windows if begin > clock]
    day = local.date() if later else local.date() + timedelta(days=1)
    begin = later[0] if later else windows[0][0]
    opens = datetime.combine(day, time(begin // 3600, begin // 60 % 60, begin % 60), zone)
    return False, at + (opens - debit)


class BeforeCycleEnd(Params):
    """The debit comes more than `hours` before the end of the debt's own cycle, where its PSP says
    it, and of the one of its mandate's frequency in the calendar of `timezone`."""

    hours: PositiveInt
    debit_after_hours: NonNegativeInt
    # evidence of before has none, and frequencies neither
    timezone: str = "Asia/Kolkata"

    _known = field_validator("timezone")(known_zone)


def before_cycle_end(facts: Facts, at: datetime, params: BeforeCycleEnd) -> Answer:
    """Once a debt's own cycle is over, never; a mandate's next cycle begins with its end. A cycle
    of one day has no other day than its last, and is not held to this."""
    debit = debit_at(facts, at, params.debit_after_hours)
    if facts.cycle_end is not None and debit >= after(facts.cycle_end, hours=-params.hours):
        return NEVER
    cycle = cycle_of(facts.frequency, at, ZoneInfo(params.timezone))
    if cycle is None or facts.frequency is Frequency.DAILY:
        return YES
    return YES if debit < after(cycle.end, hours=-params.hours) else (False, cycle.end)


class BankingDay(Local):
    """Days on which the banks of `country` are open. `closed`: their holidays, as they were known
    when an attempt was decided or allowed; without it the `holidays` library is asked."""

    country: str
    subdivision: str | None = None
    saturdays_off: list[int] = Field(default_factory=list)
    closed: list[str] | None = None

    @model_validator(mode="after")
    def in_a_calendar(self) -> BankingDay:
        try:
            holidays_of(self.country, self.subdivision, 2026)
        except NotImplementedError as error:
            raise ValueError(str(error)) from None
        return self

    def closed_between(self, since: datetime, until: datetime) -> frozenset[date]:
        """The holidays that may matter to an attempt in [since, until]: those of whole years."""
        if self.closed is not None:
            return frozenset(map(date.fromisoformat, self.closed))
        zone = ZoneInfo(self.timezone)
        latest = until.astimezone(zone) + timedelta(
            hours=self.debit_after_hours, days=LONGEST_CLOSURE
        )
        years = range(since.astimezone(zone).year, latest.year + 1)
        return frozenset().union(
            *(holidays_of(self.country, self.subdivision, year) for year in years)
        )

    def fixed(self, since: datetime, until: datetime) -> BankingDay:
        """The same with its holidays written down, for attempts in [since, until]: what is kept,
        so that a newer library does not change the answer."""
        closed = sorted(self.closed_between(since, until))
        return self.model_copy(update={"closed": [day.isoformat() for day in closed]})


def banking_day(facts: Facts, at: datetime, params: BankingDay) -> Answer:
    """The debit falls on a day when banks are open; else it moves to the next one's midnight."""
    zone = ZoneInfo(params.timezone)
    debit = debit_at(facts, at, params.debit_after_hours)
    day = debit.astimezone(zone).date()
    closed = params.closed_between(at, at)
    if is_banking_day(day, closed, params.saturdays_off):
        return YES
    opens = next_banking_day(day, closed, params.saturdays_off)
    return False, at + (datetime.combine(opens, MIDNIGHT, zone) - debit)

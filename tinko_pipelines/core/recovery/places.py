"""Where a local time is local: the organisation's zone, the payer's, and whose banks are open."""

from __future__ import annotations

import calendar
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from tinko_pipelines.core.guards.banking_days import holidays_of, is_banking_day

# zones of one country that agree on every first of a month of these years keep one time
_COMPARED = tuple(
    datetime(year, month, 1, 12, tzinfo=UTC) for year in range(2024, 2032) for month in range(1, 13)
)
# which Saturdays of a month banks are closed on; India's: the second and fourth, since 2015-09-01
_SATURDAYS_OFF = {"IN": frozenset({2, 4})}
_ALL_SATURDAYS = frozenset(range(1, 6))


@dataclass(frozen=True, slots=True)
class Place:
    """IANA names, and the ISO 3166 country whose bank holidays count (None: weekends only).

    `closed`: those holidays, as they were known when a decision was made; without it the
    `holidays` library is asked.
    """

    org_timezone: str = "UTC"
    payer_timezone: str | None = None
    country: str | None = None
    closed: frozenset[date] | None = None

    def zone(self, wanted: str) -> ZoneInfo:
        """`wanted` is `org`, `payer` (the organisation's where the payer's is not known) or an
        IANA name. Raises zoneinfo.ZoneInfoNotFoundError."""
        if wanted == "payer":
            wanted = self.payer_timezone or "org"
        return ZoneInfo(self.org_timezone if wanted == "org" else wanted)

    def last_banking_day(self, year: int, month: int) -> date:
        """The last day of the month on which banks are open."""
        return last_banking_day(year, month, self.country, self.closed)


def place_of(
    org_timezone: str,
    payer_country: str | None,
    instrument_country: str | None,
    closed: Collection[date] | None = None,
) -> Place:
    """The place of a debt. Where the payer lives is only what was said of the payer; whose banks
    are open may also be learnt from the card."""
    return Place(
        org_timezone=org_timezone,
        payer_timezone=timezone_of(payer_country),
        country=payer_country or instrument_country,
        closed=None if closed is None else frozenset(closed),
    )


def is_timezone(name: str) -> bool:
    """Whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 country that keeps a time."""
    return code in _zones_by_country()


@lru_cache(maxsize=512)
def timezone_of(country: str | None) -> str | None:
    """The time of a country (ISO 3166-1 alpha-2) that keeps a single one, else None.

    Germany is listed with two zones that are the same; the United States keep several.
    Source: zone.tab of the IANA database.
    """
    zones = _zones_by_country().get(country or "", ())
    kept = {tuple(at.astimezone(ZoneInfo(zone)).utcoffset() for at in _COMPARED) for zone in zones}
    return zones[0] if len(kept) == 1 else None


def countries() -> tuple[str, ...]:
    """Every country of the IANA database, ISO 3166-1 alpha-2."""
    return tuple(sorted(_zones_by_country()))


@lru_cache(maxsize=1)
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text().splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), zone)
    return found


@lru_cache(maxsize=4096)
def bank_holidays(country: str | None, first: date, last: date) -> tuple[date, ...]:
    """The holidays, in order, of the months from that of `first` to that of `last`: all that
    last_banking_day() may ask for any of them. None where they are not known."""
    begin, end = first.replace(day=1), _month_end(last.year, last.month)
    years = range(begin.year, end.year + 1)
    return tuple(sorted(d for year in years for d in _closed(country, year) if begin <= d <= end))


@lru_cache(maxsize=4096)
def last_banking_day(
    year: int, month: int, country: str | None, closed: frozenset[date] | None = None
) -> date:
    """The last day of the month on which the banks of `country` are open: where its holidays are
    not known, the last that is neither Saturday nor Sunday. `closed` None: by the library."""
    day = _month_end(year, month)
    if closed is None:
        closed = _closed(country, year)
    while not is_banking_day(day, closed, _SATURDAYS_OFF.get(country or "", _ALL_SATURDAYS)):
        day -= timedelta(days=1)
    return day


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _closed(country: str | None, year: int) -> frozenset[date]:
    if country is None:
        return frozenset()
    try:
        return holidays_of(country, None, year)
    except NotImplementedError:  # the library does not know the country
        return frozenset()

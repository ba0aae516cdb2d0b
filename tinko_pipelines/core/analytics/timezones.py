"""Local time for ClickHouse: which country keeps which time, and each zone's offsets.

ClickHouse computes local times in one zone per query; marts need each payer's own. So they join
these two tables, which come from the places of core/recovery and the IANA database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.recovery.places import countries, timezone_of

# the ledger begins no earlier, and rules of time beyond are anybody's guess
FIRST, LAST = datetime(2023, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
# shorter than the shortest time a zone keeps an offset: Morocco's month of Ramadan
_STEP = timedelta(days=20)
_EXACT = timedelta(minutes=15)


def country_timezones() -> list[tuple[str, str]]:
    """(country, zone) for every country that keeps a single time."""
    return [(one, zone) for one in countries() if (zone := timezone_of(one))]


@lru_cache(maxsize=1)
def utc_offsets() -> tuple[tuple[str, datetime, int], ...]:
    """(zone, since, seconds ahead of UTC) for every IANA zone, from FIRST to LAST."""
    return tuple(
        (name, since, offset)
        for name in sorted(available_timezones())
        for since, offset in _changes(ZoneInfo(name))
    )


def fill(client: Client) -> None:
    """Write both tables where they say something else. The caller turns the driver's errors."""
    _replace(client, "country_timezones", ["country", "timezone"], country_timezones())
    _replace(client, "utc_offsets", ["timezone", "since", "offset_seconds"], list(utc_offsets()))


def _replace(
    client: Client, table: str, columns: list[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    names = ", ".join(columns)
    known = client.query(f"select {names} from {DATABASE}.{table} final").result_rows
    aware = {tuple(_aware(value) for value in row) for row in known}
    if aware != set(rows):
        client.command(f"truncate table {DATABASE}.{table}")
        client.insert(table, rows, column_names=columns, database=DATABASE)


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, int]]:
    at, offset = FIRST, _offset(zone, FIRST)
    yield at, offset
    while at < LAST:
        following = at + _STEP
        if _offset(zone, following) != offset:
            following = _first_change(zone, at, following)
            offset = _offset(zone, following)
            yield following, offset
        at = following


def _first_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The instant in (before, after] from which on the offset is another; bisected."""
    old = _offset(zone, before)
    while after - before > _EXACT:
        middle = before + (after - before) // 2
        middle -= timedelta(seconds=middle.timestamp() % _EXACT.total_seconds())
        if middle <= before:
            break
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())

"""The days as data ops look at them, and those that are to be listed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Psp

if TYPE_CHECKING:
    # the API reads these totals, and needs no frames for it
    from tinko_pipelines.core.ingestion.days import DayKind


@dataclass(frozen=True, slots=True)
class DayTotal:
    """A day of one PSP and kind over all connections. `late` rows changed after it was closed,
    `healed` events webhooks missed; `closed` where every connection's day is."""

    day: date
    listed: int
    late: int
    healed: int
    closed: bool


@dataclass(frozen=True, slots=True)
class PspTotal:
    """Over all connections of a PSP, since the first listing: events `missed` by webhooks, rows
    that came `late`, and days that are `reopened` now."""

    psp: str
    missed: int
    late: int
    reopened: int


def totals(engine: Engine) -> list[PspTotal]:
    """What `/metrics` shows of ingestion. Raises SQLAlchemyError where the database is away."""
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("ingestion", "totals"))
        return [
            PspTotal(row.psp, int(row.missed), int(row.late), int(row.reopened)) for row in rows
        ]


@dataclass(frozen=True, slots=True)
class HearingTotal:
    """Active connections of a PSP whose webhooks stand at `hearing` (core/ingestion/watch.py), the
    least recently looked at `looked_wall`."""

    psp: str
    hearing: str
    connections: int
    looked_wall: datetime


def hearings(engine: Engine) -> list[HearingTotal]:
    """What `/metrics` shows of webhooks. Raises SQLAlchemyError where the database is away."""
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("ingestion", "hearings"))
        return [
            HearingTotal(row.psp, row.hearing, row.connections, row.looked_wall) for row in rows
        ]


def days_of(engine: Engine, psp: Psp, kind: DayKind, first: date, last: date) -> list[DayTotal]:
    """The days of [first, last] that were listed, newest first."""
    values = {"psp": psp.value, "kind": kind.value, "first": first, "last": last}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("ingestion", "days_of"), values)
        return [
            DayTotal(row.day, int(row.listed), int(row.late), int(row.healed), row.closed)
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class ToList:
    """A day to be listed again, with the `lookback_days` before it that a listing which was cut
    short had begun with."""

    psp: Psp
    day: date
    lookback_days: int


def oldest_to_list(
    engine: Engine, kinds: Sequence[DayKind], first: date, last: date
) -> ToList | None:
    """The oldest of the days `first` to `last` that late data re-opened, or whose listing was cut
    short."""
    values = {"kinds": [kind.value for kind in kinds], "first": first, "last": last}
    with unit_of_work(engine) as connection:
        row = connection.execute(query("ingestion", "oldest_to_list"), values).one_or_none()
    return None if row is None else ToList(Psp(row.psp), row.day, (row.day - row.began_with).days)

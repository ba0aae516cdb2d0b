"""How far each day of a connection was listed: where to go on, and when a day has to come again.

A day is `open` until a listing that began after its end came to its own end, then `closed`. A
record of a closed day that a listing finds changed is late; where that listing does not cover the
whole day, the day is `reopened` and listed again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ingestion.frames import Whose
from tinko_pipelines.core.psp.paging import Cursor
from tinko_pipelines.core.psp.records import DISPUTES_LAST

# a listing that was cut short longer ago than this begins anew: its first pages are old
GOES_ON = timedelta(hours=6)


class DayKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    SETTLEMENT_LINE = "settlement_line"
    PAYOUT = "payout"


class DayState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    REOPENED = "reopened"


# changed rows by kind and day
Changed = Counter[tuple[DayKind, date]]


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing of the days `first` to `last` (UTC, both included) that began at `began`.

    `kinds` are what it lists; its cursor is kept with the first of them, on `last`.
    """

    whose: Whose
    kinds: tuple[DayKind, ...]
    first: date
    last: date
    began: datetime

    @property
    def start(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        return midnight(self.last + timedelta(days=1))

    @property
    def open_from(self) -> date:
        """The first day that had not ended when it began."""
        return self.began.astimezone(UTC).date()

    def covers_from(self, kind: DayKind) -> date:
        """The first day whose records of `kind` it lists whole."""
        return self.first - DISPUTES_LAST if kind is DayKind.DISPUTE else self.first

    @property
    def _row(self) -> dict[str, Any]:
        return {
            "connection_id": self.whose.connection_id,
            "org_id": self.whose.org_id,
            "psp": self.whose.psp.value,
        }


def midnight(day: date) -> datetime:
    """The instant a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def begin(
    engine: Engine, whose: Whose, kinds: tuple[DayKind, ...], first: date, last: date, now: datetime
) -> tuple[Listing, Cursor | None]:
    """The listing of these days, and where it goes on: behind what a listing of the same days kept
    before it was cut short, None from the beginning."""
    wanted = {"connection_id": whose.connection_id, "kind": kinds[0].value, "day": last}
    with unit_of_work(engine) as connection:
        kept = connection.scalar(query("ingestion", "cursor_of_day"), wanted)
    began = _began(kept, first, now)
    if began is None:
        return Listing(whose, kinds, first, last, now), None
    return Listing(whose, kinds, first, last, began), kept["after"]


def _began(kept: Mapping[str, Any] | None, first: date, now: datetime) -> datetime | None:
    if kept is None or kept["first"] != first.isoformat():
        return None
    began = datetime.fromisoformat(kept["began"])
    return began if now - GOES_ON <= began <= now else None


def keep(connection: Connection, listing: Listing, after: Cursor, healed: int) -> None:
    """Note in the caller's transaction, which stores the page, that it was kept."""
    cursor = {
        "first": listing.first.isoformat(),
        "began": listing.began.isoformat(),
        "after": dict(after),
    }
    connection.execute(
        query("ingestion", "keep_cursor"),
        listing._row
        | {
            "kind": listing.kinds[0].value,
            "day": listing.last,
            "cursor": json.dumps(cursor),
            "healed": healed,
        },
    )


def note_late(connection: Connection, listing: Listing, changed: Changed, now: datetime) -> None:
    """Count what changed on days that were closed, and re-open those this listing covers not."""
    if not changed:
        return
    rows = sorted(changed.items())
    connection.execute(
        query("ingestion", "note_late"),
        {
            "connection_id": listing.whose.connection_id,
            "now": now,
            "last": listing.last,
            "kinds": [kind.value for (kind, _), _ in rows],
            "days": [day for (_, day), _ in rows],
            "changed": [count for _, count in rows],
            "covered_from": [listing.covers_from(kind) for (kind, _), _ in rows],
        },
    )


def end(connection: Connection, listing: Listing, now: datetime) -> None:
    """The listing came to its end: its days are closed, or open where they had not ended."""
    settled = DayKind.SETTLEMENT_LINE in listing.kinds
    values = listing._row | {
        "kinds": [kind.value for kind in listing.kinds],
        "first": listing.first,
        "last": listing.last,
        "open_from": listing.open_from,
        "now": now,
    }
    if not settled:
        values["disputes_from"] = listing.covers_from(DayKind.DISPUTE)
    connection.execute(query("ingestion", "end_settlement" if settled else "end_records"), values)

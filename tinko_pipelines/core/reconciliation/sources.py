"""The three books of one connection's day, read into frames; and how far they can be trusted."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import id_floor
from tinko_pipelines.core.ledger.disputes import dispute_key
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation import frames
from tinko_pipelines.core.reconciliation.frames import LEDGER_STANDING, PSP_STANDING, Books
from tinko_pipelines.core.reconciliation.payouts import CAME_BACK, read_payouts

_PSP_WORDS = {word.value: standing.value for word, standing in PSP_STANDING.items()}
_LEDGER_WORDS = {word.value: standing.value for word, standing in LEDGER_STANDING.items()}


@dataclass(frozen=True, slots=True)
class Whose:
    """The connection whose books are held against each other."""

    org_id: uuid.UUID
    connection_id: uuid.UUID
    psp: Psp


@dataclass(frozen=True, slots=True)
class Listed:
    """Whether the day's payments are listed to their end, and until when settlements are."""

    payments: bool
    settlements_at: datetime | None


def listed(connection: Connection, whose: Whose, day: date) -> Listed:
    """How far the PSP was listed for `day`: what was not listed cannot be missing."""
    row = connection.execute(
        query("reconciliation", "listed_days"),
        {"connection_id": whose.connection_id, "day": day},
    ).one()
    return Listed(row.payments in ("closed", "reopened"), row.settlements_at)


def archived_month(connection: Connection, whose: Whose, day: date) -> str | None:
    """The first month in the archive that attempts of `day` are of; None where the ledger has them
    all."""
    row = connection.execute(
        query("reconciliation", "archived_of_day"),
        {
            "connection_id": whose.connection_id,
            "day": day,
            "floor": id_floor(datetime(day.year, day.month, day.day, tzinfo=UTC)),
        },
    ).one_or_none()
    return None if row is None else str(row.month)


def read_books(connection: Connection, whose: Whose, day: date) -> Books:
    """The books of the payments of `day` (UTC), and of the payouts made on it."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    wanted = {
        "connection_id": whose.connection_id,
        "day": day,
        "since": start,
        "until": start + timedelta(days=1),
    }

    def rows(name: str, schema: pl.Schema, **more: Any) -> pl.DataFrame:
        return _frame(connection, name, schema, wanted | more)

    disputes = rows("day_aftermath", frames.AFTERMATH, kind="dispute")
    keys = [dispute_key(whose.connection_id, one) for one in disputes["object_id"]]
    return Books(
        transactions=rows("day_transactions", frames.TRANSACTIONS).with_columns(
            pl.col("status").replace_strict(_PSP_WORDS, return_dtype=pl.String)
        ),
        ledger=rows("day_ledger", frames.LEDGER).with_columns(
            pl.col("status").replace_strict(_LEDGER_WORDS, return_dtype=pl.String)
        ),
        lines=_as_it_is_now(connection, whose, rows("day_lines", frames.LINES)),
        refunds=rows("day_aftermath", frames.AFTERMATH, kind="refund"),
        disputes=disputes,
        known_disputes=rows("known_disputes", frames.KNOWN_DISPUTES, keys=keys),
        payouts=rows("day_payouts", frames.PAYOUTS),
        payout_lines=rows("payout_lines", frames.LINES),
    )


def _as_it_is_now(connection: Connection, whose: Whose, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of payouts that came back, with the status of the payout that has their money now."""
    back = lines.filter(pl.col("payout_status").is_in([one.value for one in CAME_BACK]))
    if back.is_empty():
        return lines
    gone = back["payout_id"].drop_nulls().unique().to_list()
    known = read_payouts(connection, [whose.connection_id], gone)[whose.connection_id]
    now = {one: known.status.get(known.carrying(one)) for one in gone}
    said = pl.col("payout_id").replace_strict(now, default=None, return_dtype=pl.String)
    return lines.with_columns(payout_status=pl.coalesce(said, "payout_status"))


def ledger_totals(connection: Connection, ledger: pl.DataFrame) -> dict[str, int]:
    """What those attempts collected, minor units per currency, as the database adds it up."""
    ids = [uuid.UUID(one) for one in ledger["attempt_id"]]
    rows = connection.execute(query("reconciliation", "ledger_totals"), {"ids": ids})
    return {row.currency: row.minor for row in rows}


def _frame(
    connection: Connection, name: str, schema: pl.Schema, values: dict[str, Any]
) -> pl.DataFrame:
    found = connection.execute(query("reconciliation", name), values)
    rows = [tuple(row) for row in found]
    return pl.DataFrame(rows, schema=schema, orient="row")

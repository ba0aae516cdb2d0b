"""Frames into their tables: a row that is there is corrected, one that says the same left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ingestion.days import Changed, DayKind
from tinko_pipelines.core.ingestion.frames import SCHEMAS

_LOADS: Mapping[str, tuple[str, str]] = {
    "psp_records": ("load_records", "object_id"),
    "settlement_lines": ("load_lines", "line_id"),
    "payouts": ("load_payouts", "payout_id"),
}


def load(connection: Connection, table: str, frame: pl.DataFrame) -> Changed:
    """Upsert `frame`, a frame of `frames.SCHEMAS[table]`, in the caller's transaction.

    Returns how many rows now say something else, by kind and day: loading the same twice changes
    nothing. Of rows with the same key the last counts. Raises ValueError for another schema.
    """
    if frame.schema != SCHEMAS[table]:
        raise ValueError(f"not a frame of {table}: {frame.schema}")
    changed: Changed = Counter()
    if frame.is_empty():
        return changed
    name, key = _LOADS[table]
    once = frame.unique(subset=["connection_id", key], keep="last", maintain_order=True)
    _add(changed, connection.execute(query("ingestion", name), once.to_dict(as_series=False)))
    return changed


def pass_on_payout_status(
    connection: Connection, connection_id: Any, frame: pl.DataFrame, now: Any
) -> Changed:
    """Tell the lines of the payouts in `frame` how these stand now, in the caller's transaction."""
    changed: Changed = Counter()
    if not frame.is_empty():
        payouts = {
            "connection_id": connection_id,
            "payout_ids": frame["payout_id"].to_list(),
            "now": now,
        }
        _add(changed, connection.execute(query("ingestion", "pass_on_payout_status"), payouts))
    return changed


def _add(changed: Changed, rows: Any) -> None:
    for row in rows:
        day: date = row.day
        changed[DayKind(row.kind), day] += row.changed

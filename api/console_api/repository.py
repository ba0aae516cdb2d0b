"""Totals of one organisation, inside its transaction."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping

from tinko_pipelines.core.db.queries import query


def overview(connection: Connection) -> dict[str, Any]:
    """Counts, and money per currency in minor units; currencies are never summed together."""
    totals = connection.execute(query("overview", "totals")).mappings().one()
    attempts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(query("overview", "attempt_counts")):
        attempts[row.actor][row.state] = row.n
    return {
        **totals,
        "cases": {row.state: row.n for row in connection.execute(query("overview", "case_counts"))},
        "attempts": dict(attempts),
        "money": list(connection.execute(query("overview", "money")).mappings()),
    }


def recovered_by_day(connection: Connection, now: datetime, days: int = 30) -> dict[str, list[int]]:
    """Minor units recovered on each of the last `days` UTC days, oldest first, per currency."""
    first = now.date() - timedelta(days=days - 1)
    rows = connection.execute(query("overview", "recovered_by_day"), {"since": first})
    series: dict[str, list[int]] = {}
    for row in rows:
        values = series.setdefault(row.currency, [0] * days)
        index = (row.day - first).days
        if 0 <= index < days:
            values[index] = row.recovered_minor
    return series


def connections(connection: Connection) -> list[RowMapping]:
    """The organisation's connections, without their secrets."""
    return list(connection.execute(query("overview", "connections")).mappings())

"""A table's months at a glance: rows and bytes of each, in the ledger or in the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.model import GONE, ArchiveState
from tinko_pipelines.core.archival.survey import SIZE
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.plotting import bar

SHOWN = 24
HERE = "here"
# the bar of a month in the archive is another
_MARKS = {HERE: "█", ArchiveState.DISCARDED.value: " "}
_ARCHIVED = "▒"


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """One month. `where` is HERE or the word of an `ArchiveState`; rows that are here are the
    planner's estimate, their bytes what the partition takes with its indexes; of an archived month
    they are what the manifest says of its Parquet, of a discarded one there are none."""

    month: Month
    where: str
    rows: int
    bytes: int


def months_of(connection: Connection, relation: str) -> list[MonthTotal]:
    """Every month of `relation` that is here or was, newest first."""
    found = [
        MonthTotal(one.month, record.state.value, record.rows or 0, record.bytes or 0)
        for one, record in records.read(connection).items()
        if one.relation == relation and record.state in GONE
    ]
    for name in partitions.standing(connection, relation):
        month = partitions.month_in(name, relation)
        if month is not None:
            size = connection.execute(SIZE, {"name": name}).one()
            found.append(MonthTotal(month, HERE, size.rows, size.bytes))
    return sorted(found, key=lambda one: one.month, reverse=True)


def plot(months: Sequence[MonthTotal]) -> str:
    """A bar of rows per month in markdown, the newest `SHOWN` in the order given. Pure."""
    if not months:
        return "it has no months yet"
    shown = months[:SHOWN]
    most = max(1, *(one.rows for one in shown))
    bars = [bar(one.rows, most, _MARKS.get(one.where, _ARCHIVED)) for one in shown]
    rows = [
        f"| {one.month} | {one.where} | `{drawn}` {one.rows} | {one.bytes} |"
        for one, drawn in zip(shown, bars, strict=True)
    ]
    return "\n".join(
        ["| month | where | rows (here: estimated) | bytes |", "|---|---|---|---:|", *rows]
    )

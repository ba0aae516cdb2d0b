"""What a materialisation shows of its day: rows, what came late, what webhooks missed, a plot."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl
from sqlalchemy import Engine

from tinko_pipelines.core.ingestion.days import DayKind
from tinko_pipelines.core.ingestion.overview import DayTotal, days_of
from tinko_pipelines.core.plotting import bar
from tinko_pipelines.core.psp.types import Psp

SHOWN_DAYS = 14


def column_schema(schema: pl.Schema) -> dg.TableSchema:
    """A frame's schema as Dagster shows it."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name, str(kind)) for name, kind in schema.items()]
    )


def standing(engine: Engine, psp: Psp, kind: DayKind, days: Sequence[date]) -> Mapping[str, Any]:
    """Metadata of `days` as they stand in the tables, with the two weeks before them as a plot."""
    first, last = min(days), max(days)
    shown = days_of(engine, psp, kind, min(first, last - timedelta(days=SHOWN_DAYS - 1)), last)
    own = [one for one in shown if one.day in set(days)]
    return {
        "dagster/row_count": sum(one.listed for one in own),
        "late": sum(one.late for one in own),
        "missed_by_webhooks": sum(one.healed for one in own),
        "days": dg.MetadataValue.md(plot(shown[:SHOWN_DAYS])),
    }


def plot(days: Sequence[DayTotal]) -> str:
    """A bar per day in markdown, newest first; open days are marked, late and missed rows told."""
    if not days:
        return "nothing was listed yet"
    most = max(1, *(one.listed for one in days))
    rows = [
        f"| {one.day}{'' if one.closed else ' (open)'} | `{bar(one.listed, most)}` {one.listed}"
        f" | {one.late} | {one.healed} |"
        for one in days
    ]
    return "\n".join(["| day | rows | late | missed by webhooks |", "|---|---|---|---|", *rows])

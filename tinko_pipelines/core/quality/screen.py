"""Native checks of what PSPs list, row by row, at the load: a frame in, its good rows out.

Conditions are data (screens.yaml) in Polars' SQL: a day's listing costs milliseconds. They hold
what one row's own arithmetic must; words, ranges over time and drift are the suites'.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.ingestion.frames import SCHEMAS, Screen
from tinko_pipelines.core.ingestion.load import load
from tinko_pipelines.core.quality.admission import AHEAD, EARLIEST
from tinko_pipelines.core.quality.model import Aside, Refusal, Source
from tinko_pipelines.core.quality.quarantine import set_aside
from tinko_pipelines.core.rules.vocabulary import CURRENCIES

FILE = Path(__file__).parent / "screens.yaml"
KEYS: Mapping[str, str] = {
    "psp_records": "object_id",
    "settlement_lines": "line_id",
    "payouts": "payout_id",
}
VOCABULARIES: Mapping[str, frozenset[str]] = {"currencies": CURRENCIES}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must hold; `expression` is null where there is nothing to hold."""

    name: str
    says: str
    expression: pl.Expr


@cache
def conditions() -> Mapping[str, tuple[Condition, ...]]:
    """The conditions of each table. Raises SettingsError where the file is malformed."""
    try:
        read = yaml.safe_load(FILE.read_text())
        return {
            table: tuple(Condition(one["name"], one["says"], _read(one)) for one in rows)
            for table, rows in read.items()
        }
    except (KeyError, TypeError, yaml.YAMLError, pl.exceptions.PolarsError) as error:
        raise SettingsError(f"quality/screens.yaml is malformed: {error}") from error


def _read(one: Mapping[str, str]) -> pl.Expr:
    asked = pl.sql_expr(one["holds"])
    return asked.is_in(sorted(VOCABULARIES[one["among"]])) if "among" in one else asked


def screened(
    table: str, frame: pl.DataFrame, now: datetime
) -> tuple[pl.DataFrame, list[tuple[dict[str, Any], Refusal]]]:
    """The rows of `frame` to load, and the others with the conditions they fail. Pure."""
    asked = conditions()[table]
    constants = (pl.lit(EARLIEST).alias("earliest"), pl.lit(now + AHEAD).alias("latest"))
    answers = frame.with_columns(*constants).select(
        one.expression.fill_null(True).alias(one.name) for one in asked
    )
    good = answers.select(pl.all_horizontal(pl.all())).to_series()
    if good.all():
        return frame, []
    refused = []
    for row, said in zip(
        frame.filter(~good).to_dicts(), answers.filter(~good).to_dicts(), strict=True
    ):
        failed = [one for one in asked if not said[one.name]]
        detail = "; ".join(f"{one.name}: {one.says}" for one in failed)
        refused.append((row, Refusal(tuple(one.name for one in failed), detail)))
    return frame.filter(good), refused


def screen(engine: Engine, clock: Clock) -> Screen:
    """The `Screen` of a load: what it refuses is in the quarantine before the rest is loaded."""

    def passed(table: str, frame: pl.DataFrame) -> pl.DataFrame:
        now = clock.now()
        good, refused = screened(table, frame, now)
        if refused:
            with unit_of_work(engine) as connection:
                set_aside(connection, (_aside(table, *one) for one in refused), now)
        return good

    return passed


def _aside(table: str, row: Mapping[str, Any], refusal: Refusal) -> Aside:
    return Aside(
        uuid.UUID(row["org_id"]),
        Source.LISTING,
        table,
        f"{row['connection_id']} {row[KEYS[table]]}",
        refusal,
        row,
    )


def replay_listed(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    """Rows are screened as the checks stand now and loaded; refused again, they are held again."""
    for row in rows:
        frame = _frame(row.frame, row.payload)
        good, refused = screened(row.frame, frame, now)
        set_aside(connection, (_aside(row.frame, *one) for one in refused), now)
        load(connection, row.frame, good)


def _frame(table: str, payload: Mapping[str, Any]) -> pl.DataFrame:
    """One row as the quarantine kept it, in its table's schema."""
    schema = SCHEMAS[table]
    read = {name: _typed(payload.get(name), kind) for name, kind in schema.items()}
    return pl.from_dicts([read], schema=schema, strict=True)


def _typed(value: Any, kind: pl.DataType | type[pl.DataType]) -> Any:
    if value is None:
        return None
    if isinstance(kind, pl.Datetime):
        return datetime.fromisoformat(str(value))
    if kind == pl.Date:
        return datetime.fromisoformat(str(value)).date()
    return str(value) if kind == pl.String else value

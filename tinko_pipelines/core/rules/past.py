"""Every past failure of an organisation as a frame of facts: one query, streamed into Polars."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.recovery.places import timezone_of
from tinko_pipelines.core.recovery.policies import org_timezone
from tinko_pipelines.core.rules.compiled import FACTS_SCHEMA

MOST_FAILURES = 1_000_000
PIECE_BYTES = 16 * 2**20
TIMEOUT_MILLISECONDS = 60_000

# the columns of the query `past_failures`, as COPY writes them
_COPIED: dict[str, pl.DataType] = {
    "attempt_id": pl.String(),
    "obligation_id": pl.String(),
    "case_id": pl.String(),
    "failed_at": pl.Int64(),  # microseconds since 1970
    "amount": pl.Int64(),
    "currency": pl.String(),
    "psp": pl.String(),
    "method": pl.String(),
    "category": pl.String(),
    "code": pl.String(),
    "country": pl.String(),
    "payer_country": pl.String(),
    "customer_tags": pl.String(),  # a JSON list
}
IDS = ("attempt_id", "obligation_id", "case_id", "failed_at")
PAST_SCHEMA = {
    **{name: _COPIED[name] for name in IDS[:3]},
    "failed_at": pl.Datetime("us", "UTC"),
    **FACTS_SCHEMA,
}


@dataclass(frozen=True, slots=True)
class Past:
    """Rows of `PAST_SCHEMA`: each debt's whole and together, in order of time.

    `truncated`: there are older debts, not read.
    """

    frame: pl.DataFrame
    truncated: bool


def load_past(connection: Connection, org_id: uuid.UUID, limit: int = MOST_FAILURES) -> Past:
    """Up to `limit` failures, the newest debts first; the transaction turns read-only for it.

    "Now" of a past failure is the instant it failed. A debt that the limit would cut is left out
    whole: half of its failures would be counted wrong.
    """
    connection.execute(query("rules", "read_only"), {"milliseconds": TIMEOUT_MILLISECONDS})
    org_zone = org_timezone(connection, org_id)
    pieces = [_parse(piece) for piece in _copied(connection, org_id, limit + 1)]
    rows = pl.concat(pieces) if pieces else pl.DataFrame(schema=_COPIED)
    truncated = rows.height > limit
    if truncated:
        oldest = rows["obligation_id"].min()
        rows = rows.filter(pl.col("obligation_id") != oldest)
    return Past(_with_facts(rows, org_zone), truncated)


def _copied(connection: Connection, org_id: uuid.UUID, limit: int) -> Iterator[bytes]:
    """CSV in pieces of whole rows. Null is an empty field, an empty text is quoted."""
    statement = query("rules", "past_failures").bindparams(org_id=org_id, limit=limit)
    compiled = statement.compile(dialect=connection.dialect)
    sql = str(compiled).rstrip().removesuffix(";")
    driver = connection.connection.driver_connection
    assert driver is not None
    waiting: list[bytes] = []
    size = 0
    with (
        driver.cursor() as cursor,
        cursor.copy(f"copy ({sql}) to stdout (format csv)", compiled.params) as rows,
    ):
        for row in rows:  # Postgres sends every row as a message of its own
            waiting.append(bytes(row))
            size += len(row)
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _parse(piece: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(piece), has_header=False, schema=_COPIED)


def _with_facts(rows: pl.DataFrame, org_zone: str) -> pl.DataFrame:
    failed_at = pl.col("failed_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    rows = rows.sort("obligation_id", "failed_at", "attempt_id").with_columns(failed_at)
    since = pl.col("failed_at") - pl.col("failed_at").min().over("obligation_id")
    org = pl.col("failed_at").dt.convert_time_zone(org_zone)
    tags = pl.col("customer_tags").str.json_decode(pl.List(pl.String))
    facts = rows.with_columns(
        attempt=pl.int_range(1, pl.len() + 1).over("obligation_id"),
        days_since_failure=since.dt.total_days(),
        customer_tags=tags.fill_null([]),
        org_time=_minute(org),
        org_weekday=org.dt.weekday(),
    ).hstack(_payer_clock(rows))
    return facts.select(pl.col(name).cast(dtype) for name, dtype in PAST_SCHEMA.items())


def _payer_clock(rows: pl.DataFrame) -> pl.DataFrame:
    """The payer's time and weekday, zone by zone, where the payer's country has one time."""
    countries = rows["payer_country"].unique().to_list()
    zones = {one: zone for one in countries if (zone := timezone_of(one))}
    by_country = pl.col("payer_country").replace_strict(zones, default=None, return_dtype=pl.String)
    numbered = rows.select("failed_at", zone=by_country).with_row_index("row")
    parts = numbered.partition_by("zone") or [numbered]
    return pl.concat([_clocked(one) for one in parts]).sort("row").drop("row")


def _clocked(rows: pl.DataFrame) -> pl.DataFrame:
    zone = rows["zone"][0] if rows.height else None
    if zone is None:
        return rows.select(
            "row", payer_time=pl.lit(None, pl.Int16), payer_weekday=pl.lit(None, pl.Int8)
        )
    local = pl.col("failed_at").dt.convert_time_zone(zone)
    return rows.select("row", payer_time=_minute(local), payer_weekday=local.dt.weekday())


def _minute(local: pl.Expr) -> pl.Expr:
    """Minutes since midnight."""
    return local.dt.hour().cast(pl.Int16) * 60 + local.dt.minute()

"""A frame of past failures written into the ledger as what it was made of: debts, attempts and
failures of one organisation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import psycopg
from sqlalchemy import Engine

from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.rules.past import Past, load_past
from tinko_pipelines.core.tenants.organisations import create_organisation
from tinko_pipelines.local.postgres import EmbeddedPostgres

# by table, its columns as expressions over the frame
_DEBTS: Mapping[str, str] = {
    "id": "obligation_id", "psp": "psp", "due_minor": "amount", "currency": "currency",
    "payer_country": "country", "customer_tags": "tags", "created_at": "failed_at",
    "updated_at": "failed_at",
}  # fmt: skip
_ATTEMPTS: Mapping[str, str] = {
    "id": "attempt_id", "obligation_id": "obligation_id", "case_id": "case_id", "psp": "psp",
    "amount_minor": "amount", "currency": "currency", "method": "method", "country": "country",
    "created_at": "failed_at", "updated_at": "failed_at",
}  # fmt: skip
_FAILURES: Mapping[str, str] = {
    "attempt_id": "attempt_id", "obligation_id": "obligation_id", "case_id": "case_id",
    "psp": "psp", "category": "category", "code": "code", "failed_at": "failed_at",
    "created_at": "failed_at",
}  # fmt: skip
_OF_AN_ATTEMPT = {"actor": "merchant", "state": "failed"}
_OF_A_FAILURE = {
    "retry_advice": "timed", "hard": False, "who_acts": "nobody", "confidence": 1.0,
    "decided_by": "row 1", "late_authorisation": False,
}  # fmt: skip
_PIECE = 50_000  # rows


@dataclass(frozen=True)
class History:
    """`rows` failures of an organisation, read as the API reads them."""

    app: Engine
    org_id: uuid.UUID
    rows: int

    def load(self) -> Past:
        with unit_of_work(self.app, self.org_id) as connection:
            return load_past(connection, self.org_id)


def write_history(server: EmbeddedPostgres, database: str, frame: pl.DataFrame) -> History:
    """Write rows of `PAST_SCHEMA` into a migrated database, whose statistics are then fresh.

    As superuser and without triggers: nobody's history of states, nothing checked twice.
    """
    worker = make_engine(server.url("tinko_worker", database), pooled=False)
    owner = make_engine(server.url("tinko_owner", database), pooled=False)
    now = datetime.now(UTC)
    with unit_of_work(worker) as connection:
        org_id = create_organisation(connection, "backtested", "Backtested", now).org_id
    partitions.ensure(owner, _month_of(frame["attempt_id"][0]))
    worker.dispose()
    owner.dispose()
    tags = pl.concat_str(pl.lit("{"), pl.col("customer_tags").list.join(","), pl.lit("}"))
    shared = {"org_id": str(org_id)}
    settled = shared | {"connection_id": str(new_id(now))}
    rows = frame.with_columns(tags=tags)
    debts = rows.unique("obligation_id", keep="first", maintain_order=True)
    with psycopg.connect(server.superuser_url(database), autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        _copy(connection, "obligations", debts, _DEBTS, settled | {"state": "open"})
        _copy(connection, "attempts", rows, _ATTEMPTS, settled | _OF_AN_ATTEMPT)
        _copy(connection, "failures", rows, _FAILURES, shared | _OF_A_FAILURE)
        connection.execute("vacuum analyze obligations, attempts, failures")
    return History(make_engine(server.url("tinko_app", database)), org_id, frame.height)


def _copy(
    connection: psycopg.Connection,
    table: str,
    rows: pl.DataFrame,
    columns: Mapping[str, str],
    constants: Mapping[str, object],
) -> None:
    written = rows.select(
        **{name: pl.col(column) for name, column in columns.items()},
        **{name: pl.lit(value) for name, value in constants.items()},
    )
    names = ", ".join(written.columns)
    with connection.cursor().copy(
        f"copy {table} ({names}) from stdin (format csv)".encode()
    ) as into:
        for piece in written.iter_slices(_PIECE):
            into.write(piece.write_csv(include_header=False))


def _month_of(attempt_id: str) -> datetime:
    """When a UUIDv7 was made."""
    return datetime.fromtimestamp((uuid.UUID(attempt_id).int >> 80) / 1000, UTC)

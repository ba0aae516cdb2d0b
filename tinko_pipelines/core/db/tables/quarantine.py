"""The quarantine: rows that were set aside, each with the checks that refused it."""

from __future__ import annotations

from sqlalchemy import ARRAY, Column, Index, Integer, Table, Text, UniqueConstraint
from sqlalchemy import text as sql

from tinko_pipelines.core.db.tables.base import (
    document,
    instant,
    key,
    metadata,
    ref,
    row_version,
    text,
)

quarantine = Table(
    "quarantine",
    metadata,
    key(),
    ref("org_id"),
    text("source"),  # inbox, listing or ledger: where the row is, and so how it is replayed
    text("frame"),  # events, or the table that the row is of
    text("key"),  # the row's own key in that frame
    ref("debt_id", required=False),  # the obligation whose rows are held back with it
    Column("reasons", ARRAY(Text), nullable=False),  # names of the checks that refused it
    text("detail"),
    document("payload"),
    text("state"),  # quarantined, replayed or dropped
    Column("times", Integer, nullable=False, server_default="1"),
    instant("first_seen"),
    instant("last_seen"),
    instant("decided_at", required=False),
    text("decided_by", required=False),
    instant("updated_at"),
    row_version(),
    UniqueConstraint("org_id", "source", "frame", "key"),
    Index("ix_quarantine_row_version", "row_version"),
    Index("ix_quarantine_held", "id", postgresql_where=sql("state = 'quarantined'")),
    Index("ix_quarantine_debt_id", "debt_id", postgresql_where=sql("debt_id IS NOT NULL")),
)

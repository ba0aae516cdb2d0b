"""The business clock, the sinks' watermarks, and what was deleted of what they carry."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table

from tinko_pipelines.core.db.tables.base import instant, key, metadata, ref, text

business_clock = Table(
    "business_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    instant("epoch"),
    instant("anchor"),
    Column("rate", Double, nullable=False),
    Column("frozen", Boolean, nullable=False),
)

sink_watermarks = Table(
    "sink_watermarks",
    metadata,
    text("sink", primary_key=True),
    text("relation", primary_key=True),
    # every transaction id below this one has been carried
    Column("position", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    instant("updated_at"),
)

# a trigger writes these; the sink carries them, so that its copy forgets the row too
deleted_rows = Table(
    "deleted_rows",
    metadata,
    text("relation", primary_key=True),
    key("key"),
    ref("org_id"),
    Column("row_version", BigInteger, nullable=False),
    Index("ix_deleted_rows_row_version", "row_version"),
)

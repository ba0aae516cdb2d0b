"""What belongs to no tenant: the business clock and the sinks' watermarks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table

from tinko_pipelines.core.db.tables.base import instant, metadata, text

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

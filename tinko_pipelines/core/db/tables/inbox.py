"""The inbox: each PSP event once, before anything is done with it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY

from tinko_pipelines.core.db.tables.base import instant, key, metadata, ref, text

inbox_events = Table(
    "inbox_events",
    metadata,
    key(),
    ref("org_id"),
    ref("connection_id"),
    text("psp"),
    text("source"),  # webhook, or heal: listed by us because its webhook never came
    text("event_id"),
    text("event_type"),
    instant("psp_created_at"),
    instant("received_at"),
    Column("body_sha256", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the raw bytes, as they were signed
    Column("object_ids", ARRAY(Text), nullable=False),
    instant("processed_at", required=False),
    text("outcome", required=False),  # applied, ignored, quarantined
    text("error", required=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("ix_inbox_events_pending", "id", postgresql_where=sql("processed_at IS NULL")),
    # partial: rule 8 asks only of unprocessed events, and a small index is kept in memory
    Index(
        "ix_inbox_events_object_ids",
        "object_ids",
        postgresql_using="gin",
        postgresql_where=sql("processed_at IS NULL"),
    ),
    postgresql_partition_by="RANGE (id)",
)

# what must be unique for ever: the event id, and the hash of the raw body (rule 2)
inbox_keys = Table(
    "inbox_keys",
    metadata,
    key("connection_id"),
    Column("key", Text, primary_key=True),
    ref("org_id"),
    ref("inbox_id"),
)

"""Messages to payers: the outbox and what came of each delivery."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table
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

outbox = Table(
    "outbox",
    metadata,
    key(),
    ref("org_id"),
    ref("case_id"),
    ref("obligation_id"),
    text("message"),  # the template
    text("channel"),
    text("recipient"),
    text("language"),
    text("dedupe_key", unique=True),
    document("payload"),
    text("state", server_default="pending"),  # pending, sending, sent, failed, cancelled
    instant("due_at"),
    Column("tries", Integer, nullable=False, server_default="0"),
    instant("lease_until_wall", required=False),
    instant("sent_at", required=False),
    text("last_error", required=False),
    instant("created_at"),
    instant("updated_at"),
    row_version(),
    Index("ix_outbox_pending", "due_at", postgresql_where=sql("state IN ('pending', 'sending')")),
    Index("ix_outbox_case_id", "case_id"),
    Index("ix_outbox_row_version", "row_version"),
)

notification_deliveries = Table(
    "notification_deliveries",
    metadata,
    key(),
    ref("org_id"),
    ref("outbox_id"),
    text("channel"),
    text("result"),  # accepted, refused, unreachable
    text("detail", required=False),
    instant("at"),
    row_version(),
    Index("ix_notification_deliveries_outbox_id", "outbox_id"),
    Index("ix_notification_deliveries_row_version", "row_version"),
    postgresql_partition_by="RANGE (id)",
)

"""Every table, as SQLAlchemy metadata: what `alembic check` compares the database with.

Row-level security, grants, triggers and functions are in the migrations, which are the only DDL.
"""

from tinko_pipelines.core.db.tables import (
    archives,
    inbox,
    ledger,
    notifications,
    platform,
    quarantine,
    reconciliation,
    recovery,
    settlement,
    tenants,
)
from tinko_pipelines.core.db.tables.base import metadata

# partitioned by month of their UUIDv7 (DESIGN.md rule 15)
PARTITIONED = ("inbox_events", "attempts", "notification_deliveries")

__all__ = [
    "PARTITIONED",
    "archives",
    "inbox",
    "ledger",
    "metadata",
    "notifications",
    "platform",
    "quarantine",
    "reconciliation",
    "recovery",
    "settlement",
    "tenants",
]

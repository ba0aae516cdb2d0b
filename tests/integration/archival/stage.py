"""A platform with one closed month in it, and archival over a real Postgres and a real S3."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import text

from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.points import LABELS  # noqa: F401
from tinko_pipelines.core.archival.records import Hand
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.recovery.points import no_point
from tinko_pipelines.demo.closed_debt import Tenant
from tinko_pipelines.demo.closed_month import seed_closed_month

NOW = datetime(2026, 9, 7, 6, tzinfo=UTC)
RETENTION = 365
TENANTS = [
    Tenant(uuid.UUID(int=(0x0191 << 112) + one), uuid.UUID(int=one + 100)) for one in range(3)
]
RELATIONS = ("attempts", "inbox_events", "notification_deliveries")


def archivist(database, store, point=no_point, **more):
    return Archivist(
        database.owner, database.worker, store, FixedClock(NOW), Hand.of("a test"), RETENTION,
        point=point, **{"lock_timeout": "500ms"} | more,
    )  # fmt: skip


def seed(database, debts=40):
    """The month, in three tenants; returns its targets by relation."""
    found = seed_closed_month(database.owner, database.worker, TENANTS, NOW, RETENTION, debts)
    return {name: Target(name, found.month) for name in RELATIONS}


def rows(database, statement, **values):
    with database.worker.connect() as connection:
        return connection.execute(text(statement), values).all()


def contents(database, target):
    """Every row of the month as text, by id: what nothing may change."""
    statement = (
        f"select id, t::text as whole from {target.relation} as t where id >= :low and id < :high"
    )
    found = rows(database, statement, low=target.low, high=target.high)
    return {row.id: row.whole for row in found}

"""What is heard of a mandate: whether it stands, and how often it may be debited.

How often is kept by the mandate's name, known debts or not: it is said where the mandate is
registered, and one mandate stands behind many debts.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Observation

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account


def hear(connection: Connection, account: Account, seen: Observation, now: datetime) -> None:
    """Keep what `seen` says of a mandate. The caller holds `lock_refs` for it."""
    if seen.mandate_lost is not None:
        _lose(connection, account, seen.mandate_lost, now)
    if seen.mandate_restored is not None:
        _restore(connection, account, seen.mandate_restored, now)
    if seen.mandate_ref is not None and seen.mandate_frequency is not None:
        terms = {
            "connection_id": account.connection_id,
            "object_id": seen.mandate_ref,
            "org_id": account.org_id,
            "frequency": seen.mandate_frequency.value,
            "now": now,
        }
        connection.execute(query("ledger", "hear_of_mandate"), terms)


def _lose(connection: Connection, account: Account, mandate_ref: str, now: datetime) -> None:
    """A paused or cancelled mandate cancels what is scheduled; the payer is asked instead."""
    lost = connection.scalars(
        query("ledger", "lose_mandate"),
        {"connection_id": account.connection_id, "mandate_ref": mandate_ref, "now": now},
    ).all()
    for obligation_id in lost:
        for name in ("cancel_scheduled", "wake_case"):
            connection.execute(query("ledger", name), {"obligation_id": obligation_id, "now": now})


def _restore(connection: Connection, account: Account, mandate_ref: str, now: datetime) -> None:
    """A mandate that stands again may be charged again: the cases that lost it are looked at.

    Told too late, after a cancellation, it costs nothing: the fresh read before a charge sees how
    the mandate stands, and refuses.
    """
    restored = connection.scalars(
        query("ledger", "restore_mandate"),
        {"connection_id": account.connection_id, "mandate_ref": mandate_ref, "now": now},
    ).all()
    for obligation_id in restored:
        connection.execute(
            query("ledger", "wake_case"), {"obligation_id": obligation_id, "now": now}
        )

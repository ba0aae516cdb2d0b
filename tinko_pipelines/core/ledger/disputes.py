"""Disputes over a debt's payments: each is a finding, kept as far as it has got."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.standing import Disputed
from tinko_pipelines.core.psp.types import DisputeSeen, DisputeStatus

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account


def dispute_key(connection_id: uuid.UUID, dispute: str = "") -> str:
    """What the finding of a dispute is known by; without one, what those of a connection begin
    with."""
    return f"dispute:{connection_id}:{dispute}"


def record(
    connection: Connection,
    account: Account,
    debt: Row[Any],
    seen: Sequence[DisputeSeen],
    now: datetime,
) -> bool:
    """Keep what is said of disputes over payments of the locked `debt`; whether it was news.

    A dispute that ended does not open again, so that late and repeated news change nothing. The
    attempts over which one is open or lost are marked.
    """
    news = False
    for one in seen:
        kept = connection.execute(
            query("ledger", "record_dispute"),
            {
                "id": new_id(now),
                "org_id": debt.org_id,
                "obligation_id": debt.id,
                "state": "open" if one.status is DisputeStatus.OPEN else "fixed",
                "dedupe_key": dispute_key(account.connection_id, one.object_id),
                "evidence": json.dumps(
                    {
                        "dispute": one.object_id,
                        "payment": one.payment_id,
                        "status": one.status.value,
                        "amount_minor": one.amount,
                        "currency": one.currency,
                    }
                ),
                "stages": [status.value for status in DisputeStatus],
                "now": now,
            },
        )
        news = kept.one_or_none() is not None or news
    if seen:
        # also where nothing was news: the payment itself may have been, after its dispute
        over = {one.payment_id for one in of(connection, debt) if one.status != DisputeStatus.WON}
        marked = connection.execute(
            query("ledger", "mark_disputed"),
            {
                "obligation_id": debt.id,
                "over": sorted(over),
                "payments": sorted({one.payment_id for one in seen}),
                "now": now,
            },
        )
        news = marked.rowcount > 0 or news
    return news


def of(connection: Connection, debt: Row[Any]) -> list[Disputed]:
    """Every dispute over the debt's payments."""
    rows = connection.execute(query("ledger", "disputes_of"), {"obligation_id": debt.id})
    return [
        Disputed(
            row.evidence["payment"],
            DisputeStatus(row.evidence["status"]),
            row.evidence["amount_minor"],
        )
        for row in rows
    ]

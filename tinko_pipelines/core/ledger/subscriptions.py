"""What is heard of a subscription, and what it means for every debt that it made.

How a subscription stands is kept by its name, known debts or not: news of it come before, between
and after those of its debts. On each debt it is a fact of its own (`stopped_by`), which nothing
that is read of a payment method changes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen, SubscriptionStanding

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account


def hear(connection: Connection, account: Account, seen: SubscriptionSeen, now: datetime) -> None:
    """Keep how the subscription stands, if that is news, and stop or free its debts.

    Where it was cancelled or paused, all that is scheduled for them is cancelled in this
    transaction, and their cases are looked at again: what is owed its payer may still pay. The
    caller holds `lock_refs`, under which no debt can be tied to it meanwhile.
    """
    if seen.standing is None or (seen.at is None and seen.standing is SubscriptionStanding.LIVE):
        # one that was read as live may have been stopped since: only dated news frees its debts
        return
    named = {"connection_id": account.connection_id, "object_id": seen.object_id, "now": now}
    news = {"org_id": account.org_id, "standing": seen.standing.value, "stood_at": seen.at or now}
    connection.execute(query("ledger", "hear_of_subscription"), named | news)
    if seen.invoice is not None:
        connection.execute(query("ledger", "made_by"), named | {"invoice": seen.invoice})
    debts = connection.execute(query("ledger", "stop_or_free"), named).all()
    for debt in debts:
        touched = {"obligation_id": debt.id, "now": now}
        if debt.stopped_by is not None:
            connection.execute(query("ledger", "cancel_scheduled"), touched)
        connection.execute(query("ledger", "wake_case"), touched)

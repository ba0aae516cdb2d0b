"""Open a case for every debt with a failure, pinned to the policy of that moment."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.consequences import settle_case
from tinko_pipelines.core.ledger.states import COLLECTIBLE
from tinko_pipelines.core.recovery.policies import current_policy


@dataclass(frozen=True, slots=True)
class Opened:
    """`already_paid` were recovered before we heard of the failure."""

    opened: int
    woken: int
    already_paid: int


def open_cases(engine: Engine, clock: Clock, limit: int = 1000) -> Opened:
    """Open a case for up to `limit` debts, wake those that failed again; one transaction.

    A debt that is paid by the time its failure is known gets its case too, recovered at once:
    events come out of order, and what came back counts.
    """
    now = clock.now()
    opened = woken = paid = 0
    policies: dict[uuid.UUID, uuid.UUID] = {}
    with unit_of_work(engine) as connection:
        for debt in connection.execute(query("recovery", "without_case"), {"limit": limit}).all():
            case_id = debt.case_id
            if case_id is None:
                if debt.org_id not in policies:
                    policies[debt.org_id] = current_policy(connection, debt.org_id, now)
                case_id = new_id(now)
                connection.execute(
                    query("recovery", "open_case"),
                    {
                        "id": case_id,
                        "org_id": debt.org_id,
                        "connection_id": debt.connection_id,
                        "obligation_id": debt.id,
                        "policy_version_id": policies[debt.org_id],
                        "now": now,
                    },
                )
                opened += 1
                paid += _settle(connection, debt.id, debt.state, now)
            touched = {"obligation_id": debt.id, "now": now}
            tied = connection.execute(query("recovery", "tie_failures"), touched).all()
            woken += bool(tied) and debt.case_id is not None
            connection.execute(query("recovery", "tie_attempts"), touched | {"case_id": case_id})
    return Opened(opened, woken, paid)


def _settle(connection: Connection, obligation_id: uuid.UUID, state: str, now: datetime) -> bool:
    """Whether the debt was paid by then; one given up by then is cancelled at once."""
    return state not in COLLECTIBLE and settle_case(connection, obligation_id, now)

"""Heal a finding: ask the PSP again about all that it is held against, and say whether that did it.

What is asked depends on the two books that differ: the day's objects, listed again (news goes into
the inbox, as ever); the debt, read as it stands now, for what happened to a payment after its day;
and the balance around it. Then the day is reconciled, and the finding is fixed, or news of it
waits in the inbox, or the PSP says what it said before and nothing was healed.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.ledger.rereading import reread
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.quality.screen import screen
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.reconciliation.run import reconcile_day
from tinko_pipelines.core.reconciliation.sources import Whose
from tinko_pipelines.core.reconciliation.vocabulary import FindingState, Leg
from tinko_pipelines.core.tenants.desk import Seat

# lines are made with what they are about, or when it ends, and paid out within the PSP's terms
BEFORE, AFTER = timedelta(days=1), timedelta(days=14)
UNHEALED = "the PSP says what it said before: explain it, or accept it"


def heal_finding(engine: Engine, seat: Seat, finding: Row[Any], clock: Clock) -> dict[str, Any]:
    """What was `listed` and `healed`, and whether the finding is `fixed`; `why` where nothing came
    of it. Raises what the adapter raises: asking again is harmless."""
    passed = screen(engine, clock)
    done = ingest_records(engine, seat, clock, finding.day, screen=passed)
    told: dict[str, Any] = {"listed": done["listed"], "healed": done["healed"]}
    if finding.leg == Leg.SETTLEMENT:
        first, last = _around(engine, finding, clock.now())
        span = (last - first).days
        lines = ingest_settlement(engine, seat, clock, last, span, passed)
        told["lines"] = lines["settlement_line"]
    else:
        debt = finding.obligation_id or _debt_of(engine, finding)
        if debt is not None:
            reread(engine, seat, debt, clock)
    whose = Whose(finding.org_id, finding.connection_id, Psp(seat.account.psp))
    reconcile_day(engine, whose, clock, finding.day)
    with unit_of_work(engine) as connection:
        fixed = review.lock(connection, finding.id).state == FindingState.FIXED
    told["fixed"] = fixed
    return told if fixed or told["healed"] else {**told, "why": UNHEALED}


def _around(engine: Engine, finding: Row[Any], now: datetime) -> tuple[date, date]:
    """The days on which the balance may show what the finding is about: from when that was made,
    which a refund or dispute is long after its payment, to some time after it came to its end."""
    made = {"connection_id": finding.connection_id, "object_id": finding.subject_id}
    with unit_of_work(engine) as connection:
        day: date = connection.scalar(query("reconciliation", "day_of_object"), made) or finding.day
    since = finding.evidence.get("psp", {}).get("since")
    ended = day if since is None else datetime.fromisoformat(since).date()
    return day - BEFORE, min(max(day, ended) + AFTER, now.date())


def _debt_of(engine: Engine, finding: Row[Any]) -> uuid.UUID | None:
    wanted = {"connection_id": finding.connection_id, "payment_id": finding.payment_id}
    with unit_of_work(engine) as connection:
        found: uuid.UUID | None = connection.scalar(
            query("reconciliation", "debt_of_payment"), wanted
        )
    return found

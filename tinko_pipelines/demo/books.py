"""The books at the end: where each recovery's money is, and whether the ledger adds up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.reconciliation.run import days_that_differ
from tinko_pipelines.core.reconciliation.settle import settlement_counts
from tinko_pipelines.core.reconciliation.settling import EXPLAINED, SettlementState


def book_counts(engine: Engine, until: datetime) -> dict[str, Any]:
    """Recoveries by where their money is, findings that are open by kind, and whether the ledger is
    matched + findings, per currency: on every day, and with no capture before `until` left out."""
    standing = settlement_counts(engine)
    settled = standing.pop(SettlementState.SETTLED, 0)
    explained = {name: count for name, count in standing.items() if name in EXPLAINED}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("demo", "open_findings"))
        found = {row.kind: row.findings for row in rows}
        unlike = connection.execute(query("demo", "unreconciled_minor"), {"until": until}).all()
    differ = days_that_differ(engine)
    return {
        "settled": settled,
        "explained": explained,
        "unexplained": sum(standing.values()) - sum(explained.values()),
        "open_findings": found,
        "ledger_is_matched_plus_findings": not (differ or unlike),
        "book_differences": [
            *differ[:5],
            *(f"{one.currency}: collected {one.collected}, in the books {one.booked}"
              for one in unlike),
        ],
    }  # fmt: skip

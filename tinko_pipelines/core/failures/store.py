"""Classify the ledger's failed attempts and keep each answer with the row that gave it."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.classifier import ErrorInfo, classify
from tinko_pipelines.core.failures.taxonomy import Category


@dataclass(frozen=True, slots=True)
class Classified:
    """Failures classified in one pass, and how many of each category."""

    obligations: tuple[uuid.UUID, ...]
    by_category: Counter[str]

    @property
    def total(self) -> int:
        return self.by_category.total()

    @property
    def unknown(self) -> int:
        return self.by_category[Category.UNKNOWN]


def classify_failures(engine: Engine, clock: Clock, limit: int = 1000) -> Classified:
    """Classify up to `limit` failed attempts that have no classification, in one transaction."""
    now = clock.now()
    mix: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("failures", "unclassified"), {"limit": limit}).all()
        values = []
        for row in rows:
            said = {name: value for name, value in (row.error or {}).items() if value}
            error = ErrorInfo.of({"psp": row.psp, "network": row.network} | said)
            answer = classify(error)
            mix[answer.category.value] += 1
            values.append(
                {
                    "attempt_id": row.id,
                    "org_id": row.org_id,
                    "obligation_id": row.obligation_id,
                    "psp": row.psp,
                    "category": answer.category.value,
                    "retry_advice": answer.retry_advice.value,
                    "hard": answer.hard,
                    "who_acts": answer.who_acts.value,
                    "confidence": answer.confidence,
                    "late_authorisation": answer.late_authorisation,
                    "decided_by": answer.row,
                    "code": error.decline_code or error.code,
                    "reason": error.reason,
                    "network": error.network or row.network,
                    "network_decline_code": error.network_decline_code,
                    "network_advice_code": error.network_advice_code,
                    "failed_at": row.failed_at,
                    "now": now,
                }
            )
        if values:
            connection.execute(query("failures", "record"), values)
            connection.execute(
                query("failures", "mark_classified"),
                {"ids": [row.id for row in rows], "now": now},
            )
    return Classified(tuple(dict.fromkeys(row.obligation_id for row in rows)), mix)

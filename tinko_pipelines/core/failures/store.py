"""Classify the ledger's failed attempts and keep each answer with the row that gave it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.classifier import FIELDS, ErrorInfo
from tinko_pipelines.core.failures.columns import ORDER
from tinko_pipelines.core.failures.override_rules import Overrides
from tinko_pipelines.core.failures.overrides import overrides_of
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.failures.vectorised import classify_frame
from tinko_pipelines.core.settings import get_settings


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
    """Classify up to `limit` failed attempts that have no classification, in one transaction, each
    with the rules of its organisation (`overrides`)."""
    now = clock.now()
    mix: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("failures", "unclassified"), {"limit": limit}).all()
        if rows:
            environment = get_settings().payment_failure_rules
            overrides = overrides_of(connection, (row.org_id for row in rows), environment)
            values = [_record(*each, now) for each in classified(rows, overrides)]
            mix.update(one["category"] for one in values)
            connection.execute(query("failures", "record"), values)
            connection.execute(
                query("failures", "mark_classified"),
                {"ids": [row.id for row in rows], "now": now},
            )
    return Classified(tuple(dict.fromkeys(row.obligation_id for row in rows)), mix)


def classified(
    rows: Sequence[Row[Any]], overrides: Mapping[uuid.UUID, Overrides]
) -> Iterator[tuple[Row[Any], ErrorInfo, dict[str, Any]]]:
    """Each row with what its PSP said and the columns of its `Classification`, a frame at a time:
    one for every organisation with rules of its own, and one for all the others."""
    frames: dict[Overrides | None, list[tuple[Row[Any], ErrorInfo]]] = {}
    for row in rows:
        error = ErrorInfo.of_attempt(row.psp, row.network, row.error)
        frames.setdefault(overrides.get(row.org_id), []).append((row, error))
    for own, batch in frames.items():
        errors = [astuple(error) for _, error in batch]
        frame = pl.DataFrame(errors, schema=dict.fromkeys(FIELDS, pl.String), orient="row")
        answers = classify_frame(frame, overrides=own).select(ORDER).to_dicts()
        for (row, error), answer in zip(batch, answers, strict=True):
            yield row, error, answer


def _record(
    row: Row[Any], error: ErrorInfo, answer: dict[str, Any], now: datetime
) -> dict[str, Any]:
    given = {name: answer[name] for name in ORDER if name not in ("row", "category_row")}
    return given | {
        "attempt_id": row.id,
        "org_id": row.org_id,
        "obligation_id": row.obligation_id,
        "psp": row.psp,
        "decided_by": answer["row"],
        "code": error.decline_code or error.code,
        "reason": error.reason,
        "network": error.network or row.network,
        "network_decline_code": error.network_decline_code,
        "network_advice_code": error.network_advice_code,
        "failed_at": row.failed_at,
        "now": now,
    }

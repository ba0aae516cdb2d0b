"""Findings and totals of a day, kept: new ones are opened, those that vanished close themselves."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import sources
from tinko_pipelines.core.reconciliation.sources import Whose
from tinko_pipelines.core.reconciliation.totals import Totals
from tinko_pipelines.core.reconciliation.vocabulary import (
    FINDING_TRANSITIONS,
    KINDS,
    FindingKind,
    FindingState,
    Leg,
    Repair,
    Severity,
)

BATCH = 5000
_SIDES = ("ledger", "psp", "line")
# who looks after it until somebody says otherwise
_OWNERS = {Repair.HEAL: "data-ops", Repair.REFUND: "finance", Repair.NONE: "finance"}


def finding_key(kind: str, leg: str, connection_id: uuid.UUID, subject_id: str) -> str:
    """What a finding is known by, for ever."""
    place = "" if leg == Leg.LEDGER else f"@{leg}"
    return f"{kind}{place}:{connection_id}:{subject_id}"


def save_day(
    connection: Connection,
    whose: Whose,
    day: date,
    found: pl.DataFrame,
    totals: list[Totals],
    now: datetime,
) -> dict[str, int]:
    """Keep the day's findings and totals in the caller's transaction; counts of `opened`, `closed`
    and `standing` findings. Saving the same twice changes nothing but when it was last seen."""
    rows = [_row(whose, one, now) for one in found.iter_rows(named=True)]
    rows.sort(key=lambda one: str(one["dedupe_keys"]))
    opened = 0
    for start in range(0, len(rows), BATCH):
        opened += _save(connection, whose, day, rows[start : start + BATCH], now)
    seen = [one["dedupe_keys"] for one in rows]
    closed = connection.execute(
        query("reconciliation", "close_vanished"),
        {
            "connection_id": whose.connection_id,
            "day": day,
            "sources": sources(FINDING_TRANSITIONS, FindingState.FIXED),
            "seen": seen,
            "now": now,
        },
    ).all()
    common = {
        "connection_id": whose.connection_id,
        "org_id": whose.org_id,
        "psp": whose.psp.value,
        "day": day,
        "now": now,
    }
    for one in totals:
        connection.execute(query("reconciliation", "save_day"), common | asdict(one))
    connection.execute(
        query("reconciliation", "drop_day"),
        common | {"currencies": [one.currency for one in totals]},
    )
    return {"opened": opened, "closed": len(closed), "standing": len(rows)}


def severity_of(kind: FindingKind, line: str | None) -> Severity:
    """How grave a finding is: money held back by the PSP is known to be, and no error."""
    if kind is FindingKind.UNSETTLED and line is not None and json.loads(line)["on_hold"]:
        return Severity.INFO
    return KINDS[kind].severity


def _save(
    connection: Connection, whose: Whose, day: date, rows: list[dict[str, Any]], now: datetime
) -> int:
    arrays = {name: [one[name] for one in rows] for name in rows[0]}
    saved = connection.execute(
        query("reconciliation", "save_findings"),
        arrays
        | {
            "org_id": whose.org_id,
            "connection_id": whose.connection_id,
            "psp": whose.psp.value,
            "day": day,
            "now": now,
        },
    )
    return sum(row.before in (None, FindingState.FIXED) for row in saved)


def _row(whose: Whose, one: dict[str, Any], now: datetime) -> dict[str, Any]:
    kind = FindingKind(one["kind"])
    evidence = {side: json.loads(one[side]) for side in _SIDES if one[side] is not None}
    repair = KINDS[kind].repair
    debt = evidence.get("ledger", {}).get("obligation_id")
    proposal = {} if repair is Repair.NONE else {"repair": repair.value}
    return {
        "ids": new_id(now),
        "kinds": kind.value,
        "severities": severity_of(kind, one["line"]).value,
        "legs": one["leg"],
        "dedupe_keys": finding_key(kind, one["leg"], whose.connection_id, one["subject_id"]),
        "subject_ids": one["subject_id"],
        "payment_ids": one["payment_id"],
        "obligation_ids": uuid.UUID(debt) if debt else None,
        "amounts": one["amount_minor"],
        "currencies": one["currency"],
        "owners": _OWNERS[repair],
        "evidences": json.dumps(evidence),
        "proposals": json.dumps(proposal),
    }

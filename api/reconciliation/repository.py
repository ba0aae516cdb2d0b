"""Reads of findings and days, inside a tenant's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.reconciliation.review import SAYABLE
from tinko_pipelines.core.reconciliation.settling import SettlementState
from tinko_pipelines.core.reconciliation.vocabulary import (
    FINDING_TRANSITIONS,
    KINDS,
    FindingKind,
    FindingState,
)


def findings_page(
    connection: Connection, wanted: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Findings that match every filter of `wanted` that is not None, newest first."""
    rows = connection.execute(query("reconciliation", "findings_page"), dict(wanted)).mappings()
    return [_line(row, now) for row in rows]


def finding(connection: Connection, finding_id: UUID, now: datetime) -> dict[str, Any]:
    """One finding with its evidence and history. Raises NotFound."""
    wanted = {"id": finding_id}
    row = connection.execute(query("reconciliation", "finding_by_id"), wanted).mappings().first()
    if row is None:
        raise NotFound(f"there is no finding {finding_id}")
    history = connection.execute(query("reconciliation", "finding_history"), wanted)
    return {
        **_line(row, now),
        "meaning": KINDS[FindingKind(row["kind"])].meaning,
        "may_become": sorted(FINDING_TRANSITIONS[FindingState(row["state"])] & SAYABLE),
        "history": list(history.mappings()),
    }


def days(connection: Connection, wanted: Mapping[str, Any]) -> list[Any]:
    """Reconciled days, newest first."""
    return list(connection.execute(query("reconciliation", "days_page"), dict(wanted)).mappings())


def settlements_page(
    connection: Connection, wanted: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Where the money of recoveries is, newest recovery first."""
    rows = connection.execute(query("reconciliation", "settlements_page"), dict(wanted)).mappings()
    return [{**row, "late_days": _late(row, now)} for row in rows]


def _late(row: Mapping[str, Any], now: datetime) -> int | None:
    if row["state"] != SettlementState.OVERDUE or row["due_on"] is None:
        return None
    return max(0, (now.date() - row["due_on"]).days)


def _line(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    kind = KINDS[FindingKind(row["kind"])]
    ended = row["closed_at"] or now
    return {
        **row,
        "label": kind.label,
        "repair": kind.repair,
        "age_days": max(0, (ended - row["created_at"]).days),
    }

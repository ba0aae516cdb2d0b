"""How a ledger stands, debt by debt, in words that do not depend on how it came there."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import RefKind


def standing(engine: Engine) -> dict[int, Any]:
    """By lifecycle: what its debt came to. One that stands in two debts has both."""
    with unit_of_work(engine) as connection:
        refs = connection.execute(text("select object_id, kind, obligation_id from psp_refs")).all()
        debts = {row.id: row for row in connection.execute(text("select * from obligations")).all()}
        attempts = _by_debt(connection, "select * from attempts")
        cases = _by_debt(connection, "select * from cases")
        findings = _by_debt(connection, "select * from findings")
    lives: dict[int, set[uuid.UUID]] = defaultdict(set)
    objects: dict[uuid.UUID, list[str]] = defaultdict(list)
    for row in refs:
        lives[int(row.object_id.split("_")[1])].add(row.obligation_id)
        if row.kind != RefKind.PAYMENT:
            objects[row.obligation_id].append(row.object_id)
    return {
        life: [
            _said(debts[one], sorted(objects[one]), attempts[one], cases[one], findings[one])
            for one in sorted(ids)
        ]
        for life, ids in lives.items()
    }


def _by_debt(connection: Connection, statement: str) -> dict[uuid.UUID, list[Any]]:
    found: dict[uuid.UUID, list[Any]] = defaultdict(list)
    for row in connection.execute(text(statement)):
        found[row.obligation_id].append(row)
    return found


def _said(
    debt: Any, objects: list[str], attempts: list[Any], cases: list[Any], findings: list[Any]
) -> dict[str, Any]:
    paid = debt.state == "paid"
    return {
        "state": debt.state,
        "money": (debt.due_minor, debt.paid_minor, debt.refunded_minor),
        "objects": objects,
        "attempts": sorted(
            (one.psp_payment_id or str(one.id), one.actor, one.state, one.refunded_minor,
             one.disputed)
            for one in attempts
            # what is planned for an unpaid debt a merge cancels, and a decision plans anew
            if paid or one.state not in ("scheduled", "cancelled")
        ),
        "case": sorted(
            (one.state, one.recovered_by or "", one.recovered_minor, one.reversed_minor)
            for one in cases
        ),
        "findings": sorted(
            (one.kind, one.state, json.dumps([one.evidence, one.proposal], sort_keys=True))
            for one in findings
        ),
    }  # fmt: skip


def refused(engine: Engine, now: datetime) -> tuple[int, int]:
    """Try to plan, and to send, on every debt that is not to be charged: (tries, accepted)."""
    tries = accepted = 0
    with unit_of_work(engine) as connection:
        debts = connection.execute(
            text("select * from obligations where state not in ('open', 'partially_paid')")
        ).all()
        for debt in debts:
            for state in ("scheduled", "claimed", "submitted"):
                tries += 1
                accepted += _planned(connection, debt, state, now + timedelta(days=1))
    return tries, accepted


def _planned(connection: Connection, debt: Any, state: str, now: datetime) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(
                text(
                    "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor,"
                    " state, amount_minor, currency, created_at, updated_at) values (:id, :org,"
                    " :connection, :psp, :debt, 'tinko', :state, 1, 'INR', :now, :now)"
                ),
                {
                    "id": new_id(now), "org": debt.org_id, "connection": debt.connection_id,
                    "psp": debt.psp, "debt": debt.id, "state": state, "now": now,
                },
            )  # fmt: skip
    except DBAPIError as error:
        if "is not to be charged" in str(error):
            return False
        raise
    return True

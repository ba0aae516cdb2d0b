"""One closed earlier month, for the archive to take: debts that failed, and how each ended.

Written through the ordinary tables as tinko_worker, so that history, versions and row security are
the real ones. All of it is older than the retention and than the window of disputes, and nothing of
it is open: `tinko archive run` takes the whole month.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, insert

from tinko_pipelines.core.archival.model import DISPUTE_WINDOW
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month, month_of
from tinko_pipelines.core.db.tables.inbox import inbox_events, inbox_keys
from tinko_pipelines.core.db.tables.ledger import (
    attempts,
    failures,
    idempotency_keys,
    obligations,
    psp_refs,
)
from tinko_pipelines.core.db.tables.notifications import notification_deliveries, outbox
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import RefKind

_CURRENCIES = ("USD", "INR", "JPY")
# of five debts: three that a retry of ours collected, one that the payer paid, one that was lost
_ENDS = ("tinko", "payer", "tinko", "lost", "tinko")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose month it is."""

    org_id: uuid.UUID
    connection_id: uuid.UUID
    psp: str = "stripe"


@dataclass
class ClosedMonth:
    """What was written: rows by table, and the minor units that were recovered, by currency."""

    month: Month
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    recovered: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def closed_month(now: datetime, retention_days: int) -> Month:
    """The latest month that is older than the retention, and whose captures, up to a month later,
    cannot be disputed any more at business time `now`."""
    age = max(timedelta(days=retention_days), DISPUTE_WINDOW + timedelta(days=62))
    return month_of(now - age).plus(-1)


def seed_closed_month(
    owner: Engine,
    worker: Engine,
    tenants: list[Tenant],
    now: datetime,
    retention_days: int,
    debts: int = 200,
    month: Month | None = None,
) -> ClosedMonth:
    """Write `debts` closed debts of each tenant into the month that `closed_month` says, or into
    the one that is given.

    `owner` makes the month's partitions where they are missing. Call it once for a month.
    """
    found = ClosedMonth(month or closed_month(now, retention_days))
    partitions.ensure(owner, found.month.start, ahead=0)
    for tenant in tenants:
        rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        for number in range(debts):
            _debt(tenant, found, number, debts, rows)
        with unit_of_work(worker) as connection:
            for table, values in rows.items():
                connection.execute(insert(table), values)
                found.rows[table.name] += len(values)
    return found


def _debt(
    tenant: Tenant,
    found: ClosedMonth,
    number: int,
    of: int,
    rows: dict[Table, list[dict[str, Any]]],
) -> None:
    # within the first 20 days: what follows stays within the month
    began = found.month.start + timedelta(days=20) * number / of
    failed, ended = began + timedelta(minutes=2), began + timedelta(days=3)
    end = _ENDS[number % len(_ENDS)]
    currency, due = _CURRENCIES[number % 3], 500 + number * 7 % 9000
    debt, case = new_id(began), new_id(failed)
    tag = f"{tenant.org_id.hex[-12:]}_{found.month}_{number}"
    owned = {"org_id": tenant.org_id, "connection_id": tenant.connection_id}
    whose = owned | {"psp": tenant.psp}
    lost = end == "lost"
    rows[obligations].append(
        whose
        | {
            "id": debt,
            "state": "uncollectible" if lost else "paid",
            "due_minor": due,
            "due_rank": 0,
            "paid_minor": 0 if lost else due,
            "currency": currency,
            "customer_ref": f"cus_{tag}",
            "has_mandate": True,
            "psp_retries": False,
            "created_at": began,
            "updated_at": ended,
        }
    )
    rows[psp_refs].append(_ref(owned, f"in_{tag}", RefKind.INVOICE, debt, None))
    error = {
        "code": "card_declined",
        "reason": "insufficient_funds",
        "message": "Nicht gedeckt – ₹",
    }
    common = whose | {
        "obligation_id": debt,
        "door_id": f"in_{tag}",
        "amount_minor": due,
        "currency": currency,
        "method": "card",
        "network": "visa",
        "country": "IN",
        "instrument_key": f"fp_{tag}",
        "payment_method_ref": f"pm_{tag}",
    }
    first = new_id(failed)
    rows[attempts].append(
        common
        | {
            "id": first,
            "case_id": None,
            "actor": "merchant",
            "state": "failed",
            "psp_payment_id": f"ch_{tag}_1",
            "error": error,
            "evidence": None,
            "idempotency_key": None,
            "payer_present": False,
            "scheduled_at": None,
            "submitted_at": None,
            "occurred_at": began,
            "finished_at": failed,
            "classified_at": failed,
            "created_at": failed,
            "updated_at": failed,
        }
    )
    rows[psp_refs].append(_ref(owned, f"ch_{tag}_1", RefKind.PAYMENT, debt, first))
    rows[failures].append(
        {
            "attempt_id": first,
            "org_id": tenant.org_id,
            "obligation_id": debt,
            "psp": tenant.psp,
            "category": "insufficient_funds",
            "retry_advice": "timed",
            "hard": False,
            "who_acts": "payer",
            "confidence": 0.9,
            "late_authorisation": False,
            "decided_by": "stripe.insufficient_funds",
            "case_id": case,
            "failed_at": failed,
            "created_at": failed,
        }
    )
    if not lost:
        _capture(tenant, tag, common, owned, debt, case, ended, end, rows)
        found.recovered[currency] += due
    rows[cases].append(
        owned
        | {
            "id": case,
            "obligation_id": debt,
            "policy_version_id": tenant.org_id,
            "state": "exhausted" if lost else "settled",
            "recovered_by": None if lost else {"tinko": "retry"}.get(end, "payer"),
            "recovered_minor": 0 if lost else due,
            "close_reason": "exhausted" if lost else None,
            "opened_at": failed,
            "closed_at": ended,
            "updated_at": ended,
        }
    )
    _event(tenant, tag, owned, began, failed, rows)
    _message(tenant, tag, debt, case, failed + timedelta(hours=1), rows)


def _capture(
    tenant: Tenant,
    tag: str,
    common: dict[str, Any],
    owned: dict[str, Any],
    debt: uuid.UUID,
    case: uuid.UUID,
    at: datetime,
    by: str,
    rows: dict[Table, list[dict[str, Any]]],
) -> None:
    ours = by == "tinko"
    attempt, key = new_id(at), f"tinko-{tag}"
    rows[attempts].append(
        common
        | {
            "id": attempt,
            "case_id": case if ours else None,
            "actor": by,
            "state": "succeeded",
            "psp_payment_id": f"ch_{tag}_2",
            "error": None,
            "evidence": {"at": at.isoformat(), "verdict": {"allowed": True, "rows": ["own.cap"]}}
            if ours
            else None,
            "idempotency_key": key if ours else None,
            "payer_present": not ours,
            "scheduled_at": at if ours else None,
            "submitted_at": at if ours else None,
            "occurred_at": at,
            "finished_at": at,
            "classified_at": None,
            "created_at": at,
            "updated_at": at,
        }
    )
    rows[psp_refs].append(_ref(owned, f"ch_{tag}_2", RefKind.PAYMENT, debt, attempt))
    if ours:
        rows[idempotency_keys].append(
            owned | {"key": key, "attempt_id": attempt, "obligation_id": debt, "minted_wall": at}
        )


def _ref(
    owned: dict[str, Any], name: str, kind: RefKind, debt: uuid.UUID, attempt: uuid.UUID | None
) -> dict[str, Any]:
    return owned | {
        "object_id": name,
        "kind": kind.value,
        "obligation_id": debt,
        "attempt_id": attempt,
    }


def _event(
    tenant: Tenant,
    tag: str,
    owned: dict[str, Any],
    began: datetime,
    at: datetime,
    rows: dict[Table, list[dict[str, Any]]],
) -> None:
    body = json.dumps({"id": f"evt_{tag}", "data": {"object": {"id": f"ch_{tag}_1"}}}).encode()
    event, digest = new_id(at), hashlib.sha256(body)
    rows[inbox_events].append(
        owned
        | {
            "id": event,
            "psp": tenant.psp,
            "source": "webhook",
            "event_id": f"evt_{tag}",
            "event_type": "charge.failed",
            "psp_created_at": began,
            "received_at": at,
            "body_sha256": digest.digest(),
            "body": body,
            "object_ids": [f"ch_{tag}_1", f"in_{tag}"],
            "processed_at": at,
            "outcome": "applied",
            "tries": 1,
        }
    )
    for key in (f"evt:evt_{tag}", f"sha:{digest.hexdigest()}"):
        rows[inbox_keys].append(owned | {"key": key, "inbox_id": event})


def _message(
    tenant: Tenant,
    tag: str,
    debt: uuid.UUID,
    case: uuid.UUID,
    at: datetime,
    rows: dict[Table, list[dict[str, Any]]],
) -> None:
    message = new_id(at)
    rows[outbox].append(
        {
            "id": message,
            "org_id": tenant.org_id,
            "case_id": case,
            "obligation_id": debt,
            "message": "payment_link",
            "channel": "email",
            "recipient": "payer@example.com",
            "language": "en",
            "dedupe_key": f"closed:{tag}",
            "payload": {},
            "state": "sent",
            "due_at": at,
            "tries": 1,
            "sent_at": at,
            "created_at": at,
            "updated_at": at,
        }
    )
    rows[notification_deliveries].append(
        {
            "id": new_id(at),
            "org_id": tenant.org_id,
            "outbox_id": message,
            "channel": "email",
            "result": "accepted",
            "detail": None,
            "at": at,
        }
    )

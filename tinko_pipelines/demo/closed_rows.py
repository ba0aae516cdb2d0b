"""The rows that each table has of a closed debt, as the system leaves them behind."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table

from tinko_pipelines.core.db.tables.inbox import inbox_events, inbox_keys
from tinko_pipelines.core.db.tables.ledger import (
    attempts,
    failures,
    idempotency_keys,
    obligations,
    psp_refs,
)
from tinko_pipelines.core.db.tables.notifications import notification_deliveries, outbox
from tinko_pipelines.core.db.tables.reconciliation import settlements
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import RefKind
from tinko_pipelines.core.reconciliation.settling import REASONS, SettlementState
from tinko_pipelines.demo.closed_debt import ClosedDebt

Row = dict[str, Any]
Rows = Iterator[tuple[Table, Row]]
_ERROR = {"code": "card_declined", "reason": "insufficient_funds", "message": "Nicht gedeckt – ₹"}
_FEE_PER_MILLE = 29


def rows_of(debt: ClosedDebt) -> Rows:
    """Every row of it, each with its table."""
    for make in _PARTS:
        yield from make(debt)


def _owned(debt: ClosedDebt) -> Row:
    return {"org_id": debt.tenant.org_id, "connection_id": debt.tenant.connection_id}


def _obligation(debt: ClosedDebt) -> Rows:
    yield obligations, _owned(debt) | {
        "id": debt.id, "psp": debt.tenant.psp, "state": "paid" if debt.paid else "uncollectible",
        "due_minor": debt.due, "due_rank": 0, "paid_minor": debt.due if debt.paid else 0,
        "currency": debt.currency, "customer_ref": f"cus_{debt.tag}", "has_mandate": True,
        "psp_retries": False, "created_at": debt.began, "updated_at": debt.ended,
    }  # fmt: skip
    yield _ref(debt, f"in_{debt.tag}", RefKind.INVOICE, None)


def _failure(debt: ClosedDebt) -> Rows:
    attempt, charge, at = new_id(debt.failed), f"ch_{debt.tag}_1", debt.failed
    yield attempts, _attempt(debt, attempt, charge, debt.began, at) | {
        "actor": "merchant", "state": "failed", "error": _ERROR, "classified_at": at,
    }  # fmt: skip
    yield _ref(debt, charge, RefKind.PAYMENT, attempt)
    yield failures, {
        "attempt_id": attempt, "org_id": debt.tenant.org_id, "obligation_id": debt.id,
        "psp": debt.tenant.psp, "category": "insufficient_funds", "retry_advice": "timed",
        "hard": False, "who_acts": "payer", "confidence": 0.9, "late_authorisation": False,
        "decided_by": "stripe.insufficient_funds", "case_id": debt.case_id, "failed_at": at,
        "created_at": at,
    }  # fmt: skip


def _capture(debt: ClosedDebt) -> Rows:
    if not debt.paid:
        return
    ours, at = debt.end == "tinko", debt.ended
    attempt, charge, key = new_id(at), f"ch_{debt.tag}_2", f"tinko-{debt.tag}"
    made = _attempt(debt, attempt, charge, at, at) | {
        "actor": debt.end, "state": "succeeded", "payer_present": not ours,
    }  # fmt: skip
    if ours:
        verdict = {"allowed": True, "rows": ["own.cap"]}
        made |= {
            "case_id": debt.case_id, "idempotency_key": key, "scheduled_at": at,
            "submitted_at": at, "evidence": {"at": at.isoformat(), "verdict": verdict},
        }  # fmt: skip
        yield idempotency_keys, _owned(debt) | {
            "key": key, "attempt_id": attempt, "obligation_id": debt.id, "minted_wall": at,
        }  # fmt: skip
    yield attempts, made
    yield _ref(debt, charge, RefKind.PAYMENT, attempt)
    yield settlements, _settlement(debt, charge)


def _attempt(
    debt: ClosedDebt, attempt: uuid.UUID, charge: str, began: datetime, finished: datetime
) -> Row:
    """What any attempt on it has; every column, as rows are inserted many at once."""
    return _owned(debt) | {
        "id": attempt, "psp": debt.tenant.psp, "obligation_id": debt.id, "case_id": None,
        "door_id": f"in_{debt.tag}", "psp_payment_id": charge, "amount_minor": debt.due,
        "currency": debt.currency, "method": "card", "network": "visa", "country": "IN",
        "instrument_key": f"fp_{debt.tag}", "payment_method_ref": f"pm_{debt.tag}", "error": None,
        "evidence": None, "idempotency_key": None, "payer_present": False, "scheduled_at": None,
        "submitted_at": None, "occurred_at": began, "finished_at": finished,
        "classified_at": None, "created_at": finished, "updated_at": finished,
    }  # fmt: skip


def _settlement(debt: ClosedDebt, charge: str) -> Row:
    """Paid out three days after, less the fee."""
    at, fee = debt.ended + timedelta(days=3), debt.due * _FEE_PER_MILLE // 1000
    return _owned(debt) | {
        "case_id": debt.case_id, "obligation_id": debt.id, "payment_id": charge,
        "state": SettlementState.SETTLED.value, "reason": REASONS[SettlementState.SETTLED],
        "amount_minor": debt.due, "currency": debt.currency, "line_id": f"txn_{debt.tag}",
        "payout_id": f"po_{debt.tag}", "gross_minor": debt.due, "fee_minor": fee, "tax_minor": 0,
        "net_minor": debt.due - fee, "settled_currency": debt.currency, "due_on": at.date(),
        "settled_at": at, "updated_at": at,
    }  # fmt: skip


def _case(debt: ClosedDebt) -> Rows:
    yield cases, _owned(debt) | {
        "id": debt.case_id, "obligation_id": debt.id,
        # the policies of that time are not kept
        "policy_version_id": debt.tenant.org_id,
        "state": "settled" if debt.paid else "exhausted",
        "recovered_by": {"tinko": "retry", "payer": "payer"}.get(debt.end),
        "recovered_minor": debt.due if debt.paid else 0,
        "close_reason": None if debt.paid else "exhausted",
        "opened_at": debt.failed, "closed_at": debt.ended, "updated_at": debt.ended,
    }  # fmt: skip


def _event(debt: ClosedDebt) -> Rows:
    name, charge, at = f"evt_{debt.tag}", f"ch_{debt.tag}_1", debt.failed
    body = json.dumps({"id": name, "data": {"object": {"id": charge}}}).encode()
    event, digest = new_id(at), hashlib.sha256(body)
    yield inbox_events, _owned(debt) | {
        "id": event, "psp": debt.tenant.psp, "source": "webhook", "event_id": name,
        "event_type": "charge.failed", "psp_created_at": debt.began, "received_at": at,
        "body_sha256": digest.digest(), "body": body, "object_ids": [charge, f"in_{debt.tag}"],
        "processed_at": at, "outcome": "applied", "tries": 1,
    }  # fmt: skip
    for key in (f"evt:{name}", f"sha:{digest.hexdigest()}"):
        yield inbox_keys, _owned(debt) | {"key": key, "inbox_id": event}


def _message(debt: ClosedDebt) -> Rows:
    at = debt.failed + timedelta(hours=1)
    message, whose = new_id(at), {"org_id": debt.tenant.org_id}
    yield outbox, whose | {
        "id": message, "case_id": debt.case_id, "obligation_id": debt.id,
        "message": "payment_link", "channel": "email", "recipient": "payer@example.com",
        "language": "en", "dedupe_key": f"closed:{debt.tag}", "payload": {}, "state": "sent",
        "due_at": at, "tries": 1, "sent_at": at, "created_at": at, "updated_at": at,
    }  # fmt: skip
    yield notification_deliveries, whose | {
        "id": new_id(at), "outbox_id": message, "channel": "email", "result": "accepted",
        "detail": None, "at": at,
    }  # fmt: skip


def _ref(
    debt: ClosedDebt, name: str, kind: RefKind, attempt: uuid.UUID | None
) -> tuple[Table, Row]:
    return psp_refs, _owned(debt) | {
        "object_id": name, "kind": kind.value, "obligation_id": debt.id, "attempt_id": attempt,
    }  # fmt: skip


_PARTS: tuple[Callable[[ClosedDebt], Rows], ...] = (
    _obligation, _failure, _capture, _case, _event, _message,
)  # fmt: skip

"""The shell around decide(): take due cases, write down each decision and what follows from it."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.clock import Clock, FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import CASE_TRANSITIONS, CaseState, sources
from tinko_pipelines.core.notifications.outbox import enqueue_payment_link
from tinko_pipelines.core.recovery.decide import LOOK_AGAIN, Action, Decision, decide
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.recovery.views import Loaded, load_views

# the state a decision moves its case to; `wait` leaves it where it is
STATE_AFTER = {
    Action.RETRY: CaseState.RETRYING,
    Action.WATCH: CaseState.RETRYING,
    Action.ASK_PAYER: CaseState.AWAITING_PAYER,
    Action.STOP: CaseState.EXHAUSTED,
}


@dataclass
class Decided:
    """Decisions of one pass by action, and how many attempts and messages they led to."""

    actions: Counter[str] = field(default_factory=Counter)
    scheduled: int = 0
    messages: int = 0


def decide_due(engine: Engine, clock: Clock, limit: int = 500) -> Decided:
    """Decide up to `limit` cases whose time has come, in one transaction."""
    now = clock.now()
    report = Decided()
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("recovery", "due_cases"), {"now": now, "limit": limit}
        ).all()
        for case in load_views(connection, rows, now) if rows else ():
            answer = decide(case.view, Policy.model_validate(case.row.definition), now)
            report.actions[answer.action.value] += 1
            decision_id = _store(connection, case, answer, now)
            if answer.action is Action.RETRY:
                schedule(connection, case, answer, decision_id, now)
                report.scheduled += 1
            elif answer.action is Action.ASK_PAYER:
                report.messages += _ask(connection, case, now)
            _advance(connection, case, answer, now)
    return report


def schedule(
    connection: Connection, case: Loaded, answer: Decision, decision_id: uuid.UUID, now: datetime
) -> uuid.UUID:
    """Plan one retry of ours: the debt's stored instrument through its own door."""
    stored = case.stored
    assert stored is not None
    assert answer.at is not None
    attempt_id = new_id(now)
    connection.execute(
        query("recovery", "schedule"),
        {
            "id": attempt_id,
            "org_id": case.row.org_id,
            "connection_id": case.row.connection_id,
            "psp": case.row.psp,
            "obligation_id": case.row.obligation_id,
            "case_id": case.row.id,
            "door_id": stored.door_id,
            "amount": case.view.amount,
            "currency": case.view.currency,
            "method": case.view.method,
            "network": case.view.network,
            "country": case.view.country,
            "instrument_key": case.view.instrument_key,
            "payment_method_ref": case.row.mandate_ref or stored.payment_method_ref,
            "decision_id": decision_id,
            "guard_rows": json.dumps(answer.guard_rows),
            "scheduled_at": answer.at,
            "now": now,
        },
    )
    return attempt_id


def _ask(connection: Connection, case: Loaded, now: datetime) -> bool:
    made = enqueue_payment_link(
        connection,
        org_id=case.row.org_id,
        case_id=case.row.id,
        obligation_id=case.row.obligation_id,
        recipient=case.row.payer_email,
        language=case.row.payer_language,
        due_at=now,
        clock=FixedClock(now),
        ordinal=case.row.messages + 1,
    )
    return made is not None


def _store(connection: Connection, case: Loaded, answer: Decision, now: datetime) -> uuid.UUID:
    decision_id = new_id(now)
    connection.execute(
        query("recovery", "store_decision"),
        {
            "id": decision_id,
            "org_id": case.row.org_id,
            "case_id": case.row.id,
            "obligation_id": case.row.obligation_id,
            "policy_version_id": case.row.policy_version_id,
            "action": answer.action.value,
            "act_at": answer.at,
            "reasons": json.dumps({"reasons": answer.reasons, "guard_rows": answer.guard_rows}),
            "inputs": json.dumps(dataclasses.asdict(case.view), default=_plain),
            "now": now,
        },
    )
    return decision_id


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a decision's inputs hold a {type(value).__name__}")


def _advance(connection: Connection, case: Loaded, answer: Decision, now: datetime) -> None:
    """Move the case on and say when decide() is to look again."""
    target = STATE_AFTER.get(answer.action, CaseState(case.row.state))
    look_again = {
        # the outcome of the attempt wakes the case
        Action.RETRY: None,
        Action.ASK_PAYER: now + LOOK_AGAIN,
        Action.STOP: None,
    }
    connection.execute(
        query("recovery", "after_decision"),
        {
            "id": case.row.id,
            "state": target.value,
            "reachable": sources(CASE_TRANSITIONS, target),
            "decide_at": look_again.get(answer.action, answer.at),
            "asked": answer.action is Action.ASK_PAYER,
            "close_reason": answer.reasons[0] if answer.action is Action.STOP else None,
            "closed": answer.action is Action.STOP,
            "now": now,
        },
    )

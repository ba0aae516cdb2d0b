"""The shell around decide(): take due cases, write down each decision and what follows from it."""

from __future__ import annotations

import json
import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.canonical import to_plain
from tinko_pipelines.core.clock import Clock, FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.guards.evidence import Kept
from tinko_pipelines.core.guards.rows import book
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import CASE_TRANSITIONS, CaseState, sources
from tinko_pipelines.core.notifications.channels import ChannelName
from tinko_pipelines.core.notifications.outbox import enqueue_payment_link
from tinko_pipelines.core.recovery import inputs
from tinko_pipelines.core.recovery.case import Action, Decision
from tinko_pipelines.core.recovery.deadline import GRACE, ends_at
from tinko_pipelines.core.recovery.decide import LOOK_AGAIN, decide
from tinko_pipelines.core.recovery.policies import Pinned
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.recovery.views import Loaded, load_views
from tinko_pipelines.core.rules.model import RuleSet

log = logging.getLogger(__name__)

# the state a decision moves its case to; `wait` leaves it where it is
STATE_AFTER = {
    Action.RETRY: CaseState.RETRYING,
    Action.WATCH: CaseState.RETRYING,
    Action.ASK_PAYER: CaseState.AWAITING_PAYER,
    Action.STOP: CaseState.EXHAUSTED,
}
BROKE_OFF = "broke_off"


@dataclass
class Decided:
    """Decisions of one pass by action, and how many attempts and messages they led to.

    `broke_off` among the actions: cases that could not be decided, logged and looked at later.
    """

    actions: Counter[str] = field(default_factory=Counter)
    scheduled: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """One decision with what it was made on."""

    id: uuid.UUID
    case: Loaded
    policy: Policy
    rules: RuleSet
    limits: Kept
    answer: Decision


def decide_due(engine: Engine, clock: Clock, limit: int = 500) -> Decided:
    """Decide up to `limit` cases whose time has come, in one transaction."""
    now = clock.now()
    report = Decided()
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("recovery", "due_cases"), {"now": now, "limit": limit}
        ).all()
        if not rows:
            return report
        made, broken = _decide_all(connection, load_views(connection, rows, now), now)
        _write(connection, made, now)
        for one in made:
            if one.answer.action is Action.ASK_PAYER:
                report.messages += _ask(connection, one, now)
        for case in broken:
            again = {"id": case.row.id, "at": now + LOOK_AGAIN, "now": now}
            connection.execute(query("recovery", "look_again"), again)
        report.actions.update(one.answer.action.value for one in made)
        report.actions.update([BROKE_OFF] * len(broken))
        report.scheduled = report.actions[Action.RETRY.value]
    return report


def _decide_all(
    connection: Connection, cases: Sequence[Loaded], now: datetime
) -> tuple[list[Made], list[Loaded]]:
    """Decide each; those that raise are told apart, so that one cannot hold up the others."""
    pinned, rows = Pinned(connection, [one.row.org_id for one in cases]), book()
    made: list[Made] = []
    broken: list[Loaded] = []
    for case in cases:
        try:
            policy, rules = pinned.policy(case.row), pinned.rules(case.row)
            view = inputs.with_holidays(case.view, policy, rules, now)
            limits = inputs.limits_until_the_end(view, policy, now, rows)
            answer = decide(view, policy, now, rules, rows)
        except Exception:
            log.exception("case %s could not be decided", case.row.id)
            broken.append(case)
        else:
            known = replace(case, view=view)
            made.append(Made(new_id(now), known, policy, rules, limits, answer))
    return made, broken


def _write(connection: Connection, made: Sequence[Made], now: datetime) -> None:
    """The decisions and what follows, each kind in one round trip."""
    steps = {
        ("guards", "keep_limits"): _kept(made, now),
        ("recovery", "store_decision"): [_decision(one, now) for one in made],
        ("ledger", "cancel_scheduled"): [
            {"obligation_id": one.case.row.obligation_id, "now": now}
            for one in made
            if one.answer.cancels
        ],
        ("recovery", "schedule"): [
            _attempt(one, now) for one in made if one.answer.action is Action.RETRY
        ],
        ("recovery", "mark_cases"): [
            {
                "id": one.case.row.id,
                "tags": list(one.answer.tags),
                "offered_psp": one.answer.offered_psp,
                "now": now,
            }
            for one in made
            if one.answer.tags or one.answer.offered_psp
        ],
        ("recovery", "after_decision"): [_advance(one, now) for one in made],
    }
    for name, values in steps.items():
        if values:
            connection.execute(query(*name), values)


def _kept(made: Sequence[Made], now: datetime) -> list[dict[str, Any]]:
    """The limits they were made on, each list once."""
    limits = {one.limits.digest: one.limits.text for one in made}
    return [{"digests": list(limits), "limits": list(limits.values()), "now": now}]


def _decision(one: Made, now: datetime) -> dict[str, Any]:
    """The row of a decision: `inputs` is all that decide() was given, to be replayed."""
    row, answer = one.case.row, one.answer
    said = to_plain(answer)
    return {
        "id": one.id,
        "org_id": row.org_id,
        "case_id": row.id,
        "obligation_id": row.obligation_id,
        "policy_version_id": row.policy_version_id,
        "action": answer.action.value,
        "act_at": answer.at,
        "reasons": json.dumps({name: said[name] for name in said.keys() - {"action", "at"}}),
        "inputs": inputs.document(one.case.view, row.policy_version_id, one.rules, now, one.limits),
        "now": now,
    }


def _attempt(one: Made, now: datetime) -> dict[str, Any]:
    """One retry of ours, planned: the debt's stored instrument through its own door."""
    case, answer = one.case, one.answer
    stored = case.stored
    assert stored is not None
    return {
        "id": new_id(now),
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
        "decision_id": one.id,
        "guard_rows": json.dumps(answer.guard_rows),
        "scheduled_at": answer.at,
        "now": now,
    }


def _ask(connection: Connection, one: Made, now: datetime) -> bool:
    row = one.case.row
    by_phone = one.answer.channel == ChannelName.SMS
    made = enqueue_payment_link(
        connection,
        org_id=row.org_id,
        case_id=row.id,
        obligation_id=row.obligation_id,
        recipient=row.payer_phone if by_phone else row.payer_email,
        language=row.payer_language,
        due_at=now,
        clock=FixedClock(now),
        ordinal=row.messages + 1,
    )
    return made is not None


def _advance(one: Made, now: datetime) -> dict[str, Any]:
    """Where the case moves, and when decide() is to look again."""
    row, answer = one.case.row, one.answer
    target = STATE_AFTER.get(answer.action, CaseState(row.state))
    look_again = {
        # the outcome of the attempt wakes the case; one that is put off for ever does not
        Action.RETRY: ends_at(one.case.view, one.policy) + GRACE,
        Action.ASK_PAYER: now + LOOK_AGAIN,
        Action.STOP: None,
    }
    return {
        "id": row.id,
        "state": target.value,
        "reachable": sources(CASE_TRANSITIONS, target),
        "decide_at": look_again.get(answer.action, answer.at),
        "asked": answer.action is Action.ASK_PAYER,
        "close_reason": answer.reasons[0] if answer.action is Action.STOP else None,
        "closed": answer.action is Action.STOP,
        "now": now,
    }

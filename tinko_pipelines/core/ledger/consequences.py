"""What follows from the attempts of a debt: paid or not, what stops, what is found to be wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger import cases, disputes
from tinko_pipelines.core.ledger.standing import Money, count, winner
from tinko_pipelines.core.ledger.states import (
    OBLIGATION_TRANSITIONS,
    AttemptState,
    ObligationState,
    sources,
)
from tinko_pipelines.core.psp.types import Observation

_GIVEN_UP = {
    ObligationState.VOID.value: ObligationState.VOID,
    ObligationState.UNCOLLECTIBLE.value: ObligationState.UNCOLLECTIBLE,
}


def draw(
    connection: Connection,
    debt: Row[Any],
    attempts: Sequence[Row[Any]],
    seen: Observation,
    now: datetime,
    *,
    news: bool,
) -> None:
    """Recount the locked debt and do what its new standing demands, in the caller's transaction.

    Paid (paid ≥ due) is absorbing: in the same transaction it cancels everything scheduled and
    recovers the case (rule 10). More than is due is the finding `double_collected` (rule 6).
    `news`: whether anything of the debt, its attempts or its disputes has changed. A debt that is
    paid already and of which nothing is new was drawn from before.
    """
    if debt.psp_retries and not _ranked(attempts):
        touched = {"obligation_id": debt.id, "now": now}
        connection.execute(query("ledger", "rank_psp_attempts"), touched)
        attempts = connection.execute(query("ledger", "attempts_of"), touched).all()
        news = True
    won = [one for one in attempts if one.state == AttemptState.SUCCEEDED]
    money = _count(connection, debt, won, max(seen.paid or 0, debt.paid_minor))
    if (money.paid, money.refunded) != (debt.paid_minor, debt.refunded_minor):
        connection.execute(
            query("ledger", "record_paid"),
            {"id": debt.id, "paid": money.paid, "refunded": money.refunded, "now": now},
        )
    elif debt.state == ObligationState.PAID and not news:
        return
    if money.taken > debt.due_minor:
        _double_collected(connection, debt, won, money.excess, now)
    given_up = _given_up(debt, seen)
    if money.is_paid:
        # also where it was paid before: a merge may have brought what was planned for another
        _move(connection, debt.id, ObligationState.PAID, now)
        _stop(connection, debt.id, attempts, now)
        cases.follow(connection, debt, money, _actor(debt, won), now)
    elif given_up is not None:
        _move(connection, debt.id, given_up, now)
        _stop(connection, debt.id, attempts, now)
        cases.cancel(connection, debt.id, given_up, now)
    else:
        if money.paid > 0:
            _move(connection, debt.id, ObligationState.PARTIALLY_PAID, now)
        stopped = debt.has_mandate is False or debt.stopped_by is not None
        if stopped and _planned(attempts):
            # no retry may use what is stored, or nothing is any more
            for name in ("cancel_scheduled", "wake_case"):
                connection.execute(query("ledger", name), {"obligation_id": debt.id, "now": now})


def settle_case(connection: Connection, obligation_id: uuid.UUID, now: datetime) -> bool:
    """A case that was opened only now goes where its debt stands already; whether that is paid.

    Events come out of order: the debt may be paid, or given up, before we hear that it failed.
    """
    debt = connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id}).one()
    if debt.state in _GIVEN_UP:
        cases.cancel(connection, debt.id, _GIVEN_UP[debt.state], now)
    if debt.state != ObligationState.PAID:
        return False
    attempts = connection.execute(
        query("ledger", "attempts_of"), {"obligation_id": obligation_id}
    ).all()
    won = [one for one in attempts if one.state == AttemptState.SUCCEEDED]
    money = _count(connection, debt, won, debt.paid_minor)
    cases.follow(connection, debt, money, _actor(debt, won), now)
    return True


def _given_up(debt: Row[Any], seen: Observation) -> ObligationState | None:
    """Void is the end of what was only uncollectible, in whichever order they are told."""
    said = [_GIVEN_UP[one] for one in (seen.terminal, debt.state) if one in _GIVEN_UP]
    return ObligationState.VOID if ObligationState.VOID in said else next(iter(said), None)


def _count(connection: Connection, debt: Row[Any], won: Sequence[Row[Any]], told: int) -> Money:
    contested = any(one.disputed for one in won)
    return count(debt.due_minor, told, won, disputes.of(connection, debt) if contested else ())


def _actor(debt: Row[Any], won: Sequence[Row[Any]]) -> str | None:
    # known at once, or only now: an invoice can be told paid before the charge that paid it
    reached = winner(debt.due_minor, won)
    return reached.actor if reached is not None else None


def _ranked(attempts: Sequence[Row[Any]]) -> bool:
    """Whether the first unattended try is the merchant's and every later one the PSP's."""
    theirs = [one for one in attempts if one.actor in ("merchant", "psp")]
    theirs.sort(key=lambda one: (one.occurred_at, one.psp_payment_id))
    return all((one.actor == "merchant") is (place == 0) for place, one in enumerate(theirs))


def _move(
    connection: Connection, obligation_id: uuid.UUID, state: ObligationState, now: datetime
) -> None:
    connection.execute(
        query("ledger", "set_obligation_state"),
        {
            "id": obligation_id,
            "state": state.value,
            "superseded_by": None,
            "sources": sources(OBLIGATION_TRANSITIONS, state),
            "now": now,
        },
    )


def _planned(attempts: Sequence[Row[Any]]) -> bool:
    """`attempts` were read under the debt's lock, without which none is planned."""
    return any(one.state == AttemptState.SCHEDULED for one in attempts)


def _stop(
    connection: Connection,
    obligation_id: uuid.UUID,
    attempts: Sequence[Row[Any]],
    now: datetime,
) -> None:
    touched = {"obligation_id": obligation_id, "now": now}
    if _planned(attempts):
        connection.execute(query("ledger", "cancel_scheduled"), touched)
    connection.execute(query("ledger", "cancel_messages"), touched)


def _double_collected(
    connection: Connection,
    debt: Row[Any],
    won: Sequence[Row[Any]],
    excess: int,
    now: datetime,
) -> None:
    """Kept though the excess was given back: that it happened is for somebody to look at."""
    last = won[-1]
    proposal = {
        "refund": last.psp_payment_id,
        "amount_minor": min(excess, last.amount_minor),
        "currency": debt.currency,
    }
    connection.execute(
        query("ledger", "add_finding"),
        {
            "id": new_id(now),
            "org_id": debt.org_id,
            "obligation_id": debt.id,
            "kind": "double_collected",
            "severity": "error",
            "state": "open" if excess else "fixed",
            "dedupe_key": f"double_collected:{debt.id}",
            "evidence": json.dumps({"payments": [one.psp_payment_id for one in won]}),
            "proposal": json.dumps(proposal if excess else {}),
            "now": now,
        },
    )

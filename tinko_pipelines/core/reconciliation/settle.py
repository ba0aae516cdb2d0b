"""Tie recoveries to the payouts that carry them, and move cases between recovered and settled.

Every recovery gets its row in `settlements`: linked, or ageing with its reason. A case moves only
along the table of allowed transitions, under its debt's lock and by what is known then; refunds
and disputes move it in the ledger (core/ledger/standing.py).
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.standing import winner
from tinko_pipelines.core.ledger.states import CASE_TRANSITIONS, CaseState, check
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.marks import Mark
from tinko_pipelines.core.reconciliation.payouts import Payouts, customs, read_payouts
from tinko_pipelines.core.reconciliation.settling import (
    SettlementState,
    Standing,
    standing,
)
from tinko_pipelines.core.reconciliation.terms import terms

BATCH = 200
_FIRST = uuid.UUID(int=0)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# of a settlement line
_LINE = ("gross_minor", "fee_minor", "tax_minor", "net_minor", "exchange_rate", "utr")


def settle_recoveries(engine: Engine, clock: Clock, batch: int = BATCH) -> Counter[str]:
    """Look at every recovery that is not settled, at those whose payout came back, and at settled
    ones of which the PSP has said something else since the last time.

    Counts cases by where their money is (`SettlementState`), and those that were `newly_settled`,
    `undone` or `restated`. Batches are transactions of their own; doing it again changes nothing.
    """
    count: Counter[str] = Counter()
    mark = Mark("settlements")
    low, high = mark.window(engine)
    for name, written in (
        ("undone_settlements", {}),
        ("unsettled_recoveries", {}),
        ("restated_settlements", {"low": low, "high": high}),
    ):
        after = _FIRST
        while True:
            with unit_of_work(engine) as connection:
                page = connection.execute(
                    query("reconciliation", name), {"after": after, "limit": batch} | written
                ).all()
                if not page:
                    break
                done, changed = _settle(connection, page, clock.now())
                # where it is is counted once; of what was said anew, what that changed
                count += Counter(restated=changed, undone=done["undone"]) if written else done
            after = page[-1].id
    mark.advance(engine, high, clock.now())
    return count


def settlement_counts(engine: Engine) -> dict[str, int]:
    """Every recovery that stands, by where its money is; `unlinked` ones were never looked at."""
    count: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        for row in connection.execute(query("reconciliation", "settlement_counts")):
            count[row.state] += row.cases
    return dict(count)


def _settle(
    connection: Connection, page: Sequence[Row[Any]], now: datetime
) -> tuple[Counter[str], int]:
    """The counts of `settle_recoveries`, and how many rows of `settlements` say something new."""
    debts = sorted({one.obligation_id for one in page})
    connection.execute(query("ledger", "lock_obligations"), {"ids": debts})
    cases = connection.execute(
        query("reconciliation", "lock_recoveries"), {"ids": [one.id for one in page]}
    ).all()
    charges = _charges(connection, cases)
    lines = _lines(connection, charges)
    # a payer may have chosen another PSP than the debt's: the money is where its charge is
    place = {one.id: charges.get(one.id, one) for one in cases}
    connections = sorted({one.connection_id for one in place.values()})
    carrying = {one.payout_id for one in lines.values() if one.payout_id is not None}
    payouts = read_payouts(connection, connections, carrying)
    habits = customs(connection, connections)
    listed = {
        row.connection_id: row.listed_at
        for row in connection.execute(
            query("reconciliation", "settlements_listed"), {"connection_ids": connections}
        )
    }
    count, changed = Counter[str](), 0
    for case in cases:
        charge, where = charges.get(case.id), place[case.id]
        captured_at = None if charge is None else _captured_at(charge)
        line = lines.get((where.connection_id, charge.psp_payment_id)) if charge else None
        term = terms()[Psp(where.psp)]
        until, habit = listed.get(where.connection_id), habits[where.connection_id]
        found = standing(
            captured_at,
            line,
            payouts[where.connection_id],
            by_hand_until=habit.by_hand_until,
            # what no listing could have shown yet is not late
            overdue_before=term.overdue_before(min(now, until) - habit.gathers)
            if until
            else _LONG_AGO,
            now=now,
        )
        due_on = None if captured_at is None else term.due_on(captured_at)
        changed += _save(connection, case, charge, line, found, payouts, due_on, now)
        count[found.state] += 1
        count.update(_move(connection, case, found.state, now))
    return count, changed


def _move(
    connection: Connection, case: Row[Any], state: SettlementState, now: datetime
) -> list[str]:
    """Settled where its payout is paid, recovered where it is not (any more)."""
    current = CaseState(case.state)
    target = CaseState.SETTLED if state is SettlementState.SETTLED else CaseState.RECOVERED
    if current is target:
        return []
    check(CASE_TRANSITIONS, current, target)
    connection.execute(
        query("ledger", "move_case"),
        {
            "id": case.id,
            "current": current.value,
            "state": target.value,
            "reason": "paid",
            "closes": False,
            "now": now,
        },
    ).one()
    return ["newly_settled" if target is CaseState.SETTLED else "undone"]


def _captured_at(charge: Row[Any]) -> datetime:
    """What was authorised first is captured when it ended."""
    known: list[datetime] = [one for one in (charge.occurred_at, charge.finished_at) if one]
    return max(known)


def _charges(connection: Connection, cases: Sequence[Row[Any]]) -> dict[uuid.UUID, Row[Any]]:
    """The capture that reached each debt's due, by case."""
    won: dict[uuid.UUID, list[Row[Any]]] = defaultdict(list)
    wanted = {"obligation_ids": [one.obligation_id for one in cases]}
    for row in connection.execute(query("reconciliation", "captures_of"), wanted):
        won[row.obligation_id].append(row)
    found = {one.id: winner(one.due_minor, won[one.obligation_id]) for one in cases}
    return {case_id: row for case_id, row in found.items() if row is not None}


def _lines(
    connection: Connection, charges: dict[uuid.UUID, Row[Any]]
) -> dict[tuple[uuid.UUID, str], Row[Any]]:
    """The payment line of each charge; of two the one that was settled first."""
    wanted = {
        "connection_ids": sorted({one.connection_id for one in charges.values()}),
        "payment_ids": sorted({one.psp_payment_id for one in charges.values()}),
    }
    found: dict[tuple[uuid.UUID, str], Row[Any]] = {}
    for row in connection.execute(query("reconciliation", "settling_lines"), wanted):
        found.setdefault((row.connection_id, row.source_id), row)
    return found


def _save(
    connection: Connection,
    case: Row[Any],
    charge: Row[Any] | None,
    line: Row[Any] | None,
    found: Standing,
    payouts: dict[uuid.UUID, Payouts],
    due_on: Any,
    now: datetime,
) -> int:
    where = charge or case
    carrier = payouts[where.connection_id].utr.get(found.payout_id or "")
    values = dict.fromkeys(_LINE) if line is None else {one: getattr(line, one) for one in _LINE}
    saved = connection.execute(
        query("reconciliation", "save_settlement"),
        values
        | {
            "case_id": case.id,
            "org_id": case.org_id,
            "connection_id": where.connection_id,
            "obligation_id": case.obligation_id,
            "state": found.state.value,
            "reason": found.reason,
            "payment_id": charge.psp_payment_id if charge else None,
            "amount_minor": charge.amount_minor if charge else case.due_minor,
            "currency": charge.currency if charge else case.currency,
            "line_id": line.line_id if line else None,
            "payout_id": found.payout_id,
            "settled_currency": line.currency if line else None,
            "utr": carrier or values["utr"],
            "due_on": due_on,
            "settled_at": line.settled_at
            if line and found.state is SettlementState.SETTLED
            else None,
            "now": now,
        },
    )
    return saved.rowcount

"""The second transaction of a charge: what forbids it is looked up, and `submitted` committed.

Set-based: of one attempt or of many, in the same statements. The caller holds the refs' locks,
and decides between the two by may_charge(), which is pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.canonical import dumps
from tinko_pipelines.core.db.arrays import uuids
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.guards.model import Counted, Facts
from tinko_pipelines.core.ledger.apply import Account
from tinko_pipelines.core.psp.types import ChargeRequest
from tinko_pipelines.core.recovery.permission import Permission, facts_of
from tinko_pipelines.core.recovery.tries import Try, tries_at
from tinko_pipelines.core.recovery.views import counted_on


@dataclass(frozen=True, slots=True)
class Standing:
    """A claimed attempt with its debt, locked, everybody's tries at it and its counters."""

    attempt: Row[Any]
    debt: Row[Any]
    tries: tuple[Try, ...]
    counted: tuple[Counted, ...]

    def facts(self, earlier: Sequence[Counted] = (), *, notice_required: bool = False) -> Facts:
        """As the guards see it; `earlier` are of the same batch and not in the counters yet."""
        counted = (*self.counted, *earlier)
        return facts_of(
            self.attempt, self.debt, self.tries, counted, notice_required=notice_required
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """One attempt that may be sent, under its lease's `token`."""

    token: uuid.UUID
    request: ChargeRequest
    permission: Permission


def stand(
    connection: Connection, account: Account, attempt_ids: Sequence[uuid.UUID], now: datetime
) -> list[Standing]:
    """How claimed attempts of one account stand, in the order of their ids.

    Locks their debts and then their instruments, each in one order for everybody (rule 11).
    """
    rows = connection.execute(query("charging", "claimed"), {"ids": uuids(attempt_ids)}).all()
    owed = uuids(row.obligation_id for row in rows)
    debts = connection.execute(query("ledger", "lock_obligations"), {"ids": owed}).all()
    debt_of = {debt.id: debt for debt in debts}
    # they stand still under the locks of their debts; what a card has seen does under its own
    tries = tries_at(connection, list(debt_of))
    keys = sorted({row.instrument_key or "" for row in rows})
    named = [f"{account.psp}:{account.account_id}:{key}" for key in keys]
    connection.execute(query("charging", "lock_instruments"), {"instruments": named})
    counted = counted_on(connection, account.psp, account.account_id, keys, now, list(debt_of))
    return [
        Standing(
            row,
            debt_of[row.obligation_id],
            tries[row.obligation_id],
            counted[row.instrument_key or ""].seen_from(row.obligation_id),
        )
        for row in rows
    ]


def submit(
    connection: Connection,
    account: Account,
    granted: Sequence[Granted],
    now: datetime,
    wall: datetime,
) -> set[uuid.UUID]:
    """Commit to sending: key, state, evidence and counters. Those whose lease still held."""
    limits = {
        one.permission.evidence.digest: one.permission.evidence.limits
        for one in granted
        if one.permission.evidence
    }
    submitted = connection.scalars(
        query("charging", "submit"),
        {
            "ids": f"{{{','.join([one.request.attempt_id for one in granted])}}}",
            "asked": f"[{','.join(map(_asked, granted))}]",
            "digests": list(limits),
            "limits": list(limits.values()),
            "account_id": account.account_id,
            "now": now,
            "wall": wall,
        },
    )
    return set(submitted)


def _asked(one: Granted) -> str:
    """One of the document that `submit` reads: a driver spends longer on quoting texts in arrays
    than on all else. The evidence is JSON already, and the largest part of it."""
    request, written = one.request, one.permission.evidence
    evidence = written.document if written else "null"
    return (
        f'{{"id":"{request.attempt_id}","token":"{one.token.hex}","amount":{request.amount},'
        f'"key":{dumps(request.idempotency_key)},"currency":{dumps(request.currency)},'
        f'"door_id":{dumps(request.door_id)},"evidence":{evidence}}}'
    )

"""Apply the repairs that were asked for: heal from the PSP's word, or give back, exactly once.

A refund goes as a charge does: noted as `applying` in a transaction of its own, then looked for at
the PSP under its own reference, then sent under its own key, then noted. A kill anywhere leaves it
`applying`, and the next run looks before it sends.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError, PspRejected, UnknownConnection
from tinko_pipelines.core.ledger.keys import key_of
from tinko_pipelines.core.ledger.rereading import reread
from tinko_pipelines.core.psp.operations import RefundRequest, RefundStatus
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.reconciliation.healing import heal_finding
from tinko_pipelines.core.reconciliation.review import Action, RepairState
from tinko_pipelines.core.reconciliation.vocabulary import (
    KINDS,
    FindingKind,
    FindingState,
    Repair,
)
from tinko_pipelines.core.tenants.desk import Desk, Seat

BATCH = 50


def apply_wanted(
    engine: Engine,
    desk: Desk,
    clock: Clock,
    wall: WallClock,
    psp: Psp | None = None,
    limit: int = BATCH,
) -> Counter[str]:
    """Apply up to `limit` repairs that were asked for, of one PSP or of all; counts `applied`,
    `failed` and `later`.

    What the PSP refuses has failed; what it did not answer is tried again.
    """
    count: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        wanted = connection.scalars(
            query("reconciliation", "wanted_repairs"),
            {"psp": psp.value if psp else None, "limit": limit},
        ).all()
    for finding_id in wanted:
        count[_apply(engine, desk, finding_id, clock, wall)] += 1
    return count


def _apply(engine: Engine, desk: Desk, finding_id: uuid.UUID, clock: Clock, wall: WallClock) -> str:
    with unit_of_work(engine) as connection:
        finding = review.lock(connection, finding_id)
        if finding.repair_state not in (RepairState.REQUESTED, RepairState.APPLYING):
            return "done"
        connection_id = finding.connection_id or _connection_of(connection, finding)
        review.set_repair(
            connection, finding_id, RepairState.APPLYING, clock.now(), wall=wall.now()
        )
        if finding.repair_state == RepairState.REQUESTED:
            _note(connection, finding, Action.REPAIR_SENT, clock.now(), finding.proposal)
    try:
        seat = desk.seat(connection_id)
        if KINDS[FindingKind(finding.kind)].repair is Repair.REFUND:
            outcome = _give_back(engine, seat, finding, clock)
        else:
            outcome = heal_finding(engine, seat, finding, clock)
    except (PspRejected, UnknownConnection) as error:
        return _end(engine, finding, RepairState.FAILED, clock.now(), {"why": error.detail})
    except PspError:
        return "later"
    state = RepairState.FAILED if "why" in outcome else RepairState.APPLIED
    return _end(engine, finding, state, clock.now(), outcome)


def _give_back(engine: Engine, seat: Seat, finding: Row[Any], clock: Clock) -> dict[str, Any]:
    """Refund what was collected twice, unless a fresh read says that somebody did already."""
    if not finding.proposal:
        # it was sent before a kill, and the ledger has heard of it since
        return {"already": True}
    request = RefundRequest(
        payment_id=finding.proposal["refund"],
        reference=f"finding-{finding.id}",
        idempotency_key=key_of(f"refund-{finding.id}"),
        amount=finding.proposal["amount_minor"],
    )
    made = seat.adapter.find_refund(request)
    if made is None:
        if not _is_still_owed(engine, seat, finding, clock):
            return {"why": "nothing is collected twice any more"}
        made = seat.adapter.refund(request)
    reread(engine, seat, finding.obligation_id, clock)
    told = {"refund": made.object_id, "status": made.status.value, "amount_minor": made.amount}
    if made.status is RefundStatus.FAILED:
        return {**told, "why": made.reason or "the refund failed"}
    return told


def _is_still_owed(engine: Engine, seat: Seat, finding: Row[Any], clock: Clock) -> bool:
    """Whether, on a fresh read, the ledger still proposes the very same refund."""
    reread(engine, seat, finding.obligation_id, clock)
    with unit_of_work(engine) as connection:
        now = review.lock(connection, finding.id)
    return now.state != FindingState.FIXED and bool(now.proposal == finding.proposal)


def _connection_of(connection: Any, finding: Row[Any]) -> uuid.UUID:
    """The ledger's own findings name their debt and the payment to give back, and that payment its
    connection."""
    found: uuid.UUID = connection.scalar(
        query("reconciliation", "refund_wanted"),
        {
            "obligation_id": finding.obligation_id,
            "payment_id": finding.proposal.get("refund"),
        },
    )
    return found


def _end(
    engine: Engine, finding: Row[Any], state: RepairState, now: datetime, detail: dict[str, Any]
) -> str:
    action = Action.REPAIR_APPLIED if state is RepairState.APPLIED else Action.REPAIR_FAILED
    with unit_of_work(engine) as connection:
        review.set_repair(connection, finding.id, state, now)
        _note(connection, finding, action, now, detail)
    return state.value


def _note(connection: Any, finding: Row[Any], action: Action, now: datetime, detail: Any) -> None:
    plain = json.loads(json.dumps(detail))
    review.note(connection, finding, action, finding.repair_by or "repairs", now, plain)

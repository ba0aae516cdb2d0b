"""What people do with findings: explain, accept, open again, assign, ask for the repair.

Each step is checked against the table of allowed transitions and leaves an event that names who.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound
from tinko_pipelines.core.ledger.states import check, sources
from tinko_pipelines.core.reconciliation.vocabulary import (
    FINDING_TRANSITIONS,
    KINDS,
    FindingKind,
    FindingState,
    Repair,
)


class Action(StrEnum):
    """What `finding_events` tell."""

    STATE = "state"  # written by a trigger, whoever changed it
    ASSIGNED = "assigned"
    REPAIR_REQUESTED = "repair_requested"
    REPAIR_SENT = "repair_sent"
    REPAIR_APPLIED = "repair_applied"
    REPAIR_FAILED = "repair_failed"


class RepairState(StrEnum):
    REQUESTED = "requested"
    APPLYING = "applying"  # it may have been sent
    APPLIED = "applied"
    FAILED = "failed"


# what a person may say; only what is found no more is fixed
SAYABLE = frozenset({FindingState.EXPLAINED, FindingState.ACCEPTED, FindingState.OPEN})


def lock(connection: Connection, finding_id: uuid.UUID) -> Row[Any]:
    """The finding, locked. Raises NotFound, also for another tenant's."""
    found = connection.execute(
        query("reconciliation", "lock_finding"), {"id": finding_id}
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no finding {finding_id}")
    return found


def say(
    connection: Connection,
    finding_id: uuid.UUID,
    state: FindingState,
    note: str,
    by: str,
    now: datetime,
) -> None:
    """Explain, accept or open a finding again, with the reason in `note`.

    Raises NotFound, InvalidInput where nothing is said, InvalidTransition.
    """
    found = lock(connection, finding_id)
    if state not in SAYABLE:
        raise InvalidInput(f"state: a finding is {state} when it is found no more")
    if not note.strip():
        raise InvalidInput("note: say why")
    check(FINDING_TRANSITIONS, FindingState(found.state), state)
    connection.execute(
        query("reconciliation", "move_finding"),
        {
            "id": finding_id,
            "state": state.value,
            "note": note.strip(),
            "by": by,
            "sources": sources(FINDING_TRANSITIONS, state),
            "now": now,
        },
    ).one()


def assign(
    connection: Connection, finding_id: uuid.UUID, owner: str, by: str, now: datetime
) -> None:
    """Make it somebody's. Raises NotFound."""
    found = lock(connection, finding_id)
    connection.execute(
        query("reconciliation", "assign_finding"),
        {"id": finding_id, "owner": owner, "now": now},
    )
    note(connection, found, Action.ASSIGNED, by, now, {"owner": owner})


def request_repair(connection: Connection, finding_id: uuid.UUID, by: str, now: datetime) -> Repair:
    """Ask for the proposed repair; the worker applies it. Asking again changes nothing.

    Raises NotFound, and Conflict where none is proposed, it is applied already or nothing is
    wrong any more.
    """
    found = lock(connection, finding_id)
    repair = KINDS[FindingKind(found.kind)].repair
    if repair is Repair.NONE or not found.proposal:
        raise Conflict("nothing is proposed for this finding: explain or accept it")
    if found.state == FindingState.FIXED:
        raise Conflict("this finding is fixed: there is nothing to repair")
    if found.repair_state in (RepairState.REQUESTED, RepairState.APPLYING):
        return repair
    if found.repair_state == RepairState.APPLIED and repair is Repair.REFUND:
        raise Conflict("this was given back already")
    set_repair(connection, finding_id, RepairState.REQUESTED, now, by=by)
    note(connection, found, Action.REPAIR_REQUESTED, by, now, {"repair": repair.value})
    return repair


def set_repair(
    connection: Connection,
    finding_id: uuid.UUID,
    state: RepairState,
    now: datetime,
    *,
    by: str | None = None,
    wall: datetime | None = None,
) -> None:
    """Note how far the repair of a locked finding has got; `wall` when it is sent."""
    connection.execute(
        query("reconciliation", "set_repair"),
        {"id": finding_id, "repair_state": state.value, "by": by, "wall": wall, "now": now},
    )


def note(
    connection: Connection,
    finding: Row[Any],
    action: Action,
    by: str,
    now: datetime,
    detail: dict[str, Any],
) -> None:
    """One event of a finding's history."""
    connection.execute(
        query("reconciliation", "add_finding_event"),
        {
            "org_id": finding.org_id,
            "id": finding.id,
            "action": action.value,
            "by": by,
            "note": None,
            "detail": json.dumps(detail),
            "now": now,
        },
    )

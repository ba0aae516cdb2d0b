"""Rule 1, a late discovery: two debts are one, and in one transaction all of it hangs on one."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.standing import WON
from tinko_pipelines.core.ledger.states import (
    ACTIVE_CASES,
    COLLECTIBLE,
    OBLIGATION_TRANSITIONS,
    CaseState,
    ObligationState,
    sources,
)


def merge(connection: Connection, keeper: uuid.UUID, folded: uuid.UUID, now: datetime) -> None:
    """Fold one obligation into another in the caller's transaction: one lock and one case stay.

    What was planned for the folded one is cancelled; what of it is under way goes on as the
    keeper's. The caller draws the consequences for the keeper.
    """
    both = {"keeper": keeper, "folded": folded, "now": now}
    # both rows are locked in one order, so that two merges cannot wait for each other
    debts = {
        one: connection.execute(query("ledger", "lock_obligation"), {"id": one}).one()
        for one in sorted((keeper, folded))
    }
    connection.execute(query("ledger", "cancel_scheduled"), {"obligation_id": folded, "now": now})
    if debts[keeper].state not in COLLECTIBLE:
        # SQL lets nothing that is yet to be sent near such a debt: a claimed one is dropped, and
        # of one that was sent the outcome is awaited
        connection.execute(query("ledger", "halt_attempts"), {"obligation_id": folded, "now": now})
    _one_case(connection, both, debts[keeper])
    for name in (
        "move_to_keeper",
        "drop_weaker_lock",
        "keep_one_lock",
        "drop_folded_lock",
        "drop_lockless",
        "drop_folded_findings",
        "inherit",
    ):
        connection.execute(query("ledger", name), both)
    connection.execute(
        query("ledger", "set_obligation_state"),
        {
            "id": folded,
            "state": ObligationState.SUPERSEDED.value,
            "superseded_by": keeper,
            "sources": sources(OBLIGATION_TRANSITIONS, ObligationState.SUPERSEDED),
            "now": now,
        },
    )


def _one_case(connection: Connection, both: dict[str, Any], keeper: Row[Any]) -> None:
    """Of two cases the keeper's stays, unless only the other is still worked on.

    The other one's is deleted and not closed: one debt failed, and counts once. Its failures,
    tries and messages are the staying case's.
    """
    found = connection.execute(query("ledger", "cases_of"), both).all()
    if len(found) == 2:
        stays = _which(found, keeper.id)
        (goes,) = (one for one in found if one.id != stays.id)
        pair = both | {"stays": stays.id, "goes": goes.id}
        for name in ("repoint_case", "drop_case"):
            connection.execute(query("ledger", name), pair)
        found = [stays]
    for case in found:
        if case.state in WON and keeper.state != ObligationState.PAID:
            # what was recovered was a part, or another's: its failures open one anew, and the
            # recount takes it where it belongs
            connection.execute(query("ledger", "release_case"), both | {"goes": case.id})
            connection.execute(query("ledger", "drop_case"), both | {"goes": case.id})
        else:
            connection.execute(query("ledger", "take_case"), both | {"stays": case.id})


def _which(found: list[Row[Any]] | Any, keeper: uuid.UUID) -> Row[Any]:
    def rank(case: Row[Any]) -> tuple[bool, bool]:
        return CaseState(case.state) in ACTIVE_CASES, case.obligation_id == keeper

    best: Row[Any] = max(found, key=rank)
    return best

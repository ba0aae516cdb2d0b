"""Moves of our own attempts, and what goes with each: the lock, the counter, the case."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.arrays import uuids
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.states import (
    ACTIVE_CASES,
    ATTEMPT_TRANSITIONS,
    AttemptState,
    sources,
)

_CERTAIN = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.NOT_SENT})
# the lock is freed and the case is decided anew: the outcome is certain, or only the payer, at the
# very door that we tried, can still bring it about
_FREES = _CERTAIN | {AttemptState.REQUIRES_ACTION}
# what each target asks for and brings, for the statement that moves
_MOVES = json.dumps(
    [
        {
            "state": target.value,
            "sources": sources(ATTEMPT_TRANSITIONS, target),
            "final": target in _CERTAIN,
            "frees": target in _FREES,
        }
        for target in AttemptState
    ]
)


def claimed(connection: Connection, attempt_id: uuid.UUID) -> Row[Any]:
    """What a charge needs to know. Raises sqlalchemy NoResultFound where there is no such one."""
    return connection.execute(query("charging", "claimed"), {"ids": [attempt_id]}).one()


def state_of(connection: Connection, attempt_id: uuid.UUID) -> AttemptState:
    """Raises sqlalchemy NoResultFound where there is no such attempt."""
    return AttemptState(claimed(connection, attempt_id).state)


def move(
    connection: Connection,
    attempt_id: uuid.UUID,
    target: AttemptState,
    now: datetime,
    *,
    detail: str | None = None,
) -> bool:
    """Move an attempt to `target`, if it stands where that is allowed; says whether it moved."""
    return attempt_id in move_all(connection, {attempt_id: target}, now, detail=detail)


def move_all(
    connection: Connection,
    targets: Mapping[uuid.UUID, AttemptState],
    now: datetime,
    *,
    detail: str | None = None,
) -> set[uuid.UUID]:
    """Move attempts, each to its target where that is allowed; returns those that moved."""
    ids = uuids(targets)
    connection.execute(query("charging", "lock_debts_of"), {"ids": ids})
    moved = connection.scalars(
        query("charging", "settle"),
        {
            "ids": ids,
            "states": [target.value for target in targets.values()],
            "moves": _MOVES,
            "error": json.dumps({"description": detail}) if detail else None,
            "now": now,
        },
    )
    return set(moved)


@dataclass(frozen=True, slots=True)
class Back:
    """A claimed attempt that was not sent, under its lease's `token`: due again at `again_at`, or
    dropped when None."""

    attempt_id: uuid.UUID
    token: uuid.UUID
    again_at: datetime | None


def give_back(connection: Connection, backs: Sequence[Back], now: datetime) -> set[uuid.UUID]:
    """Claimed attempts that were not sent wait again, or are cancelled where nothing is to be
    waited for: a dropped one wakes its case, so that decide() finds another way.

    Returns those whose lease was still held by its token; the others are left alone.
    """
    ids = uuids(one.attempt_id for one in backs)
    connection.execute(query("charging", "lock_debts_of"), {"ids": ids})
    given = connection.scalars(
        query("charging", "give_back"),
        {
            "ids": ids,
            "tokens": uuids(one.token for one in backs),
            "again_at": [one.again_at for one in backs],
            "active": sorted(ACTIVE_CASES),
            "now": now,
        },
    )
    return set(given)


def is_case_closed(attempt: Row[Any]) -> bool:
    """Whether the debt's case was given up or closed; an attempt without a case stands alone.

    `attempt` is a row of `claimed`.
    """
    return attempt.case_state is not None and attempt.case_state not in ACTIVE_CASES

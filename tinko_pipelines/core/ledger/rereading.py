"""Bring the ledger to what a PSP shows of a debt now: read there, then written here.

A PSP is asked outside of any transaction; what it says goes the way of every observation.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.ledger.refs import refs_at
from tinko_pipelines.core.psp.types import Observation, Ref

if TYPE_CHECKING:
    from tinko_pipelines.core.tenants.desk import Seat


def reread(engine: Engine, seat: Seat, obligation_id: uuid.UUID, clock: Clock) -> Observation:
    """One debt as it stands at one PSP now, and in the ledger. Raises PspError."""
    with unit_of_work(engine, seat.account.org_id) as connection:
        refs = refs_at(connection, obligation_id, seat.account.connection_id)
    return read_and_write(engine, seat, refs, clock)


def read_and_write(engine: Engine, seat: Seat, refs: tuple[Ref, ...], clock: Clock) -> Observation:
    """As `reread`, of a debt whose objects at that PSP are known. Raises PspError."""
    seen = seat.adapter.read(refs) if refs else Observation()
    write(engine, seat.account, seen, clock)
    return seen


def write(engine: Engine, account: Account, seen: Observation, clock: Clock) -> None:
    """What was seen at `account`, in a transaction of its own."""
    with unit_of_work(engine, account.org_id) as connection:
        lock_refs(connection, account, [seen])
        apply_observation(connection, account, seen, clock.now())

"""Carry out the plan, month by month, from wherever the last run was cut off.

Where a month is, stands in `archives`; every step may be cut off by a kill, and the next run goes
on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from sqlalchemy import text

from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.departure import Departure, Done, locked
from tinko_pipelines.core.archival.exclusive import Exclusive, exclusive
from tinko_pipelines.core.archival.model import ON_ITS_WAY, ArchiveState, Target
from tinko_pipelines.core.archival.plan import Action, Step
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables import PARTITIONED

log = logging.getLogger(__name__)


def run(archivist: Archivist, only: Collection[Target] | None = None) -> list[Done]:
    """Archive every month that the plan lets go, or those of `only` that it does.

    A month that fails is left for the next run and named in its `Done`; the others go on.
    Raises ArchiveBusy where another run is under way.
    """
    with exclusive(archivist.owner) as lock:
        archivist.point("locked")
        end_pending(archivist)
        return [_carry_out(archivist, one, lock) for one in archivist.plan(only)]


def end_pending(archivist: Archivist) -> list[str]:
    """End what a kill left half detached, and bring back every month that stands apart without a
    verified manifest; returns the names of what came back."""
    owner = archivist.owner
    for name in partitions.finalize_pending(owner, lock_timeout=archivist.lock_timeout):
        log.warning("the detach of %s was pending and is ended", name)
    with unit_of_work(owner) as connection:
        known = records.read(connection)
        apart = [
            Target(relation, month)
            for relation in PARTITIONED
            for month in partitions.apart(connection, relation)
        ]
    strays = [one for one in apart if one not in known or known[one].state not in ON_ITS_WAY]
    for one in strays:
        log.warning("%s stood apart and was not verified: it is attached again", one)
        with unit_of_work(owner) as connection:
            partitions.attach(connection, one.relation, one.month)
    return [one.partition for one in strays]


def _carry_out(archivist: Archivist, step: Step, lock: Exclusive) -> Done:
    if step.action is Action.HOLD:
        return Done(step)
    lock.require()
    try:
        if step.action is Action.DISCARD:
            return _discard(archivist, step, lock)
        return Departure(archivist, step, lock).archive()
    except Exception as error:  # named, logged and left as it stands: the next month goes on
        log.exception("%s is left for the next run", step.target)
        return Done(step, error=f"{type(error).__name__}: {error}")


def _discard(archivist: Archivist, step: Step, lock: Exclusive) -> Done:
    """Drop without an archive, where no bucket is set and the setting says so. A kill in between
    leaves the month apart, and the next run attaches it again."""
    target = step.target
    lock.require()
    partitions.detach(
        archivist.owner, target.relation, target.month, lock_timeout=archivist.lock_timeout
    )
    with locked(archivist.owner, target) as connection:
        rows = connection.scalar(text(f"select count(*) from {target.partition}")) or 0
        connection.execute(text(f"drop table {target.partition}"))
        wall = archivist.wall.now()
        records.discarded(connection, target, rows, archivist.hand, wall)
    return Done(step, ArchiveState.DISCARDED, None, rows, 0)

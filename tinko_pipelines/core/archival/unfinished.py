"""Months that a broken-off run has left on their way: some of them out of the ledger."""

from __future__ import annotations

from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.exclusive import exclusive
from tinko_pipelines.core.archival.model import ON_ITS_WAY, ArchiveState, Target
from tinko_pipelines.core.archival.plan import Action
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables import PARTITIONED

_BEGUN = {ArchiveState.EXPORTING, *ON_ITS_WAY}


def unfinished(archivist: Archivist) -> list[Target]:
    """What a run would go on with now, oldest first; months that something holds here are left
    out, unless they stand apart: a run attaches those again.

    Raises ArchiveBusy where another archival or restore is under way. Writes nothing.
    """
    with exclusive(archivist.owner), unit_of_work(archivist.owner) as connection:
        begun = {target for target, one in records.read(connection).items() if one.state in _BEGUN}
        apart = {
            Target(relation, month)
            for relation in PARTITIONED
            for month in partitions.apart(connection, relation)
        }
    steps = archivist.plan(begun) if begun else []
    going = {one.target for one in steps if one.action is not Action.HOLD}
    return sorted(apart | going, key=lambda one: (one.month, one.relation))

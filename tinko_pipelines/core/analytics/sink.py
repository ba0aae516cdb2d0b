"""The sink: what changed in the ledger goes to ClickHouse and to the lake, in batches, once.

Each target has watermarks of its own, so that none waits for another. A watermark moves only after
its target accepted a batch; a batch that is sent again carries the same token, and rows that arrive
twice are one row by their row_version. What waits decides the size of a batch: a few rows from hour
to hour, full ones when everything is carried again. No Postgres transaction is open while a target
is spoken to.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy import Engine

from tinko_pipelines.core.analytics.changes import Ledger
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, WatermarkAhead
from tinko_pipelines.core.analytics.relations import RELATIONS, Relation
from tinko_pipelines.core.analytics.targets import ClickHouse, Target, opened, wanted
from tinko_pipelines.core.analytics.watermark import advance, rewind, window
from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.recovery.points import Point, no_point
from tinko_pipelines.core.settings import Settings

# a page of the widest relation is some 40 MB; two are in memory at once
BATCH_ROWS = 100_000
# where a test may kill the process: before, while and after a target takes a batch, and between
LABELS = ("read", "sending", "accepted", "advanced", "reporting", "reported")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carried:
    """What one run carried of a relation. `position`: all transactions below it are carried."""

    rows: int
    batches: int
    position: int


def enabled(settings: Settings | None = None) -> bool:
    """Whether ANALYTICS_SINK_TYPE asks for ClickHouse, which the marts stand on.

    Raises SettingsError where it asks for what the settings do not name.
    """
    return ClickHouse.name in wanted(settings)


def run_wanted(
    engine: Engine, clock: Clock, settings: Settings | None = None, *, again: bool = False
) -> dict[str, dict[str, int]]:
    """Carry every relation to every target that the settings ask for; rows by target and relation.

    A target that is away does not keep the others waiting. `again` begins at the first row: what
    is still there is replaced by itself. Raises SettingsError, and at the end AnalyticsUnavailable
    that says of each target why it was not carried to (nothing is lost: run again).
    """
    carried, away = {}, []
    for name in wanted(settings):
        if again:
            rewind(engine, name)
        try:
            with opened(name, settings) as target:
                carried[name] = run(engine, target, clock)
        except (AnalyticsUnavailable, WatermarkAhead) as error:
            log.warning("%s is left for the next run: %s", name, error.detail)
            away.append(error.detail)
    if away:
        raise AnalyticsUnavailable("; ".join(away))
    return carried


def run(engine: Engine, target: Target, clock: Clock) -> dict[str, int]:
    """Carry every relation to `target`; the rows carried, by relation.

    Raises AnalyticsUnavailable (nothing is lost: run again), WatermarkAhead.
    """
    return {relation.name: carried.rows for relation, carried in each(engine, target, clock)}


def carry(
    engine: Engine,
    target: Target,
    relation: Relation,
    clock: Clock,
    batch_rows: int = BATCH_ROWS,
) -> Carried:
    """Carry one relation. Raises as `run`."""
    ((_, carried),) = each(engine, target, clock, [relation], batch_rows)
    return carried


def each(
    engine: Engine,
    target: Target,
    clock: Clock,
    relations: Iterable[Relation] = RELATIONS,
    batch_rows: int = BATCH_ROWS,
    point: Point = no_point,
) -> Iterator[tuple[Relation, Carried]]:
    """Carry one relation after the other, `batch_rows` at a time; each as soon as it is carried.

    A run that is cut off goes on after its last accepted batch. Raises as `run`.
    """
    with Ledger.of(engine) as ledger:
        for relation in relations:
            yield relation, _carry(engine, ledger, target, relation, clock, batch_rows, point)


def _carry(
    engine: Engine,
    ledger: Ledger,
    target: Target,
    relation: Relation,
    clock: Clock,
    batch_rows: int,
    point: Point,
) -> Carried:
    """What changed or left `relation` since the target's watermark."""
    low, high = window(engine, target.name, relation)
    rows = batches = 0
    for page in ledger.ahead(relation, low, high, batch_rows):
        point("read")
        # tombstones first: a row that came back in the same transaction stays
        tables = [one for one in (*page.gone, page.rows) if len(one)]
        for table in tables:
            point("sending")
            target.accept(relation, table, token(relation, table))
            point("accepted")
        brought = sum(map(len, tables))
        advance(engine, target.name, relation, page.below, brought, clock.now())
        point("advanced")
        rows, batches = rows + brought, batches + len(tables)
    if not batches:
        # transaction ids that no commit has flushed are given out again after a crash of Postgres:
        # of those below `high` none is, once a commit has followed it
        advance(engine, target.name, relation, high, 0, clock.now())
    point("reporting")
    target.report(relation, high, rows)
    point("reported")
    return Carried(rows, batches, high)


def token(relation: Relation, table: pa.Table) -> str:
    """The name of a batch: the same rows in the same versions always have the same one."""
    keys = table[relation.key].combine_chunks()
    _, offsets, letters = keys.buffers()
    ends = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys) + 1]
    digest = hashlib.sha256(f"{relation.name}:{','.join(table.column_names)}:".encode())
    digest.update(np.diff(ends).data)
    digest.update(memoryview(letters)[ends[0] : ends[-1]])
    digest.update(table["row_version"].to_numpy())
    return digest.hexdigest()

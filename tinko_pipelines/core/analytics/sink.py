"""The sink: what changed in the ledger goes to ClickHouse, in bounded batches, once.

No Postgres transaction is open while ClickHouse is spoken to. The watermark moves only after
ClickHouse accepted a batch; a batch that is sent again carries the same deduplication token, and
rows that arrive twice replace themselves (ReplacingMergeTree by row_version).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.analytics.relations import RELATIONS, Relation
from tinko_pipelines.core.analytics.watermark import advance, window
from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings, get_settings

BATCH_ROWS = 20_000
_LOWEST_KEY = "00000000-0000-0000-0000-000000000000"
# what a value of ANALYTICS_SINK_TYPE means; S3 is refused rather than silently left out
_ENABLED = {"clickhouse": True, "none": False}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carried:
    """What one run carried of a relation. `position`: all transactions below it are carried."""

    rows: int
    batches: int
    position: int


def enabled(settings: Settings | None = None) -> bool:
    """Whether ANALYTICS_SINK_TYPE asks for this sink. To be called at start-up.

    Raises SettingsError for `s3` and `both`, which this version cannot do.
    """
    kind = (settings or get_settings()).analytics_sink_type
    try:
        return _ENABLED[kind]
    except KeyError:
        raise SettingsError(
            f"ANALYTICS_SINK_TYPE: {kind} is not supported yet; set it to {' or '.join(_ENABLED)}"
        ) from None


def run(
    engine: Engine, client: Client, clock: Clock, settings: Settings | None = None
) -> dict[str, int]:
    """Carry every relation; the rows carried, by relation. Empty where the sink is set to none.

    Raises SettingsError, AnalyticsUnavailable (nothing is lost: run again), WatermarkAhead.
    """
    if not enabled(settings):
        log.info("ANALYTICS_SINK_TYPE is none: nothing is carried to ClickHouse")
        return {}
    return {relation.name: carry(engine, client, relation, clock).rows for relation in RELATIONS}


def carry(
    engine: Engine,
    client: Client,
    relation: Relation,
    clock: Clock,
    batch_rows: int = BATCH_ROWS,
) -> Carried:
    """Carry what changed or left one relation since its watermark, `batch_rows` at a time.

    A run that is cut off goes on at the transaction of its last accepted batch.
    """
    low, high = window(engine, relation)
    rows = batches = 0
    # before anything moves the watermark past them
    for table in _batches(engine, relation.deletions(), low, high, batch_rows):
        _insert(client, relation, table)
        rows, batches = rows + len(table), batches + 1
    for table in _batches(engine, relation, low, high, batch_rows):
        _insert(client, relation, table)
        rows, batches = rows + len(table), batches + 1
        # the last transaction of a batch may go on in the next one: it is not done yet
        last = table["row_version"][-1].as_py()
        advance(engine, relation, last, len(table), clock.now())
    if high > low:
        advance(engine, relation, high, 0, clock.now())
    _report(client, relation, high, rows)
    return Carried(rows, batches, high)


def _batches(
    engine: Engine, relation: Relation, low: int, high: int, size: int
) -> Iterator[pa.Table]:
    """Pages by (row_version, key), each read in a transaction of its own.

    A row that changes between two pages leaves the range; the next run finds it past `high`.
    """
    after_version, after_key = low, _LOWEST_KEY
    while True:
        with unit_of_work(engine) as connection:
            found = connection.execute(
                query("analytics", relation.query),
                {
                    "relation": relation.name,
                    "low": low,
                    "high": high,
                    "after_version": after_version,
                    "after_key": after_key,
                    "size": size,
                },
            ).fetchall()
        if not found:
            return
        table = relation.table(found)
        yield table
        if len(found) < size:
            return
        after_version = table["row_version"][-1].as_py()
        after_key = table[relation.key][-1].as_py()


def _insert(client: Client, relation: Relation, table: pa.Table) -> None:
    with reaching_clickhouse(f"carrying {len(table)} rows of {relation.name}"):
        client.insert_arrow(
            relation.name,
            table,
            database=DATABASE,
            settings={"insert_deduplication_token": token(relation, table)},
        )


def token(relation: Relation, table: pa.Table) -> str:
    """The name of a batch: the same rows in the same versions always have the same one."""
    digest = hashlib.sha256(f"{relation.name}:{','.join(table.column_names)}".encode())
    for key, version in zip(
        table[relation.key].to_pylist(), table["row_version"].to_pylist(), strict=True
    ):
        digest.update(f"{key}:{version};".encode())
    return digest.hexdigest()


def _report(client: Client, relation: Relation, position: int, rows: int) -> None:
    """Tell ClickHouse how far it has come, for source freshness and for the mart's position."""
    with reaching_clickhouse(f"reporting the position of {relation.name}"):
        client.insert(
            "sink_positions",
            [[relation.name, position, rows, WallClock().now()]],
            column_names=["relation", "position", "row_count", "carried_at"],
            database=DATABASE,
        )

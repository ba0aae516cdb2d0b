"""How far the sink has come: one row of `sink_watermarks` per target and relation.

A position is a Postgres transaction id. The sink reads rows whose stored transaction lies in
[position, floor), the floor being the lowest transaction that may still be running: ids are given
out at a transaction's first write and committed in any order, so a row below the floor is final
and no row can turn up below it later (DESIGN.md section 6).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Engine

from tinko_pipelines.core.analytics.errors import WatermarkAhead
from tinko_pipelines.core.analytics.relations import RELATIONS, Relation
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query


def window(engine: Engine, sink: str, relation: Relation) -> tuple[int, int]:
    """The half-open range of transaction ids that is to be carried now.

    Raises WatermarkAhead where the position lies past the database's own transactions, as after
    a restore into a new cluster: the rows there carry lower ids and would never be read.
    """
    with unit_of_work(engine) as connection:
        high = int(connection.execute(query("analytics", "snapshot_floor")).scalar_one())
        low = connection.execute(
            query("analytics", "watermark"), {"sink": sink, "relation": relation.name}
        ).scalar_one_or_none()
    position = int(low or 0)
    if position > high:
        raise WatermarkAhead(
            f"{relation.name}: the watermark {position} of {sink} is past the database's"
            f" transaction {high}; was it restored into a new cluster? Empty tinko.* in ClickHouse"
            " and lake/ in the bucket, then `tinko sink run --again`"
        )
    return position, high


def advance(
    engine: Engine, sink: str, relation: Relation, position: int, carried: int, at: datetime
) -> None:
    """Remember that all below `position` is carried. It never goes back; `at` is business time."""
    with unit_of_work(engine) as connection:
        connection.execute(
            query("analytics", "advance_watermark"),
            {
                "sink": sink,
                "relation": relation.name,
                "position": position,
                "carried": carried,
                "at": at,
            },
        )


def waiting(engine: Engine, sinks: Iterable[str] = ("clickhouse",)) -> bool:
    """Whether the ledger has changed since it was last carried to each of `sinks`."""
    with unit_of_work(engine) as connection:
        return any(
            connection.execute(query("analytics", "waiting"), {"sink": sink}).scalar_one()
            for sink in sinks
        )


def rewind(engine: Engine, sink: str, relations: Iterable[Relation] = RELATIONS) -> None:
    """Let the next run carry everything again, as after a target has lost its data.

    Rows that are still there are replaced by themselves.
    """
    with unit_of_work(engine) as connection:
        for relation in relations:
            connection.execute(
                query("analytics", "rewind_watermark"), {"sink": sink, "relation": relation.name}
            )

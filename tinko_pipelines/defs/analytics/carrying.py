"""The sink's assets: each relation of the ledger as ClickHouse has it."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.relations import RELATIONS, Relation
from tinko_pipelines.core.quality.suite import LEDGER
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "analytics"
PREFIX = "clickhouse"
POSITIONS = dg.AssetKey([PREFIX, "sink_positions"])
# the assets that write each relation
WRITERS: Mapping[str, Sequence[str]] = {
    "obligations": ["events", "attempt_outcomes"],
    "attempts": ["events", "decisions", "attempts", "attempt_outcomes"],
    "failures": ["failures"],
    "cases": ["cases", "decisions", "attempt_outcomes"],
    "decisions": ["decisions"],
    "outbox": ["decisions", "payer_messages"],
    "notification_deliveries": ["payer_messages"],
    "settlement_lines": ["stripe_settlement_lines", "razorpay_settlement_lines"],
    "payouts": ["stripe_payouts", "razorpay_payouts"],
    # written by people and their tools
    "policy_versions": [],
    "rule_versions": [],
    "organisations": [],
    "connections": [],
}


def key(relation: Relation) -> dg.AssetKey:
    """The asset of a relation's copy."""
    return dg.AssetKey([PREFIX, relation.name])


def _columns(relation: Relation) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                str(field.type),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in relation.schema
        ]
    )


def _spec(relation: Relation) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(relation),
        # rows that fail their suites are set aside before anything is carried
        deps=[*WRITERS[relation.name], *(["checked_ledger"] if relation.name in LEDGER else [])],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"clickhouse", "python"},
        description=f"`tinko.{relation.name}`: {relation.name} of Postgres, the newest of each"
        " row, carried incrementally and once.",
        metadata={"dagster/column_schema": _columns(relation)},
        skippable=True,
    )


def _positions() -> dg.AssetSpec:
    # not at module level: the loader of defs would take the spec for another asset
    return dg.AssetSpec(
        POSITIONS,
        deps=[key(relation) for relation in RELATIONS],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"clickhouse", "python"},
        description="`tinko.sink_positions`: how far each relation was carried, for freshness.",
        skippable=True,
    )


@dg.multi_asset(
    name="carry_to_clickhouse",
    specs=[*(_spec(relation) for relation in RELATIONS), _positions()],
    can_subset=True,
    pool="clickhouse",
)
def carry_to_clickhouse(
    context: dg.AssetExecutionContext, platform: Platform, clickhouse: ClickHouseResource
) -> Iterator[dg.MaterializeResult]:
    """Carry what changed since each relation's watermark; nothing where the sink is set to none."""
    if not sink.enabled(platform.settings):
        context.log.info("ANALYTICS_SINK_TYPE is none: nothing is carried")
        return
    chosen = context.selected_asset_keys
    with clickhouse.client() as client:
        for relation in RELATIONS:
            if key(relation) in chosen:
                carried = sink.carry(platform.engine, client, relation, platform.clock)
                yield dg.MaterializeResult(
                    asset_key=key(relation),
                    metadata={
                        "dagster/row_count": carried.rows,
                        "batches": carried.batches,
                        "watermark": carried.position,
                    },
                )
    if POSITIONS in chosen:
        yield dg.MaterializeResult(asset_key=POSITIONS)

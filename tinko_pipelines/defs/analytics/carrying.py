"""The sink's assets: each relation of the ledger as ClickHouse has it, and as the lake has it."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from tinko_pipelines.core.analytics import sink, watermark
from tinko_pipelines.core.analytics.relations import RELATIONS, Relation
from tinko_pipelines.core.analytics.targets import ClickHouse, Lake, Target, wanted
from tinko_pipelines.core.quality.suite import LEDGER
from tinko_pipelines.defs.analytics.resources import ClickHouseResource, LakeResource
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "analytics"
PREFIX, LAKE = "clickhouse", "lake"
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


class Carrying(dg.Config):
    """`again` carries everything once more, as after a target has lost its data: no row doubles."""

    again: bool = False


def key(relation: Relation, prefix: str = PREFIX) -> dg.AssetKey:
    """The asset of a relation's copy."""
    return dg.AssetKey([prefix, relation.name])


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


def _spec(relation: Relation, prefix: str, kind: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(relation, prefix),
        # rows that fail their suites are set aside before anything is carried
        deps=[*WRITERS[relation.name], *(["checked_ledger"] if relation.name in LEDGER else [])],
        group_name=GROUP,
        owners=OWNERS,
        kinds={kind, "python"},
        description=description.format(relation.name),
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
    specs=[
        *(
            _spec(
                relation,
                PREFIX,
                "clickhouse",
                "`tinko.{0}`: {0} of Postgres, the newest of each row, carried incrementally and"
                " once.",
            )
            for relation in RELATIONS
        ),
        _positions(),
    ],
    can_subset=True,
    pool="clickhouse",
)
def carry_to_clickhouse(
    context: dg.AssetExecutionContext,
    config: Carrying,
    platform: Platform,
    clickhouse: ClickHouseResource,
) -> Iterator[dg.MaterializeResult]:
    """Carry what changed since each relation's watermark; nothing where ClickHouse is no target."""
    if not sink.enabled(platform.settings):
        context.log.info("ANALYTICS_SINK_TYPE has no ClickHouse: nothing is carried there")
        return
    with clickhouse.client() as client:
        yield from _carry(context, config, platform, ClickHouse(client), PREFIX)
    if POSITIONS in context.selected_asset_keys:
        yield dg.MaterializeResult(asset_key=POSITIONS)


@dg.multi_asset(
    name="carry_to_lake",
    specs=[
        _spec(
            relation,
            LAKE,
            "parquet",
            "`lake/table={0}/` of S3_BUCKET: every version of {0} of Postgres as Parquet,"
            " carried incrementally and once.",
        )
        for relation in RELATIONS
    ],
    can_subset=True,
    pool="lake",
)
def carry_to_lake(
    context: dg.AssetExecutionContext, config: Carrying, platform: Platform, lake: LakeResource
) -> Iterator[dg.MaterializeResult]:
    """The same to the Parquet lake, with watermarks of its own; nothing where it is no target."""
    if Lake.name not in wanted(platform.settings):
        context.log.info("ANALYTICS_SINK_TYPE has no S3: nothing is carried to the lake")
        return
    yield from _carry(context, config, platform, lake.target(), LAKE)


def _carry(
    context: dg.AssetExecutionContext,
    config: Carrying,
    platform: Platform,
    target: Target,
    prefix: str,
) -> Iterator[dg.MaterializeResult]:
    chosen = [one for one in RELATIONS if key(one, prefix) in context.selected_asset_keys]
    if config.again:
        watermark.rewind(platform.engine, target.name, chosen)
    for relation, carried in sink.each(platform.engine, target, platform.clock, chosen):
        yield dg.MaterializeResult(
            asset_key=key(relation, prefix),
            metadata={
                "dagster/row_count": carried.rows,
                "batches": carried.batches,
                "watermark": carried.position,
            },
        )

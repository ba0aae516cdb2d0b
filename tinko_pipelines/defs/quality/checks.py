"""Whether ClickHouse holds the rows of the ledger."""

import dagster as dg

from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.quality import stores
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import Platform

SHOWN = 50


def _found(platform: Platform, clickhouse: ClickHouseResource) -> list[stores.Gap] | None:
    if not sink.enabled(platform.settings):
        return None
    with clickhouse.client() as client:
        return stores.rows_of_both(platform.engine, client, platform.clock.now())


def _result(found: list[stores.Gap] | None, *, lost: bool) -> dg.AssetCheckResult:
    if found is None:
        return dg.AssetCheckResult(passed=True, metadata={"skipped": "there is no ClickHouse sink"})
    mine = [one for one in found if one.lost is lost]
    return dg.AssetCheckResult(
        passed=not mine,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "gaps": len(mine),
            "first": dg.MetadataValue.md("\n".join(f"- {one}" for one in mine[:SHOWN])),
        },
    )


@dg.asset_check(
    asset=dg.AssetKey(["clickhouse", "sink_positions"]),
    description="No row of the ledger is missing in ClickHouse, by organisation and relation.",
)
def no_row_is_lost(platform: Platform, clickhouse: ClickHouseResource) -> dg.AssetCheckResult:
    """Counts of the last 35 days; what moved since it was carried may be on either side."""
    return _result(_found(platform, clickhouse), lost=True)


@dg.asset_check(
    asset=dg.AssetKey(["clickhouse", "sink_positions"]),
    description="No row in ClickHouse is more than the ledger has, by organisation and relation.",
)
def no_row_is_doubled(platform: Platform, clickhouse: ClickHouseResource) -> dg.AssetCheckResult:
    """The other side of the same counts."""
    return _result(_found(platform, clickhouse), lost=False)


@dg.definitions
def quality_checks() -> dg.Definitions:
    return dg.Definitions(asset_checks=[no_row_is_lost, no_row_is_doubled])

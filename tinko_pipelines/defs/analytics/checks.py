"""Whether the two stores agree."""

import dagster as dg

from tinko_pipelines.core.analytics import compare, sink
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import Platform

SHOWN = 20


@dg.asset_check(
    asset="recovery_daily",
    blocking=True,
    description="Counts and money of recovery_daily are the ledger's own, per organisation, day,"
    " PSP and currency; what moved since the mart was built is left out.",
)
def mart_matches_ledger(platform: Platform, clickhouse: ClickHouseResource) -> dg.AssetCheckResult:
    """ERROR for the first difference: these numbers go to merchants."""
    if not sink.enabled(platform.settings):
        return dg.AssetCheckResult(
            passed=True,
            metadata={"skipped": "ANALYTICS_SINK_TYPE has no ClickHouse: there is no mart"},
        )
    with clickhouse.client() as client:
        found = compare.mart_vs_ledger(platform.engine, client)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "differences": len(found),
            "first": dg.MetadataValue.md("\n".join(f"- {one}" for one in found[:SHOWN])),
        },
    )

"""Whether ClickHouse holds the rows of the ledger."""

from collections.abc import Iterator, Sequence

import dagster as dg

from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.quality import stores
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import Platform

CARRIED = dg.AssetKey(["clickhouse", "sink_positions"])
LOST, DOUBLED = "no_row_is_lost", "no_row_is_doubled"
SHOWN = 50


def _specs() -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            LOST,
            asset=CARRIED,
            description="No row of the ledger's last 35 days is missing in ClickHouse.",
        ),
        dg.AssetCheckSpec(
            DOUBLED,
            asset=CARRIED,
            description="ClickHouse has no row of the last 35 days that the ledger has not.",
        ),
    ]


@dg.multi_asset_check(specs=_specs(), pool="clickhouse")
def both_stores_hold_the_same_rows(
    platform: Platform, clickhouse: ClickHouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Counts by organisation and relation; what moved since it was carried may be on either."""
    if not sink.enabled(platform.settings):
        for name in (LOST, DOUBLED):
            yield dg.AssetCheckResult(
                passed=True,
                asset_key=CARRIED,
                check_name=name,
                metadata={"skipped": "there is no ClickHouse sink"},
            )
        return
    with clickhouse.client() as client:
        found = stores.rows_of_both(platform.engine, client, platform.clock.now())
    yield _result(LOST, [one for one in found if one.lost])
    yield _result(DOUBLED, [one for one in found if not one.lost])


def _result(name: str, found: Sequence[stores.Gap]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=CARRIED,
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "gaps": len(found),
            "first": dg.MetadataValue.md("\n".join(f"- {one}" for one in found[:SHOWN])),
        },
    )


@dg.definitions
def quality_checks() -> dg.Definitions:
    return dg.Definitions(asset_checks=[both_stores_hold_the_same_rows])

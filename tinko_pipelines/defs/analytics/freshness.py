"""Whether the sources of the marts are fresh: asked by the clock, since what went stale may be that
nothing runs any more."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from tinko_pipelines.core.analytics import dbt, sink, watermark
from tinko_pipelines.core.analytics.errors import DbtFailed, Node
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.defs.analytics.carrying import POSITIONS
from tinko_pipelines.defs.platform import Platform

FRESH = dg.AssetCheckKey(POSITIONS, "sources_are_fresh")
_PASS, _WARN = "pass", "warn"


# no pool: behind a writer that hangs it would wait with the rest
@dg.asset_check(
    asset=POSITIONS,
    name=FRESH.name,
    description="Every source of dbt was carried within the hours that dbt_project/models/staging"
    " allows it: a warning first, then an error.",
)
def sources_are_fresh(platform: Platform) -> dg.AssetCheckResult:
    """dbt's own source freshness. A hurried clock carries only what moves, and is asked then."""
    if not sink.enabled(platform.settings):
        return _passed("ANALYTICS_SINK_TYPE has no ClickHouse: there is no source")
    if platform.clock.rate() != 1 and not watermark.waiting(platform.engine, [ClickHouse.name]):
        return _passed("business time is not wall time, and the ledger has not moved")
    try:
        sources: Sequence[Node] = dbt.freshness()
    except DbtFailed as error:
        sources = [one for one in error.nodes if one.kind == "source"]
        if not sources:
            raise dg.Failure(error.detail, allow_retries=False) from error
    stale = {one.name: one.status for one in sources if one.status != _PASS}
    only_late = set(stale.values()) <= {_WARN}
    return dg.AssetCheckResult(
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN if only_late else dg.AssetCheckSeverity.ERROR,
        metadata={"sources": len(sources), "stale": dg.MetadataValue.json(stale)},
    )


def _passed(why: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, metadata={"skipped": why})


freshness_job = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.checks(FRESH),
    description="Whether what the marts stand on is fresh.",
)


@dg.schedule(
    job=freshness_job, cron_schedule="47 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def freshness_hourly() -> dg.RunRequest:
    """Hourly by the wall, in between the builds."""
    return dg.RunRequest()


@dg.definitions
def freshness() -> dg.Definitions:
    return dg.Definitions(
        asset_checks=[sources_are_fresh], jobs=[freshness_job], schedules=[freshness_hourly]
    )

"""Monthly partitions three months ahead; a missing one is an alert before it is an error."""

from __future__ import annotations

import dagster as dg

from tinko_pipelines.core.db import partitions as months
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.defs.platform import OWNERS, Platform


@dg.asset(
    group_name="maintenance",
    owners=OWNERS,
    kinds={"postgres"},
    description="Monthly partitions of the large tables, made three months ahead.",
)
def partitions(platform: Platform) -> dg.MaterializeResult:
    made = months.ensure(platform.owner, platform.clock.now())
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(made), "made": dg.MetadataValue.json(made)}
    )


@dg.asset_check(asset=partitions, blocking=True)
def partitions_ahead(platform: Platform) -> dg.AssetCheckResult:
    """Error when this or the next month has no partition, warning for those after."""
    with unit_of_work(platform.engine) as connection:
        now = platform.clock.now()
        missing = months.missing(connection, now)
        urgent = months.missing(connection, now, ahead=1)
    severity = dg.AssetCheckSeverity.ERROR if urgent else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not missing, severity=severity, metadata={"missing": dg.MetadataValue.json(missing)}
    )


maintain = dg.define_asset_job(
    "maintain",
    selection=["partitions"],
    description="Partitions ahead of need.",
)


@dg.schedule(
    job=maintain, cron_schedule="5 0 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def daily_maintenance() -> dg.RunRequest:
    """Wall time is right here: partitions must stand before the wall gets there."""
    return dg.RunRequest()


@dg.definitions
def maintenance() -> dg.Definitions:
    return dg.Definitions(
        assets=[partitions],
        asset_checks=[partitions_ahead],
        jobs=[maintain],
        schedules=[daily_maintenance],
    )

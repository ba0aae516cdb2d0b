"""When the ledger is carried and the marts are built: hourly, and in a hurried clock whenever the
ledger has moved."""

import time

import dagster as dg

from tinko_pipelines.core.analytics import watermark
from tinko_pipelines.core.analytics.targets import wanted
from tinko_pipelines.defs.analytics.carrying import GROUP
from tinko_pipelines.defs.platform import Platform

# of wall time: a build costs seconds of two cores
BUCKET_SECONDS = 300

analytics = dg.define_asset_job(
    "analytics",
    selection=dg.AssetSelection.groups(GROUP),
    executor_def=dg.in_process_executor,
    description="The ledger to ClickHouse and the lake, dbt on it, and the comparison of both.",
)


@dg.schedule(
    job=analytics, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def analytics_hourly(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Hourly, while business time is wall time."""
    if not wanted(platform.settings):
        return dg.SkipReason("ANALYTICS_SINK_TYPE is none")
    if platform.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: analytics_sensor rings")
    return dg.RunRequest()


@dg.sensor(
    job=analytics, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING
)
def analytics_sensor(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """While business time is not wall time: when the ledger has moved since it was carried."""
    if not wanted(platform.settings):
        return dg.SkipReason("ANALYTICS_SINK_TYPE is none")
    if platform.clock.rate() == 1:
        return dg.SkipReason("business time is wall time: analytics_hourly rings")
    if not watermark.waiting(platform.engine, wanted(platform.settings)):
        return dg.SkipReason("the ledger has not moved")
    return dg.RunRequest(run_key=str(int(time.time() // BUCKET_SECONDS)))


@dg.definitions
def ringing() -> dg.Definitions:
    return dg.Definitions(
        jobs=[analytics], schedules=[analytics_hourly], sensors=[analytics_sensor]
    )

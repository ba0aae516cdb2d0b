"""When the ledger is carried and the marts are built: carried by the minute and built by the hour,
and in a hurried clock both whenever the ledger has moved."""

import time

import dagster as dg

from tinko_pipelines.core.analytics import watermark
from tinko_pipelines.core.analytics.targets import ClickHouse, wanted
from tinko_pipelines.core.quality.suite import LEDGER
from tinko_pipelines.defs.analytics.carrying import GROUP, carry_to_clickhouse
from tinko_pipelines.defs.analytics.freshness import FRESH
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.runs import has_run

# of wall time: a build costs seconds of two cores
BUCKET_SECONDS = 300
CARRY_SECONDS = 60
# what stops the hour's carry stops those in between
_GATES = [dg.AssetCheckKey(dg.AssetKey("checked_ledger"), f"{one}_few_refused") for one in LEDGER]

analytics = dg.define_asset_job(
    "analytics",
    # right after the carry every source is fresh
    selection=dg.AssetSelection.groups(GROUP) - dg.AssetSelection.checks(FRESH),
    description="The ledger to ClickHouse and the lake, dbt on it, and the comparison of both.",
)

# not to the lake, whose objects are never merged: a batch by the minute would be one each
carry = dg.define_asset_job(
    "carry",
    selection=dg.AssetSelection.assets(carry_to_clickhouse).without_checks(),
    description="What moved in the ledger to ClickHouse, in a small batch, and no mart.",
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


@dg.sensor(
    job=carry,
    minimum_interval_seconds=CARRY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def carry_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """While business time is wall time: what moved since the last minute, between two builds."""
    if ClickHouse.name not in wanted(platform.settings):
        return dg.SkipReason("ANALYTICS_SINK_TYPE has no ClickHouse")
    if platform.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: analytics_sensor rings")
    # the pool would make it wait, and an hour's run carries what this one would
    if any(has_run(context, job.name) for job in (carry, analytics)):
        return dg.SkipReason("a run that carries is under way")
    if not watermark.waiting(platform.engine, [ClickHouse.name]):
        return dg.SkipReason("the ledger has not moved")
    if stopped := [one.name for one in _GATES if not _open(context.instance, one)]:
        return dg.SkipReason(f"checked_ledger holds it back: {', '.join(stopped)}")
    return dg.RunRequest(run_key=f"carry:{int(time.time() // CARRY_SECONDS)}")


def _open(instance: dg.DagsterInstance, gate: dg.AssetCheckKey) -> bool:
    """Whether the check's last answer was yes, or it was never asked."""
    found = instance.get_latest_asset_check_evaluation_record(gate)
    return found is None or found.status.value == "SUCCEEDED"


@dg.definitions
def ringing() -> dg.Definitions:
    return dg.Definitions(
        jobs=[analytics, carry],
        schedules=[analytics_hourly],
        sensors=[analytics_sensor, carry_sensor],
    )

"""The daily reconciliation, rung by a schedule, or by a sensor where business time runs otherwise;
and the repairs, rung when somebody asks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.defs.ingestion.assets import daily
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.reconciliation.assets import name_of, repairs_of
from tinko_pipelines.defs.runs import has_run

RECONCILIATIONS = [name_of(psp) for psp in Psp]
REPAIRS = [repairs_of(psp) for psp in Psp]
BUCKET_SECONDS = 300

reconcile = dg.define_asset_job(
    "reconcile",
    selection=["checked_listings", *RECONCILIATIONS, "settlements", "reconciliation_report"],
    partitions_def=daily,
    description="What was listed, checked; a day's books and those of the window before it; what"
    " settled; the report.",
)
repair = dg.define_asset_job(
    "repair",
    selection=REPAIRS,
    description="Repairs of findings that somebody asked for.",
)


def _request(platform: Platform) -> dg.RunRequest:
    """Yesterday, whose listing came to its end, and the window before it."""
    day: datetime = platform.clock.now().astimezone(UTC) - timedelta(days=1)
    window = {"config": {"lookback_days": platform.settings.reconciliation_window_days}}
    return dg.RunRequest(
        run_key=f"reconcile:{day:%Y-%m-%d}",
        partition_key=f"{day:%Y-%m-%d}",
        run_config={"ops": dict.fromkeys(RECONCILIATIONS, window)},
    )


@dg.schedule(
    job=reconcile, cron_schedule="40 1 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def daily_reconciliation(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """An hour after the listing, for the day that ended and the window before it."""
    if platform.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: a sensor rings instead")
    return _request(platform)


@dg.sensor(
    job=reconcile,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def reconciliation_day_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """The same where business time runs at another rate; each business day once, or less often
    where days are shorter than a run: the next one looks back over them."""
    if platform.clock.rate() == 1:
        return dg.SkipReason("business time is wall time: the schedule rings")
    if has_run(context, reconcile.name):
        return dg.SkipReason("a reconciliation is under way")
    return _request(platform)


@dg.sensor(job=repair, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def repairs_sensor(platform: Platform) -> list[dg.RunRequest] | dg.SkipReason:
    """Repairs that wait, a run for each PSP: one whose listing is under way delays its own."""
    with unit_of_work(platform.engine) as connection:
        found = connection.execute(query("reconciliation", "oldest_repairs")).all()
    if not found:
        return dg.SkipReason("no repair is asked for")
    bucket = int(time.time() // BUCKET_SECONDS)
    return [
        dg.RunRequest(
            run_key=f"{one.oldest}:{bucket}",
            asset_selection=[dg.AssetKey(repairs_of(Psp(one.psp)))],
        )
        for one in found
    ]


@dg.definitions
def jobs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[reconcile, repair],
        schedules=[daily_reconciliation],
        sensors=[reconciliation_day_sensor, repairs_sensor],
    )

"""The daily listing, rung by a schedule, or by a sensor where business time does not run at 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from tinko_pipelines.defs.ingestion.assets import daily
from tinko_pipelines.defs.platform import Platform

LISTINGS = ["stripe_payments", "razorpay_payments"]

heal_job = dg.define_asset_job(
    "heal",
    selection=LISTINGS,
    partitions_def=daily,
    executor_def=dg.in_process_executor,
    description="List a day at the PSPs and heal what webhooks missed.",
)


def _request(day: datetime, lookback_days: int) -> dg.RunRequest:
    """One day's listing; the days before are looked at again, since states change late."""
    config = {"config": {"lookback_days": lookback_days}}
    return dg.RunRequest(
        run_key=f"heal:{day:%Y-%m-%d}",
        partition_key=f"{day:%Y-%m-%d}",
        run_config={"ops": dict.fromkeys(LISTINGS, config)},
    )


def _yesterday(platform: Platform) -> datetime:
    return platform.clock.now().astimezone(UTC) - timedelta(days=1)


@dg.schedule(
    job=heal_job, cron_schedule="20 0 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def daily_healing(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Twenty past midnight UTC, for the day that ended."""
    if platform.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: a sensor rings instead")
    return _request(_yesterday(platform), platform.settings.reconciliation_window_days)


@dg.sensor(
    job=heal_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def business_day_sensor(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """The same where business time runs at another rate; each business day once."""
    if platform.clock.rate() == 1:
        return dg.SkipReason("business time is wall time: the schedule rings")
    return _request(_yesterday(platform), platform.settings.reconciliation_window_days)


@dg.definitions
def healing() -> dg.Definitions:
    return dg.Definitions(jobs=[heal_job], schedules=[daily_healing], sensors=[business_day_sensor])

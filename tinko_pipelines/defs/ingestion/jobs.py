"""The daily listing, rung by a schedule, or by a sensor where business time does not run at 1; the
days that late data re-opened; and a look at the webhooks in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from tinko_pipelines.core.ingestion.days import DayKind
from tinko_pipelines.core.ingestion.overview import oldest_to_list
from tinko_pipelines.core.ingestion.records import KINDS as RECORDS
from tinko_pipelines.core.ingestion.settlement import KINDS as SETTLED
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.defs.ingestion.assets import daily, key
from tinko_pipelines.defs.ingestion.checks import CHECKS
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.runs import has_run

# the listings, by the names a run's config knows them by
LISTINGS = ["stripe_payments", "razorpay_payments"]
SETTLEMENTS = ["stripe_settlement", "razorpay_settlement"]
# of wall time: a day whose listing failed is tried again in the next
BUCKET_SECONDS = 3600


def _keys(kinds: Sequence[DayKind], psps: Sequence[Psp] = tuple(Psp)) -> list[dg.AssetKey]:
    return [key(psp, kind) for psp in psps for kind in kinds]


heal_job = dg.define_asset_job(
    "heal",
    selection=dg.AssetSelection.assets(*_keys([*RECORDS, *SETTLED])),
    partitions_def=daily,
    description="List a day at the PSPs: heal what webhooks missed, and keep what was paid,"
    " refunded, disputed, settled and paid out.",
)
watch_job = dg.define_asset_job(
    "watch_webhooks",
    selection=dg.AssetSelection.checks(
        *(dg.AssetCheckKey(key(psp, DayKind.PAYMENT), name) for psp in Psp for name in CHECKS)
    ),
    description="Whether webhooks still come, by what the PSPs and the inbox say now.",
)


def _request(day: datetime, lookback_days: int) -> dg.RunRequest:
    """One day's listing; the days before are looked at again, since states change late."""
    config = {"config": {"lookback_days": lookback_days}}
    return dg.RunRequest(
        run_key=f"heal:{day:%Y-%m-%d}",
        partition_key=f"{day:%Y-%m-%d}",
        run_config={"ops": dict.fromkeys([*LISTINGS, *SETTLEMENTS], config)},
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


@dg.schedule(
    job=watch_job, cron_schedule="*/15 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def webhook_watch() -> dg.RunRequest:
    """Four times an hour, by the wall: who switched a webhook off does so between two listings."""
    return dg.RunRequest()


@dg.sensor(
    job=heal_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def business_day_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """The same where business time runs at another rate; each business day once, or less often
    where days are shorter than a listing: the next one looks back over them."""
    if platform.clock.rate() == 1:
        return dg.SkipReason("business time is wall time: the schedule rings")
    if has_run(context, heal_job.name):
        return dg.SkipReason("a listing is under way")
    return _request(_yesterday(platform), platform.settings.reconciliation_window_days)


@dg.sensor(
    job=heal_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def reopened_days_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """The oldest day that late data re-opened, or whose listing was cut short, is listed again."""
    if has_run(context, heal_job.name):
        return dg.SkipReason("a listing is under way")
    first, last = daily.start.date(), _yesterday(platform).date()
    for kinds, step in ((RECORDS, "payments"), (SETTLED, "settlement")):
        found = oldest_to_list(platform.engine, kinds, first, last)
        if found is not None:
            bucket = int(time.time() // BUCKET_SECONDS)
            config = {"config": {"lookback_days": found.lookback_days}}
            return dg.RunRequest(
                run_key=f"again:{found.psp}:{step}:{found.day}:{bucket}",
                partition_key=found.day.isoformat(),
                asset_selection=_keys(kinds, [found.psp]),
                run_config={"ops": {f"{found.psp}_{step}": config}},
                tags={"tinko/reopened": "true"},
            )
    return dg.SkipReason("no day was re-opened")


@dg.definitions
def healing() -> dg.Definitions:
    return dg.Definitions(
        jobs=[heal_job, watch_job],
        schedules=[daily_healing, webhook_watch],
        sensors=[business_day_sensor, reopened_days_sensor],
    )

"""When checks run by themselves, and the job that lets held rows back."""

import uuid

import dagster as dg
from pydantic import Field

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.core.quality.quarantine import Which
from tinko_pipelines.core.quality.replaying import let_back
from tinko_pipelines.defs.platform import Platform

CHECKED = ("checked_ledger", "checked_listings")
ALWAYS = {"ops": {name: {"config": {"always": True}} for name in CHECKED}}

quality_job = dg.define_asset_job(
    "quality",
    selection=[*CHECKED, "quarantine"],
    description="Rows since the last check against their suites, whatever their number.",
)


@dg.schedule(
    job=quality_job, cron_schedule="37 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def quality_hourly() -> dg.RunRequest:
    """Hourly by the wall, also in a hurried clock: what waits is one batch."""
    return dg.RunRequest(run_config=ALWAYS)


class Entries(dg.Config):
    """Which entries: their ids, or all that one check holds (`reason`)."""

    ids: list[str] = Field(default_factory=list)
    reason: str = ""


@dg.op
def let_entries_back(config: Entries, platform: Platform) -> int:
    """Let them back the way of their source; what is refused again is held again."""
    try:
        which = Which(tuple(uuid.UUID(one) for one in config.ids), config.reason or None)
        with unit_of_work(platform.engine) as connection:
            return let_back(connection, which, platform.clock.now(), "dagster")
    except (TinkoError, ValueError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dg.job(
    description="Let rows out of the quarantine, by id or by the check that holds them.",
)
def replay_quarantine() -> None:
    let_entries_back()


@dg.definitions
def quality_jobs() -> dg.Definitions:
    return dg.Definitions(jobs=[quality_job, replay_quarantine], schedules=[quality_hourly])

"""Closed months of the large tables in S3, a partition for each month; a dry run unless told."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.plan import Action, Step, cost
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.defs.archival.resources import ArchiveResource
from tinko_pipelines.defs.platform import OWNERS
from tinko_pipelines.defs.runs import has_run

GROUP = "archival"
# before any merchant's first event here
monthly = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_offset=0)
# of wall time: a large month takes hours, and the instance ends other runs after one (dagster.yaml)
MOST_SECONDS = 24 * 3600
# a month that cannot be ended is tried again in the next
BUCKET_SECONDS = 3600
# the assets whose rows the archive takes
_UPSTREAM = {
    "inbox_events": "inbox_events",
    "attempts": "attempt_outcomes",
    "notification_deliveries": "payer_messages",
}


class Archiving(dg.Config):
    """A dry run says exactly what would happen and does nothing."""

    dry_run: bool = True


def name_of(relation: str) -> str:
    return f"archive_{relation}"


def _months(relation: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=name_of(relation),
        partitions_def=monthly,
        deps=[_UPSTREAM[relation]],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres", "s3", "parquet"},
        pool="archival",
        output_required=False,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        description=f"Months of {relation} as Parquet in S3, verified by checksums, then dropped"
        " from Postgres. Held back while anything in them is open. A dry run unless `dry_run` is"
        " switched off.",
    )
    def archived(
        context: dg.AssetExecutionContext, config: Archiving, archive: ArchiveResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from tinko_pipelines.core.archival.analysts import offer_quietly  # noqa: PLC0415
        from tinko_pipelines.core.archival.run import run  # noqa: PLC0415

        work = archive.archivist()
        targets = {Target.parse(relation, key[:7]) for key in context.partition_keys}
        if config.dry_run:
            seen = describe(work.plan(targets), dry_run=True) | _plotted(work, relation)
            context.log_event(dg.AssetObservation(context.asset_key, metadata=seen))
            context.log.info("a dry run: nothing was done")
            return
        done = run(work, targets)
        failed = [f"{one.step.target}: {one.error}" for one in done if one.error]
        for one in done:
            if one.state is None:
                context.log.info("%s stays: %s", one.step.target, "; ".join(one.step.reasons))
        gone = [one for one in done if one.state is not None]
        if gone and (why := offer_quietly(work)):
            context.log.warning("analysts do not see it yet: %s", why)
        if gone:
            yield dg.MaterializeResult(
                metadata=describe([one.step for one in gone], dry_run=False)
                | _plotted(work, relation)
                | {
                    "dagster/row_count": sum(one.rows for one in gone),
                    "archive_bytes": sum(one.archive_bytes for one in gone),
                }
            )
        if failed:
            raise dg.Failure("; ".join(failed), allow_retries=False)

    return archived


def describe(steps: Sequence[Step], *, dry_run: bool) -> dict[str, Any]:
    """A plan as metadata: a table of its months, and what leaves in sum."""
    lines = ["| month | what | rows | bytes here | bytes in S3 | USD a month | held by |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {one.target.month} | {one.action} | {one.rows} | {one.bytes} | {one.archive_bytes}"
        f" | {one.usd_per_month} | {'; '.join(one.reasons)} |"
        for one in steps
    ]
    leaving = [one for one in steps if one.action is not Action.HOLD]
    stored = sum(one.archive_bytes for one in leaving)
    return {
        "dry_run": dry_run,
        "plan": dg.MetadataValue.md("\n".join(lines)),
        "months_leaving": len(leaving),
        "rows_leaving": sum(one.rows for one in leaving),
        "bytes_leaving": sum(one.bytes for one in leaving),
        "usd_per_month": float(cost(stored)),
        "months_held": len(steps) - len(leaving),
    }


def _plotted(work: Any, relation: str) -> dict[str, Any]:
    from tinko_pipelines.core.archival.months import months_of, plot  # noqa: PLC0415 (Arrow)

    with unit_of_work(work.worker) as connection:
        return {"months": dg.MetadataValue.md(plot(months_of(connection, relation)))}


def _check(relation: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=name_of(relation), name=f"{relation}_archive_is_whole")
    def whole(archive: ArchiveResource) -> dg.AssetCheckResult:
        """Error when a dropped month's manifest or an object of it is not in S3 as verified."""
        from tinko_pipelines.core.archival.audit import wrong_months  # noqa: PLC0415

        wrong, months = wrong_months(archive.archivist(), relation)
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"months": months, "wrong": dg.MetadataValue.json(wrong)},
        )

    return whole


ASSETS = [name_of(relation) for relation in PARTITIONED]

archive_job = dg.define_asset_job(
    "archive",
    selection=ASSETS,
    partitions_def=monthly,
    tags={"dagster/max_runtime": str(MOST_SECONDS)},
    description="A closed month of the large tables to S3; held back while anything is open.",
)


@dg.schedule(
    job=archive_job, cron_schedule="40 3 5 * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def monthly_archival(
    context: dg.ScheduleEvaluationContext, archive: ArchiveResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """On the fifth, for every month that the plan lets go: this one is no dry run."""
    work = archive.archivist()
    if work.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: `tinko archive run` does it")
    months = sorted({str(one.target.month) for one in work.plan() if one.action is not Action.HOLD})
    if not months:
        return dg.SkipReason("no month is to leave")
    at = context.scheduled_execution_time
    return [_request(f"archive:{at:%Y-%m}:{month}", month) for month in months]


@dg.sensor(
    job=archive_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def unfinished_archival_sensor(
    context: dg.SensorEvaluationContext, archive: ArchiveResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Months that a run has left half way, perhaps out of the ledger: they do not wait for the
    fifth. Each once an hour, while it cannot be ended."""
    from tinko_pipelines.core.archival.model import ArchiveBusy  # noqa: PLC0415 (Arrow)
    from tinko_pipelines.core.archival.unfinished import unfinished  # noqa: PLC0415

    if has_run(context, archive_job.name):
        return dg.SkipReason("an archival is under way")
    work = archive.archivist()
    if work.clock.rate() != 1:
        return dg.SkipReason("business time is not wall time: `tinko archive run` does it")
    try:
        months = sorted({str(one.month) for one in unfinished(work)})
    except ArchiveBusy:
        return dg.SkipReason("an archival or a restore is under way by hand")
    if not months:
        return dg.SkipReason("no month is half way")
    bucket = int(time.time() // BUCKET_SECONDS)
    return [_request(f"resume:{month}:{bucket}", month) for month in months]


def _request(run_key: str, month: str) -> dg.RunRequest:
    """A month's run, and no dry one."""
    return dg.RunRequest(
        run_key=run_key,
        partition_key=f"{month}-01",
        run_config={"ops": {name: {"config": {"dry_run": False}} for name in ASSETS}},
    )


@dg.definitions
def archival() -> dg.Definitions:
    return dg.Definitions(
        assets=[_months(relation) for relation in PARTITIONED],
        asset_checks=[_check(relation) for relation in PARTITIONED],
        jobs=[archive_job],
        schedules=[monthly_archival],
        sensors=[unfinished_archival_sensor],
    )

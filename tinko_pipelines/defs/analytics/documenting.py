"""dbt's pages about the marts, made when their definitions change, and weekly for what is built."""

from datetime import UTC, datetime

import dagster as dg

from tinko_pipelines.core.analytics import dbt, sink
from tinko_pipelines.core.analytics.documents import PREFIXES, Made, address, due
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.archival.resources import store_of
from tinko_pipelines.defs.platform import OWNERS, Platform

PAGE, MART = dg.AssetKey("dbt_docs"), dg.AssetKey("recovery_daily")


@dg.asset(
    deps=[MART],
    group_name="documentation",
    owners=OWNERS,
    kinds={"dbt", "html"},
    pool="clickhouse",
    description="dbt's pages on every model, column and test, with their lineage, in one file.",
)
def dbt_docs(platform: Platform, clickhouse: ClickHouseResource) -> dg.MaterializeResult:
    """Left in dbt's target folder, and in the bucket where one is set; the API shows it."""
    if not sink.enabled(platform.settings):
        return dg.MaterializeResult(metadata={"skipped": "ANALYTICS_SINK_TYPE has no ClickHouse"})
    definitions = dbt.definitions()
    page = clickhouse.document()
    store = store_of(platform.settings)
    if store is not None:
        store.put(f"{PREFIXES['dbt']}/index.html", page.read_bytes(), "text/html")
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.url(address(platform.settings, "dbt/index.html")),
            "file": dg.MetadataValue.path(page),
            "bytes": page.stat().st_size,
            "definitions": definitions,
        }
    )


documentation = dg.define_asset_job(
    "documentation",
    selection=[PAGE],
    description="dbt's pages about the marts as they are defined and built now.",
)


@dg.schedule(
    job=documentation, cron_schedule="17 4 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def documentation_daily(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """A look a day, by the wall: definitions change with a deployment."""
    if not sink.enabled(platform.settings):
        return dg.SkipReason("ANALYTICS_SINK_TYPE has no ClickHouse")
    if context.instance.get_latest_materialization_event(MART) is None:
        return dg.SkipReason("the marts were never built")
    if not due(_last(context.instance), dbt.definitions(), datetime.now(UTC)):
        return dg.SkipReason("the pages show the definitions, and are not a week old")
    return dg.RunRequest()


def _last(instance: dg.DagsterInstance) -> Made | None:
    event = instance.get_latest_materialization_event(PAGE)
    made = event.asset_materialization if event else None
    if event is None or made is None or "definitions" not in made.metadata:
        return None
    return Made(
        datetime.fromtimestamp(event.timestamp, UTC), str(made.metadata["definitions"].value)
    )


@dg.definitions
def documenting() -> dg.Definitions:
    return dg.Definitions(assets=[dbt_docs], jobs=[documentation], schedules=[documentation_daily])

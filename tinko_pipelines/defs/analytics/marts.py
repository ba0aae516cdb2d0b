"""dbt's models as assets and its tests as their checks, built in this process."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from tinko_pipelines.core.analytics import dbt, sink
from tinko_pipelines.core.analytics.errors import DbtFailed, Node
from tinko_pipelines.core.analytics.standing import Standing, plot, standing
from tinko_pipelines.defs.analytics.carrying import GROUP, PREFIX
from tinko_pipelines.defs.analytics.manifest_only import DagsterDbtTranslator, dbt_assets
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import OWNERS, Platform


class Translator(DagsterDbtTranslator):
    """Sources are the sink's assets, so that lineage goes on from the ledger to the marts."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([PREFIX, dbt_resource_props["name"]])
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        return OWNERS


@dbt_assets(
    name="dbt_models",
    manifest=dbt.ensure_manifest(),
    dagster_dbt_translator=Translator(),
    pool="clickhouse",
)
def dbt_models(
    context: dg.AssetExecutionContext, platform: Platform, clickhouse: ClickHouseResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Build the selected models and run their tests."""
    if not sink.enabled(platform.settings):
        context.log.info("ANALYTICS_SINK_TYPE has no ClickHouse: there is nothing to build on")
        return
    chosen = {asset.path[-1]: asset for asset in context.selected_asset_keys}
    checks = {check.name: check for check in context.selected_asset_check_keys}
    failure: DbtFailed | None = None
    try:
        nodes: Sequence[Node] = clickhouse.build(" ".join(sorted(chosen)))
    except DbtFailed as error:
        failure, nodes = error, error.nodes
    built = [
        node
        for node in nodes
        if node.kind == "model" and node.status == "success" and node.name in chosen
    ]
    stand: Mapping[str, Standing] = {}
    if built:
        with clickhouse.client() as client:
            stand = standing(client, [node.name for node in built])
    for node in built:
        yield dg.MaterializeResult(
            asset_key=chosen[node.name],
            metadata={"seconds": node.seconds, **_told(stand.get(node.name))},
        )
    # a test that dbt skipped, for what failed before it, says nothing
    ran = [node for node in nodes if node.name in checks and node.status != "skipped"]
    yield from (_result(node, checks[node.name]) for node in ran)
    # failed tests are told by their checks; a model that was not built stops the run
    if failure and (not nodes or any(node.failed and node.kind == "model" for node in nodes)):
        raise dg.Failure(failure.detail, allow_retries=False)


def _told(stand: Standing | None) -> Mapping[str, Any]:
    """Rows, watermark and a plot; nothing for a view."""
    if stand is None:
        return {}
    return {
        "dagster/row_count": stand.rows,
        "watermark": stand.position,
        "days": dg.MetadataValue.md(plot(stand.measure, stand.days)),
    }


def _result(node: Node, check: dg.AssetCheckKey) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=node.status == "pass",
        severity=dg.AssetCheckSeverity.WARN
        if node.status == "warn"
        else dg.AssetCheckSeverity.ERROR,
        metadata={"status": node.status, "message": node.message},
    )

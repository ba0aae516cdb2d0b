"""Whether the two stores agree on what the marts say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from tinko_pipelines.core.analytics import compare, sink
from tinko_pipelines.defs.analytics.resources import ClickHouseResource
from tinko_pipelines.defs.platform import Platform

SHOWN = 20
# each mart's check, and what it holds against Postgres
CHECKS: Mapping[str, tuple[str, str]] = {
    "recovery_daily": ("mart_matches_ledger", "Counts and money of recovery_daily"),
    "at_risk": ("at_risk_matches_ledger", "Debts and money at risk"),
    "settlement_daily": ("settlement_daily_matches_lines", "Money of settlement_daily"),
    "payouts_daily": ("payouts_daily_matches_payouts", "Counts and money of payouts_daily"),
}


def _spec(model: str) -> dg.AssetCheckSpec:
    name, what = CHECKS[model]
    return dg.AssetCheckSpec(
        name,
        asset=model,
        blocking=True,
        description=f"{what} are Postgres's own, per organisation, day, PSP and currency; what"
        " moved since the mart was built is left out.",
    )


@dg.multi_asset_check(specs=[_spec(model) for model in compare.HELD], can_subset=True)
def marts_match_ledger(
    context: dg.AssetCheckExecutionContext, platform: Platform, clickhouse: ClickHouseResource
) -> Iterator[dg.AssetCheckResult]:
    """ERROR for the first difference: these numbers go to merchants."""
    chosen = [key.asset_key.path[-1] for key in context.selected_asset_check_keys]
    if not sink.enabled(platform.settings):
        for model in chosen:
            yield _result(
                model, [], {"skipped": "ANALYTICS_SINK_TYPE has no ClickHouse: there is no mart"}
            )
        return
    with clickhouse.client() as client:
        found = compare.marts_vs_ledger(platform.engine, client, chosen)
    for model, differ in found.items():
        first = dg.MetadataValue.md("\n".join(f"- {one}" for one in differ[:SHOWN]))
        yield _result(model, differ, {"differences": len(differ), "first": first})


def _result(
    model: str, differ: Sequence[compare.Difference], told: Mapping[str, Any]
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not differ,
        asset_key=model,
        check_name=CHECKS[model][0],
        severity=dg.AssetCheckSeverity.ERROR,
        metadata=told,
    )

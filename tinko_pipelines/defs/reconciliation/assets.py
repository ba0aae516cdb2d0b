"""Each day's three books held against each other, and where each recovery's money is."""

import base64
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation import charting, report
from tinko_pipelines.core.reconciliation.repairs import apply_wanted
from tinko_pipelines.core.reconciliation.revisiting import days_to_revisit, note_changed_days
from tinko_pipelines.core.reconciliation.run import connections_of, reconcile_day
from tinko_pipelines.core.reconciliation.settle import settle_recoveries, settlement_counts
from tinko_pipelines.core.reconciliation.settling import EXPLAINED, SettlementState
from tinko_pipelines.defs.archival.resources import store_of
from tinko_pipelines.defs.ingestion.assets import daily, pool
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "reconciliation"
SHOWN = 50


class Window(dg.Config):
    """How many days before the partition's day are reconciled again: settlements and disputes
    come late. None takes RECONCILIATION_WINDOW_DAYS. Older days are when their books changed."""

    lookback_days: int | None = None


def name_of(psp: Psp) -> str:
    """The asset that reconciles a PSP's days."""
    return f"{psp}_reconciliation"


def _days(context: dg.AssetExecutionContext, platform: Platform, window: Window) -> list[date]:
    """The run's days and those before them, oldest first."""
    chosen = sorted(date.fromisoformat(one) for one in context.partition_keys)
    lookback = window.lookback_days
    if lookback is None:
        lookback = platform.settings.reconciliation_window_days
    first = chosen[0] - timedelta(days=lookback)
    return [first + timedelta(days=one) for one in range((chosen[-1] - first).days + 1)]


def _table(counts: Mapping[str, int], name: str) -> dg.MetadataValue:
    rows = [f"| {key} | {value} |" for key, value in sorted(counts.items())]
    return dg.MetadataValue.md("\n".join([f"| {name} | count |", "| --- | ---: |", *rows]))


def _picture(svg: str) -> str:
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![matched and in findings](data:image/svg+xml;base64,{encoded})" if svg else ""


def _reconciliation(psp: Psp) -> dg.AssetsDefinition:
    @dg.asset(
        name=name_of(psp),
        deps=[
            *(f"{psp}_{kind}" for kind in ("payments", "refunds", "disputes")),
            f"{psp}_settlement_lines",
            f"{psp}_payouts",
            # its blocking checks stand before the money
            "checked_listings",
            "events",
            "attempt_outcomes",
        ],
        partitions_def=daily,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"python", "polars", "postgres"},
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        description=f"{psp.name.title()}'s transactions, the ledger and the settlement lines of"
        " the day, held against each other: findings, and money per currency that adds up.",
    )
    def reconciliation(
        context: dg.AssetExecutionContext, config: Window, platform: Platform
    ) -> dg.MaterializeResult:
        days = _days(context, platform, config)
        kinds, changes, skipped = Counter[str](), Counter[str](), list[str]()
        note_changed_days(platform.engine, platform.clock)
        for whose in connections_of(platform.engine, psp):
            again = days_to_revisit(platform.engine, whose.connection_id, days[0])
            for day in (*again, *days):
                done = reconcile_day(platform.engine, whose, platform.clock, day)
                kinds += done.kinds
                changes += done.changes
                if done.skipped:
                    skipped.append(f"{day}: {done.skipped}")
        with unit_of_work(platform.engine) as connection:
            told = report.read(connection, days[0], days[-1], platform.clock.now(), psp)
        picture = _picture(charting.svg(told.days))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(one["ledger_count"] for one in told.days),
                "findings": kinds.total(),
                "opened": changes["opened"],
                "closed": changes["closed"],
                "in_quarantine": sum(one["rows"] for one in told.held),
                "skipped": len(skipped),
                "why_skipped": dg.MetadataValue.md(
                    "\n".join(f"- {one}" for one in skipped[:SHOWN])
                ),
                "by_kind": _table({report.label(one): n for one, n in kinds.items()}, "finding"),
                "money": dg.MetadataValue.md(f"{picture}\n\n{report.markdown(told)}"),
            }
        )

    return reconciliation


@dg.asset(
    deps=[name_of(psp) for psp in Psp] + ["cases"],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    description="Every recovery tied to the payout that carries it, or ageing with its reason;"
    " settled only when that payout is paid.",
)
def settlements(platform: Platform) -> dg.MaterializeResult:
    """Move cases between recovered and settled, as their payouts stand."""
    count = settle_recoveries(platform.engine, platform.clock)
    standing = settlement_counts(platform.engine)
    explained = sum(standing.get(one, 0) for one in EXPLAINED)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(standing.values()),
            "newly_settled": count["newly_settled"],
            "undone": count["undone"],
            "explained": explained,
            "overdue": standing.get(SettlementState.OVERDUE, 0),
            "standing": _table(standing, "money is"),
        }
    )


@dg.asset(
    deps=[name_of(psp) for psp in Psp],
    partitions_def=daily,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"html", "csv", "s3"},
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    description="The report per organisation, HTML and CSV, in S3_BUCKET under"
    " reconciliation/<organisation>/<day>: of the day, and of every day reconciled again since its"
    " report was stored.",
)
def reconciliation_report(
    context: dg.AssetExecutionContext, platform: Platform
) -> dg.MaterializeResult:
    """Skipped, saying so, where no bucket is set: the API makes the same report on demand."""
    store = store_of(platform.settings)
    if store is None:
        note = "S3_BUCKET is not set: nothing is stored. /v1/reconciliation/report makes it anew"
        context.log.info(note)
        return dg.MaterializeResult(metadata={"skipped": note})
    stored: list[str] = []
    whose = {
        one.connection_id: one.org_id for psp in Psp for one in connections_of(platform.engine, psp)
    }
    orgs = sorted({*whose.values()})
    with unit_of_work(platform.engine) as connection:
        changed = report.days_to_report(connection)
    for day in sorted({*changed, *map(date.fromisoformat, context.partition_keys)}):
        with unit_of_work(platform.engine) as connection:
            every = report.read(connection, day, day, platform.clock.now())
        for org_id in orgs:
            own = _of(every, {one for one, org in whose.items() if org == org_id})
            base = f"reconciliation/{org_id}/{own.name}"
            page = report.as_html(own, charting.svg(own.days))
            store.put(f"{base}.html", page.encode(), "text/html; charset=utf-8")
            store.put(f"{base}.csv", report.as_csv(own).encode(), "text/csv; charset=utf-8")
            stored += [f"{base}.html", f"{base}.csv"]
        with unit_of_work(platform.engine) as connection:
            report.mark_stored(connection, day, every.made_at)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(stored),
            "bucket": store.bucket,
            "stored": dg.MetadataValue.md("\n".join(f"- {one}" for one in stored[-SHOWN:])),
        }
    )


def _of(every: report.Report, connections: set[Any]) -> report.Report:
    """One organisation's part of a report."""
    return report.Report(
        every.first,
        every.last,
        [one for one in every.days if one["connection_id"] in connections],
        [one for one in every.findings if one["connection_id"] in connections],
        every.made_at,
        [one for one in every.held if one["connection_id"] in connections],
    )


def repairs_of(psp: Psp) -> str:
    """The asset that applies the repairs of a PSP's findings."""
    return f"{psp}_finding_repairs"


def _repairs(psp: Psp) -> dg.AssetsDefinition:
    @dg.asset(
        name=repairs_of(psp),
        deps=[name_of(psp)],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"python", "postgres", psp.value},
        # healing lists whole days, as the ingestion of the PSP does
        pool=pool(psp),
        description=f"Repairs of findings at {psp.name.title()} that somebody asked for: healed"
        " from the PSP's listing, or given back, each once.",
    )
    def repairs(platform: Platform) -> dg.MaterializeResult:
        """No retry policy stands around this: a repair that was cut short is looked for first."""
        made = apply_wanted(platform.engine, platform.desk(), platform.clock, WallClock(), psp)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": made.total(), "outcomes": _table(made, "outcome")}
        )

    return repairs


@dg.definitions
def reconciliation() -> dg.Definitions:
    return dg.Definitions(
        assets=[
            *(_reconciliation(psp) for psp in Psp),
            settlements,
            reconciliation_report,
            *(_repairs(psp) for psp in Psp),
        ]
    )

"""The checked frames as assets, their checks with what failed, and the quarantine to look at."""

from collections.abc import Iterator, Sequence

import dagster as dg

from tinko_pipelines.core.analytics.documents import address
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.quality.due import due
from tinko_pipelines.core.quality.model import QuarantineState
from tinko_pipelines.core.quality.quarantine import counts, held
from tinko_pipelines.core.quality.report import counts_table, entries_table, unmet_table
from tinko_pipelines.core.quality.suite import LEDGER, LISTINGS, Severity, suites
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "quality"
# what is carried is checked in the run that carries it
ANALYTICS = "analytics"
LISTED = ("payments", "refunds", "disputes", "settlement_lines", "payouts")
SEVERITIES = {
    Severity.ERROR: dg.AssetCheckSeverity.ERROR,
    Severity.WARN: dg.AssetCheckSeverity.WARN,
}


class Checking(dg.Config):
    """`always`: also where the batch would be too small to be worth its seconds."""

    always: bool = False


def _specs(asset: str, frames: Sequence[str]) -> list[dg.AssetCheckSpec]:
    """One check per property of the frames' suites, and one that stops what reads them next."""
    few = [
        dg.AssetCheckSpec(
            f"{frame}_few_refused",
            asset=asset,
            blocking=True,
            description=f"Few rows of {frame} are refused: past 20 and one in twenty the rows are"
            " not the fault, so nothing is set aside and what is loaded next waits.",
        )
        for frame in frames
    ]
    return few + [
        dg.AssetCheckSpec(ask.name, asset=asset, description=f"{ask.says}.")
        for one in suites(tuple(frames))
        for ask in one.asks
    ]


def _checked(
    name: str, group: str, frames: Sequence[str], deps: Sequence[str], description: str
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        deps=list(deps),
        group_name=group,
        owners=OWNERS,
        kinds={"python", "postgres"},
        description=description,
        check_specs=_specs(name, frames),
    )
    def checked(
        config: Checking, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        # Great Expectations is imported by whoever has a batch, and by nobody else
        from tinko_pipelines.core.quality import batch, pages  # noqa: PLC0415

        hidden = batch.hide(platform.engine)
        if not (config.always or due(platform.engine, platform.clock, tuple(frames))):
            yield dg.MaterializeResult(
                metadata={"dagster/row_count": 0, "skipped": "too few rows wait for a batch"}
            )
            yield from (_untouched(name, one.name) for one in _specs(name, frames))
            return
        done, session = batch.check(platform.engine, platform.clock, frames)
        docs = pages.publish(session, platform.settings)
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(one.rows for one in done),
                "set_aside": sum(0 if one.stopped else one.aside for one in done),
                "debts_hidden": hidden,
                "data_docs": _link(docs),
                "pages": dg.MetadataValue.url(address(platform.settings)),
            }
        )
        for one in done:
            yield dg.AssetCheckResult(
                asset_key=name,
                check_name=f"{one.frame}_few_refused",
                passed=not one.stopped,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"refused": one.aside, "rows": one.rows},
            )
            for answer in one.answers():
                yield dg.AssetCheckResult(
                    asset_key=name,
                    check_name=answer.ask.name,
                    passed=answer.passed,
                    severity=SEVERITIES[answer.ask.severity],
                    metadata={
                        "rows": answer.rows,
                        "refused": len(answer.refused),
                        "failed": dg.MetadataValue.md(unmet_table(answer)),
                        "data_docs": _link(docs),
                        **({"skipped": answer.skipped} if answer.skipped else {}),
                    },
                )

    return checked


def _untouched(asset: str, check: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check,
        passed=True,
        metadata={"skipped": "too few rows wait for a batch"},
    )


def _link(docs: str) -> dg.MetadataValue:
    return dg.MetadataValue.url(docs) if "://" in docs else dg.MetadataValue.path(docs)


@dg.asset(
    deps=["events", "checked_ledger", "checked_listings"],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    description="Rows that were set aside, with the checks that refused each: let back by the job"
    " replay_quarantine, `tinko quarantine` or /v1/quarantine.",
)
def quarantine(platform: Platform) -> dg.MaterializeResult:
    """What is held now; it changes nothing."""
    with unit_of_work(platform.engine) as connection:
        newest = held(connection, limit=50)
        by_check = counts(connection)
    waiting = [row for row in by_check if row["state"] == QuarantineState.QUARANTINED]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(row["entries"] for row in waiting),
            "by_check": dg.MetadataValue.md(counts_table(by_check)),
            "newest": dg.MetadataValue.md(entries_table(newest)),
        }
    )


@dg.definitions
def quality() -> dg.Definitions:
    return dg.Definitions(
        assets=[
            _checked(
                "checked_ledger",
                ANALYTICS,
                LEDGER,
                ["events", "failures", "cases", "decisions", "attempts", "attempt_outcomes"],
                "Rows of the ledger since the last check, held against their suites before they"
                " are carried to ClickHouse.",
            ),
            _checked(
                "checked_listings",
                GROUP,
                LISTINGS,
                [f"{psp}_{kind}" for psp in Psp for kind in LISTED],
                "What PSPs listed since the last check, held against its suites before it is"
                " reconciled.",
            ),
            quarantine,
        ]
    )

"""Whether the money adds up, and whether every recovery is accounted for."""

from datetime import UTC, timedelta

import dagster as dg

from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.revisiting import captures_left_out
from tinko_pipelines.core.reconciliation.run import days_that_differ
from tinko_pipelines.core.reconciliation.settle import settlement_counts
from tinko_pipelines.core.reconciliation.settling import EXPLAINED
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.reconciliation.assets import name_of, settlements


def _adds_up(psp: Psp) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=name_of(psp),
        name="ledger_is_matched_plus_findings",
        blocking=True,
        description="Per day and currency: what the ledger collected is what matched and what is"
        " in findings, to the minor unit; the PSP's side likewise.",
    )
    def adds_up(platform: Platform) -> dg.AssetCheckResult:
        return _told(days_that_differ(platform.engine, psp))

    return adds_up


def _is_whole(psp: Psp) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=name_of(psp),
        name="no_capture_is_left_out",
        description="Per day and currency of the last two months: what the ledger collected, added"
        " up anew from the attempts, is what the day's books have. A day that was never listed"
        " between two that were is one whose captures are in no books.",
    )
    def is_whole(platform: Platform) -> dg.AssetCheckResult:
        """Blocks nothing: what other days have settled is settled."""
        yesterday = platform.clock.now().astimezone(UTC).date() - timedelta(days=1)
        return _told(captures_left_out(platform.engine, psp, yesterday))

    return is_whole


def _told(found: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "differences": len(found),
            "first": dg.MetadataValue.md("\n".join(f"- {one}" for one in found)),
        },
    )


@dg.asset_check(
    asset=settlements,
    description="Every recovery is settled, or its reason is known; what is overdue is a warning.",
)
def recoveries_are_accounted_for(platform: Platform) -> dg.AssetCheckResult:
    """WARN: late money is the PSP's, and somebody should ask for it."""
    standing = settlement_counts(platform.engine)
    open_ones = {name: count for name, count in standing.items() if name not in EXPLAINED}
    return dg.AssetCheckResult(
        passed=not open_ones,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"unexplained": dg.MetadataValue.json(open_ones), "all": sum(standing.values())},
    )


@dg.definitions
def checks() -> dg.Definitions:
    return dg.Definitions(
        asset_checks=[
            *(make(psp) for psp in Psp for make in (_adds_up, _is_whole)),
            recoveries_are_accounted_for,
        ]
    )

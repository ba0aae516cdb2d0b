"""What the PSPs list, day by day: one listing for payments, refunds and disputes, which heals what
webhooks never told, and one for the balance's lines and the payouts they go into."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import dagster as dg

from tinko_pipelines.core.ingestion.days import DayKind
from tinko_pipelines.core.ingestion.frames import SCHEMAS
from tinko_pipelines.core.ingestion.records import KINDS as RECORDS
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import KINDS as SETTLED
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.quality.screen import screen
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.ingestion.reporting import column_schema, standing
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "ingestion"
# a merchant's own history is back-filled from the UI, as far back as the setting says
daily = dg.DailyPartitionsDefinition(start_date=get_settings().ingestion_start.isoformat())
# listed once a day: a day later is worth a look, half a day more is an alert
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
)
NAMES: Mapping[DayKind, str] = {
    DayKind.PAYMENT: "payments",
    DayKind.REFUND: "refunds",
    DayKind.DISPUTE: "disputes",
    DayKind.SETTLEMENT_LINE: "settlement_lines",
    DayKind.PAYOUT: "payouts",
}
_TABLES: Mapping[DayKind, str] = {
    **dict.fromkeys(RECORDS, "psp_records"),
    DayKind.SETTLEMENT_LINE: "settlement_lines",
    DayKind.PAYOUT: "payouts",
}
_SAYS: Mapping[DayKind, str] = {
    DayKind.PAYMENT: "What {psp} itself lists for the day; what webhooks never told goes into the"
    " inbox.",
    DayKind.REFUND: "Refunds made on the day, as {psp} lists them.",
    DayKind.DISPUTE: "Disputes opened on the day, as {psp} lists them; they end weeks later, so"
    " each listing looks at those of the last three months.",
    DayKind.SETTLEMENT_LINE: "Movements of the merchant's balance at {psp}: what was settled on the"
    " day, and what was made on it and is not paid out yet.",
    DayKind.PAYOUT: "What {psp} paid out to the merchant's bank; a paid one can still fail.",
}
Ingest = Callable[..., Counter[str]]


class Healing(dg.Config):
    """How many days before the partition's day are listed again: states change late."""

    lookback_days: int = 0


class Settling(dg.Config):
    """The same for payouts; None takes RECONCILIATION_WINDOW_DAYS."""

    lookback_days: int | None = None


def key(psp: Psp, kind: DayKind) -> dg.AssetKey:
    """The asset of what a PSP lists of a kind."""
    return dg.AssetKey(f"{psp}_{NAMES[kind]}")


def pool(psp: Psp) -> str:
    """One listing at a time per PSP (dagster.yaml): its process keeps to the PSP's own limit
    (core/psp/throttle.py), and two processes would not know of each other."""
    return f"{psp}_api"


def _specs(psp: Psp, kinds: Sequence[DayKind]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            key(psp, kind),
            partitions_def=daily,
            group_name=GROUP,
            owners=OWNERS,
            kinds={"python", psp.value},
            description=_SAYS[kind].format(psp=psp.name.title()),
            freshness_policy=FRESHNESS,
            metadata={"dagster/column_schema": column_schema(SCHEMAS[_TABLES[kind]])},
            skippable=True,
        )
        for kind in kinds
    ]


def _results(
    context: dg.AssetExecutionContext, platform: Platform, psp: Psp, kinds: Sequence[DayKind],
    ingest: Ingest, lookback_days: int,
) -> Iterator[dg.MaterializeResult]:  # fmt: skip
    """List the run's day or days at every connection of the PSP; one result per chosen asset."""
    days = sorted(date.fromisoformat(one) for one in context.partition_keys)
    seats = [one for one in platform.desk().seats.values() if one.adapter.psp is psp]
    screened = screen(platform.engine, platform.clock)
    count = Counter[str]()
    for number, day in enumerate(days):
        # the days of a range follow each other: only the first needs to look back
        lookback = 0 if number else lookback_days
        for seat in seats:
            count += ingest(platform.engine, seat, platform.clock, day, lookback, screened)
        context.log.info("%s of %s days: %s", number + 1, len(days), dict(count))
    own = {"changed": count["changed"]}
    if ingest is ingest_records:
        own |= {name: count[name] for name in ("listed", "healed", "known", "reread")}
    for kind in kinds:
        if key(psp, kind) in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=key(psp, kind),
                metadata={**standing(platform.engine, psp, kind, days), **own},
            )


def _records(psp: Psp) -> dg.AssetsDefinition:
    # its name is also where a run's config finds it
    @dg.multi_asset(
        name=f"{psp}_payments",
        specs=_specs(psp, RECORDS),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        pool=pool(psp),
    )
    def records(
        context: dg.AssetExecutionContext, config: Healing, platform: Platform
    ) -> Iterator[dg.MaterializeResult]:
        yield from _results(context, platform, psp, RECORDS, ingest_records, config.lookback_days)

    return records


def _settlement(psp: Psp) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{psp}_settlement",
        specs=_specs(psp, SETTLED),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        pool=pool(psp),
    )
    def settlement(
        context: dg.AssetExecutionContext, config: Settling, platform: Platform
    ) -> Iterator[dg.MaterializeResult]:
        lookback = config.lookback_days
        if lookback is None:
            lookback = platform.settings.reconciliation_window_days
        yield from _results(context, platform, psp, SETTLED, ingest_settlement, lookback)

    return settlement


@dg.definitions
def ingestion() -> dg.Definitions:
    listings = [make(psp) for psp in Psp for make in (_records, _settlement)]
    webhooks = [
        dg.AssetSpec(
            f"{psp}_webhooks",
            group_name=GROUP,
            owners=OWNERS,
            kinds={psp.value, "fastapi"},
            description=f"{psp.name.title()}'s signed events, taken by the API.",
        )
        for psp in Psp
    ]
    inbox = dg.AssetSpec(
        "inbox_events",
        deps=[*(one.key for one in webhooks), *(key(psp, DayKind.PAYMENT) for psp in Psp)],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        description="Each PSP event once, as raw bytes, before anything is done with it.",
    )
    return dg.Definitions(assets=[*listings, *webhooks, inbox])

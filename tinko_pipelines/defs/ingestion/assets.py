"""Where events come from: webhooks into the inbox, and a daily listing that heals the rest."""

from collections import Counter

import dagster as dg

from tinko_pipelines.core.inbox.backfill import heal_day
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "ingestion"
# older than the demo's fixed start; a merchant's own history is back-filled from the UI
daily = dg.DailyPartitionsDefinition(start_date="2026-01-01")


class Healing(dg.Config):
    """How many days before the partition's day are listed again: states change late."""

    lookback_days: int = 0


def _listing(psp: Psp) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{psp}_payments",
        partitions_def=daily,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"python", psp.value},
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        description=f"What {psp.name.title()} itself lists for the day; what webhooks never told"
        " goes into the inbox.",
    )
    def listing(
        context: dg.AssetExecutionContext, config: Healing, platform: Platform
    ) -> dg.MaterializeResult:
        # one day, or the days of a range that was asked for in one run
        days = [daily.time_window_for_partition_key(key).start for key in context.partition_keys]
        seats = [one for one in platform.desk().seats.values() if one.adapter.psp is psp]
        count = Counter[str]()
        for number, day in enumerate(sorted(days)):
            # the days of a range follow each other: only the first needs to look back
            lookback = 0 if number else config.lookback_days
            for seat in seats:
                found = heal_day(platform.engine, seat, platform.clock, day.date(), lookback)
                count.update(found)
            context.log.info("%s of %s: %s listed so far", number + 1, len(days), count["listed"])
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count["listed"],
                "healed": count["healed"],
                "known": count["known"],
            }
        )

    return listing


@dg.definitions
def ingestion() -> dg.Definitions:
    listings = [_listing(psp) for psp in Psp]
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
        deps=[*(one.key for one in webhooks), *(one.key for one in listings)],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        description="Each PSP event once, as raw bytes, before anything is done with it.",
    )
    return dg.Definitions(assets=[*listings, *webhooks, inbox])

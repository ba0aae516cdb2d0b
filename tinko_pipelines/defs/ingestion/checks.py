"""Whether webhooks come at all, and how many events they missed."""

from collections.abc import Iterator, Sequence

import dagster as dg

from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.ingestion.days import DayKind
from tinko_pipelines.core.ingestion.watch import DEAF, MISSED_SHARE, WebhookView, look, note
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.defs.ingestion.assets import key
from tinko_pipelines.defs.platform import Platform

ARRIVE, FEW = CHECKS = ("webhooks_arrive", "few_events_missed")


def _check(psp: Psp) -> dg.AssetChecksDefinition:
    asset, name = key(psp, DayKind.PAYMENT), psp.name.title()

    @dg.multi_asset_check(
        name=f"{psp}_webhook_checks",
        specs=[
            dg.AssetCheckSpec(
                ARRIVE,
                asset=asset,
                description=f"{name} delivers events: our webhook stands there and is on, and"
                " where there were payments, not only listings told of them.",
            ),
            dg.AssetCheckSpec(
                FEW,
                asset=asset,
                description="At most one event in a hundred came by listing alone.",
            ),
        ],
    )
    def webhooks(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        hours = platform.settings.webhook_silence_hours
        now = platform.clock.now()
        views = look(platform.engine, platform.desk(), psp, now, hours)
        note(platform.engine, views, now, WallClock().now())
        deaf = [one for one in views if one.hearing in DEAF]
        for one in deaf:
            context.log.error(
                "%s: the webhook of connection %s is %s: %s events came by listing alone; see to"
                " it in the PSP's dashboard", name, one.connection_id, one.hearing, one.healed,
            )  # fmt: skip
        yield dg.AssetCheckResult(
            check_name=ARRIVE,
            asset_key=asset,
            passed=not deaf,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"connections": dg.MetadataValue.md(_table(views)), "hours": hours},
        )
        missed = [one for one in views if one.missed_share > MISSED_SHARE]
        yield dg.AssetCheckResult(
            check_name=FEW,
            asset_key=asset,
            passed=not missed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "missed": sum(one.healed for one in views),
                "by_webhook": sum(one.webhooks for one in views),
                "connections": dg.MetadataValue.md(_table(missed)),
                "hours": hours,
            },
        )

    return webhooks


def _table(views: Sequence[WebhookView]) -> str:
    head = "| connection | webhook | by webhook | missed | payments | last heard |"
    rows = [
        f"| {one.connection_id} | {one.hearing} | {one.webhooks} | {one.healed} | {one.payments}"
        f" | {one.last_webhook or 'not in this time'} |"
        for one in views
    ]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


@dg.definitions
def webhook_checks() -> dg.Definitions:
    return dg.Definitions(asset_checks=[_check(psp) for psp in Psp])

"""The ingestion assets and their checks on a real database, and the sensor for days to be listed
again."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta

import dagster as dg

from tests.defs.test_backfill import shop  # noqa: F401
from tests.integration.recovery.conftest import (  # noqa: F401
    open_shop,
    receiver,
    sandbox,
    settings,
    striped,
)
from tinko_pipelines.core.ingestion.days import DayKind
from tinko_pipelines.core.ingestion.overview import DayTotal
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.defs.ingestion.assets import ingestion, key
from tinko_pipelines.defs.ingestion.checks import webhook_checks
from tinko_pipelines.defs.ingestion.jobs import healing, reopened_days_sensor, webhook_watch
from tinko_pipelines.defs.ingestion.reporting import plot
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.local.layout import ROOT

STRIPE = {key(Psp.STRIPE, kind).to_user_string() for kind in DayKind}


def run(day):
    """One day of Stripe's assets, and their checks."""
    made = dg.Definitions.merge(ingestion(), webhook_checks())
    own = [
        one
        for one in [*(made.assets or []), *(made.asset_checks or [])]
        if not isinstance(one, dg.AssetSpec) and one.op.name.startswith("stripe")
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            own, instance=instance, partition_key=str(day), resources={"platform": Platform()}
        )


def ring():
    context = dg.build_sensor_context(
        instance=dg.DagsterInstance.ephemeral(), resources={"platform": Platform()}
    )
    return reopened_days_sensor(context)


def test_a_day_is_listed_and_deaf_webhooks_are_an_alert(shop):  # noqa: F811
    day = shop.clock.now().date() - timedelta(days=1)
    done = run(day)
    assert done.success
    events = {one.asset_key.to_user_string(): one.step_materialization_data.materialization.metadata
              for one in done.get_asset_materialization_events()}  # fmt: skip
    assert set(events) == STRIPE
    assert events["stripe_payments"]["dagster/row_count"].value == 1
    assert events["stripe_payments"]["missed_by_webhooks"].value > 0
    assert f"| {day} |" in events["stripe_payments"]["days"].value
    checks = {one.check_name: one for one in done.get_asset_check_evaluations()}
    assert {name: (one.passed, one.severity) for name, one in checks.items()} == {
        "webhooks_arrive": (False, dg.AssetCheckSeverity.ERROR),
        "few_events_missed": (False, dg.AssetCheckSeverity.WARN),
    }
    assert "silent" in checks["webhooks_arrive"].metadata["connections"].value
    # webhooks come again, and say what happened
    shop.stage.failing_debt()
    shop.hear()
    heard = {one.check_name: one.passed for one in run(day).get_asset_check_evaluations()}
    assert heard["webhooks_arrive"] is True


def test_a_webhook_that_is_switched_off_is_told_before_the_next_listing(shop):  # noqa: F811
    shop.write("update connections set created_at = created_at - interval '30 days'")
    made = dg.Definitions.merge(
        ingestion(), webhook_checks(), healing(), dg.Definitions(resources={"platform": Platform()})
    )
    job = made.resolve_job_def(webhook_watch.job_name)

    def told():
        done = job.execute_in_process()
        assert done.success
        assert not done.get_asset_materialization_events()
        found = {(one.asset_key.path[0], one.check_name): one for one in
                 done.get_asset_check_evaluations()}  # fmt: skip
        assert len(found) == 4
        return found["stripe_payments", "webhooks_arrive"]

    assert told().passed
    shop.endpoint(url=shop.webhook, active=False)
    said = told()
    assert (said.passed, said.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert shop.rows("select psp, hearing from webhook_watch") == [("stripe", "disabled")]


def test_a_day_to_be_listed_again_rings_for_its_own_assets(shop):  # noqa: F811
    assert isinstance(ring(), dg.SkipReason)
    day = shop.clock.now().date() - timedelta(days=2)
    run(day)
    assert isinstance(ring(), dg.SkipReason)
    shop.write("update ingested_days set state = 'reopened' where kind = 'refund'")
    asked = ring()
    assert asked.partition_key == str(day)
    assert asked.run_config == {"ops": {"stripe_payments": {"config": {"lookback_days": 0}}}}
    assert {one.to_user_string() for one in asked.asset_selection} == {
        "stripe_payments", "stripe_refunds", "stripe_disputes",
    }  # fmt: skip
    run(day)
    assert isinstance(ring(), dg.SkipReason)
    # a listing that was cut short goes on with the days it had begun with
    cursor = {"first": str(day - timedelta(days=3)), "began": "2026-09-25", "after": {}}
    shop.write(
        "update ingested_days set cursor = cast(:cursor as jsonb)"
        " where kind = 'settlement_line' and day = :day",
        cursor=json.dumps(cursor), day=day,
    )  # fmt: skip
    asked = ring()
    assert asked.run_config == {"ops": {"stripe_settlement": {"config": {"lookback_days": 3}}}}
    # a day of the merchant's history is listed again too, one before INGESTION_START nobody's
    move = "update ingested_days set day = :day where cursor is not null"
    shop.write(move, day="2025-03-09")
    assert ring().partition_key == "2025-03-09"
    assert run("2025-03-09").success
    assert isinstance(ring(), dg.SkipReason)
    shop.write("update ingested_days set state = 'reopened', day = '2023-12-31'"
               " where day = '2025-03-09' and kind = 'refund'")  # fmt: skip
    assert isinstance(ring(), dg.SkipReason)


def test_history_begins_where_the_setting_says():
    asked = "from tinko_pipelines.defs.ingestion.assets import daily; print(daily.start.date())"
    told = subprocess.run(
        [sys.executable, "-c", asked], env={**os.environ, "INGESTION_START": "2019-05-01"},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "2019-05-01"


def test_days_are_shown_as_bars():
    days = [
        DayTotal(date(2026, 9, 4), 10, 0, 0, closed=False),
        DayTotal(date(2026, 9, 3), 40, 5, 2, closed=True),
    ]
    newest, older = plot(days).splitlines()[2:]
    assert newest.startswith("| 2026-09-04 (open) | ")
    assert older.endswith(" 40 | 5 | 2 |")
    assert older.count("█") == 4 * newest.count("█") > 0
    assert plot([]) == "nothing was listed yet"

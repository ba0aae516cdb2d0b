"""The assets of reconciliation on a small ledger: run, check, report, ring."""

from datetime import timedelta

import dagster as dg

from tests.defs.reconciliation_stage import NEXT, materialize, stage, told  # noqa: F401 (fixture)
from tests.integration.ledger.aftermath_world import NOW
from tests.integration.reconciliation.books_stage import (
    CAPTURED,
    LATER,
    line,
    payout,
    record,
)
from tests.s3 import ACCESS, SECRET, S3Server
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.psp.types import PaymentStatus
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.quality.assets import quality
from tinko_pipelines.defs.reconciliation import assets, checks, jobs

FAILED = record("ch_1", PaymentStatus.FAILED, at=NOW)


def test_a_day_and_its_window_are_reconciled_and_the_money_adds_up(stage):  # noqa: F811
    stage.listed(FAILED, record(amount=900), lines=[line(gross=900, net=841)])
    done = materialize("stripe_reconciliation", lookback_days=2)
    said = told(done, "stripe_reconciliation")
    assert (said["dagster/row_count"], said["findings"], said["opened"]) == (2, 1, 1)
    assert said["skipped"] == 0
    assert "data:image/svg+xml;base64," in said["money"]
    assert (
        "| 2026-09-17 | stripe | USD | $10.00 | $0.00 | $10.00 | $9.00 | $9.00 | yes |"
        in (said["money"])
    )
    assert all(one.passed for one in done.get_asset_check_evaluations())
    stage.write("update reconciled_days set ledger_minor = 7, day = day - 30")
    again = materialize("stripe_reconciliation", lookback_days=0, raise_on_error=False)
    (check,) = [one for one in again.get_asset_check_evaluations() if not one.passed]
    assert check.check_name == "ledger_is_matched_plus_findings"
    assert "ledger 7" in check.metadata["first"].value


def test_recoveries_are_settled_or_said_to_be_late(stage):  # noqa: F811
    stage.listed(FAILED, record())
    done = materialize("settlements")
    assert told(done, "settlements")["overdue"] == 1
    (check,) = done.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    stage.listed(lines=[line()], payouts=[payout()])
    done = materialize("settlements")
    assert told(done, "settlements")["newly_settled"] == 1
    assert done.get_asset_check_evaluations()[0].passed
    assert stage.case()[0] == "settled"


def reconcile(**ops):
    """The job as the schedule launches it."""
    every = dg.Definitions.merge(
        assets.reconciliation(), checks.checks(), jobs.jobs(), quality(),
        dg.Definitions(resources={"platform": Platform()}),
    )  # fmt: skip
    window = {"config": {"lookback_days": 3}}
    with dg.DagsterInstance.ephemeral() as instance:
        return every.get_repository_def().get_job("reconcile").execute_in_process(
            instance=instance, partition_key=str(NEXT), raise_on_error=False,
            run_config={"ops": dict.fromkeys(jobs.RECONCILIATIONS, window) | ops},
        )  # fmt: skip


def test_the_job_does_all_of_it_in_one_run(stage):  # noqa: F811
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    done = reconcile()
    assert done.success
    assert all(one.passed for one in done.get_asset_check_evaluations())
    assert stage.case()[0] == "settled"


def test_what_was_listed_is_checked_before_it_is_reconciled(stage):  # noqa: F811
    # too many to be the rows' own fault: nothing is set aside, and nothing goes on
    bad = [line(f"ch_{one}", created_at=LATER, settled_at=CAPTURED) for one in range(100, 130)]
    stage.listed(FAILED, record(), lines=[line(), *bad], payouts=[payout()])
    done = reconcile(checked_listings={"config": {"always": True}})
    assert not done.success
    failed = {one.check_name for one in done.get_asset_check_evaluations() if not one.passed}
    assert failed >= {"line_order", "settlement_lines_few_refused"}
    assert stage.rows("select count(*) from reconciled_days") == [(0,)]
    assert stage.case()[0] == "recovered"


def test_the_report_goes_to_the_bucket_or_says_why_not(stage, tmp_path, monkeypatch):  # noqa: F811
    stage.listed(FAILED, record(amount=900))
    materialize("stripe_reconciliation", lookback_days=0)
    assert "S3_BUCKET is not set" in told(materialize("reconciliation_report"),
                                          "reconciliation_report")["skipped"]  # fmt: skip
    tmp_path.chmod(0o755)
    with S3Server(tmp_path) as server:
        store = server.store("reports")
        monkeypatch.setenv("S3_BUCKET", "reports")
        monkeypatch.setenv("S3_ENDPOINT_URL", server.url)
        monkeypatch.setenv("S3_ACCESS_KEY", ACCESS)
        monkeypatch.setenv("S3_SECRET_KEY", SECRET)
        get_settings.cache_clear()
        materialize("reconciliation_report")
        base = f"reconciliation/{stage.account.org_id}/{NEXT}"
        page, lines = store.get(f"{base}.html").decode(), store.get(f"{base}.csv").decode()
        # a day that is reconciled again is reported again, whichever day rings
        stage.listed(record(), lines=[line()], payouts=[payout()])
        stage.reconcile(NEXT)
        later = NEXT + timedelta(days=5)
        materialize("reconciliation_report", day=later)
        again = store.get(f"{base}.csv").decode()
        assert told(materialize("reconciliation_report", day=later), "reconciliation_report")[
            "dagster/row_count"
        ] == 2  # fmt: skip
    assert "<svg" in page
    assert "Unsettled" not in page
    assert "Captured, not settled" in page
    assert [one.split(",")[3] for one in lines.splitlines()] == ["kind", "amount", "unsettled"]
    assert [one.split(",")[6] for one in again.splitlines()] == ["state", "fixed", "fixed"]


def test_the_repair_that_was_asked_for_rings(stage, database):  # noqa: F811
    stage.listed(FAILED, record(amount=900))
    stage.reconcile(NEXT)
    context = dg.build_sensor_context()
    assert isinstance(jobs.repairs_sensor(context, platform=Platform()), dg.SkipReason)
    ((finding,),) = stage.rows("select id from findings where kind = 'amount'")
    with unit_of_work(database.app, stage.account.org_id) as connection:
        review.request_repair(connection, finding, "key:test", LATER)
    (rung,) = jobs.repairs_sensor(context, platform=Platform())
    assert rung.run_key.startswith(str(finding))
    assert rung.asset_selection == [dg.AssetKey("stripe_finding_repairs")]


def test_repairs_wait_for_the_psps_listings():
    pools = {one.key.to_user_string(): one.op.pool
             for one in assets.reconciliation().assets if "repairs" in one.op.name}  # fmt: skip
    assert pools == {
        "stripe_finding_repairs": "stripe_api", "razorpay_finding_repairs": "razorpay_api",
    }  # fmt: skip


def test_the_day_rings_by_business_time(stage):  # noqa: F811
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance)
        rung = jobs.reconciliation_day_sensor(context, platform=Platform())
        status = dg.DagsterRunStatus.STARTED
        instance.add_run(dg.DagsterRun(job_name="reconcile", status=status))
        again = jobs.reconciliation_day_sensor(context, platform=Platform())
        assert isinstance(again, dg.SkipReason)
    yesterday = (LATER - timedelta(days=1)).date().isoformat()
    assert (rung.partition_key, rung.run_key) == (yesterday, f"reconcile:{yesterday}")
    assert set(rung.run_config["ops"]) == {"stripe_reconciliation", "razorpay_reconciliation"}
    asked = dg.build_schedule_context()
    assert isinstance(jobs.daily_reconciliation(asked, platform=Platform()), dg.SkipReason)

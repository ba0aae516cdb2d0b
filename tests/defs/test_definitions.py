"""The code location as Dagster sees it: it loads alone, and says all that data ops need."""

import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest
import yaml

from tinko_pipelines.definitions import defs
from tinko_pipelines.local.layout import ROOT

LISTED = {
    f"{psp}_{kind}"
    for psp in ("stripe", "razorpay")
    for kind in ("payments", "refunds", "disputes", "settlement_lines", "payouts")
}
# each as it is in ClickHouse, in the lake, and as dbt reads it
CARRIED = {
    f"{prefix}{relation}"
    for prefix in ("clickhouse/", "lake/", "stg_")
    for relation in (
        "obligations", "attempts", "failures", "cases", "decisions", "outbox",
        "notification_deliveries", "settlement_lines", "payouts", "policy_versions",
        "rule_versions", "organisations", "connections",
    )
}  # fmt: skip
# written by people, or by what begins at the listings
NOT_OF_WEBHOOKS = ("settlement_lines", "payouts", "versions", "organisations", "connections")
PAID_OUT = {"settlement_daily", "payouts_daily"}
# what a name change would break: schedules, back-fills and links point at these
ASSETS = {
    "stripe_webhooks", "razorpay_webhooks", *LISTED,
    "inbox_events", "events", "failures", "cases", "decisions", "attempts", "attempt_outcomes",
    "stripe_reconciliation", "razorpay_reconciliation", "settlements", "reconciliation_report",
    *(f"{psp}_finding_repairs" for psp in ("razorpay", "stripe")),
    "archive_inbox_events", "archive_attempts", "archive_notification_deliveries",
    "payer_messages", "partitions", "checked_ledger", "checked_listings", "quarantine",
    *CARRIED, "clickhouse/sink_positions", "int_attempts", "int_changed_debts", "int_changed_rows",
    "int_failed_obligations", "int_messages", *PAID_OUT, "recovery_daily", "recovery_by_attempt",
    "recovery_by_hour", "decline_codes", "recovery_cohorts", "policy_effect", "rule_effect",
    "channel_performance", "at_risk", "dbt_docs",
}  # fmt: skip
# our own checks; those of BLOCKING stop what is next. The tests of dbt are in dbt_checks.txt
CHECKS = {
    "archive_attempts": {"attempts_archive_is_whole"},
    "archive_inbox_events": {"inbox_events_archive_is_whole"},
    "archive_notification_deliveries": {"notification_deliveries_archive_is_whole"},
    "checked_ledger": {
        "attempt_actor", "attempt_explained", "attempt_has_key", "attempt_is_named",
        "attempt_method", "attempt_network_known", "attempt_order", "attempt_size", "attempt_state",
        "attempt_time", "attempt_was_allowed", "attempts_few_refused", "case_order",
        "case_reversal", "case_size", "case_state", "case_winner", "case_winner_word",
        "cases_few_refused", "failure_actor", "failure_advice", "failure_category",
        "failure_codes_known", "failure_confidence", "failure_decided_by", "failure_mix",
        "failure_time", "failures_few_refused", "obligation_exponent", "obligation_payer_known",
        "obligation_refund", "obligation_size", "obligation_state", "obligation_time",
        "obligations_few_refused",
    },
    "checked_listings": {
        "line_fees_usual", "line_kind", "line_order", "line_payout_status", "line_source",
        "payout_references_known", "payout_size", "payout_state", "payouts_few_refused",
        "psp_records_few_refused", "record_capture", "record_kind", "record_methods_known",
        "record_status", "settlement_lines_few_refused",
    },
    "clickhouse/sink_positions": {
        "no_row_is_doubled", "no_row_is_lost", "sources_are_fresh",
    },
    "partitions": {"partitions_ahead"},
    "razorpay_payments": {"few_events_missed", "webhooks_arrive"},
    "razorpay_reconciliation": {"ledger_is_matched_plus_findings", "no_capture_is_left_out"},
    "recovery_daily": {"mart_matches_ledger"},
    "at_risk": {"at_risk_matches_ledger"},
    "settlement_daily": {"settlement_daily_matches_lines"},
    "payouts_daily": {"payouts_daily_matches_payouts"},
    "settlements": {"recoveries_are_accounted_for"},
    "stripe_payments": {"few_events_missed", "webhooks_arrive"},
    "stripe_reconciliation": {"ledger_is_matched_plus_findings", "no_capture_is_left_out"},
}  # fmt: skip
BLOCKING = {
    "at_risk_matches_ledger", "settlement_daily_matches_lines", "payouts_daily_matches_payouts",
    "attempts_few_refused", "cases_few_refused", "failures_few_refused",
    "ledger_is_matched_plus_findings", "mart_matches_ledger", "obligations_few_refused",
    "partitions_ahead", "payouts_few_refused", "psp_records_few_refused",
    "settlement_lines_few_refused",
}  # fmt: skip
JOBS = {
    "analytics", "archive", "carry", "charge", "documentation", "freshness", "heal", "maintain",
    "notify", "quality", "reconcile", "recover", "repair", "replay_quarantine", "resolve",
    "watch_webhooks",
}  # fmt: skip
SENSORS = {
    "inbox_sensor": 15,
    "due_attempts_sensor": 15,
    "outbox_sensor": 15,
    "unknown_attempts_sensor": 60,
    "business_day_sensor": 30,
    "reopened_days_sensor": 300,
    "analytics_sensor": 60,
    "carry_sensor": 60,
    "reconciliation_day_sensor": 60,
    "repairs_sensor": 60,
    "unfinished_archival_sensor": 300,
}
SCHEDULES = {
    "daily_reconciliation": "40 1 * * *",
    "daily_healing": "20 0 * * *",
    "webhook_watch": "*/15 * * * *",
    "daily_maintenance": "5 0 * * *",
    "analytics_hourly": "7 * * * *",
    "freshness_hourly": "47 * * * *",
    "quality_hourly": "37 * * * *",
    "documentation_daily": "17 4 * * *",
    "monthly_archival": "40 3 5 * *",
}


# each run loads the definitions anew, and dbt would be a quarter of that
ALONE = """
import sys
from tinko_pipelines.definitions import defs
defs()
assert not any(name.startswith("dbt.") for name in sys.modules), "dbt was loaded"
import dbt.version
"""


@pytest.fixture(scope="module")
def repository():
    return defs().get_repository_def()


def test_it_loads_in_a_fresh_interpreter_and_without_dbt():
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_assets_are_these(repository):
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == ASSETS


def test_the_checks_are_these(repository):
    graph = repository.asset_graph
    found = {
        (one.asset_key.to_user_string(), one.name, bool(graph.get(one).blocking))
        for one in graph.asset_check_keys
    }
    ours = {(asset, name, name in BLOCKING) for asset, names in CHECKS.items() for name in names}
    lines = (ROOT / "tests/defs/dbt_checks.txt").read_text().splitlines()
    asked = {tuple(line.split()) for line in lines}
    assert found == ours | {(asset, name, kind == "error") for kind, asset, name in asked}


def test_the_jobs_are_these(repository):
    named = {job.name for job in repository.get_all_jobs()}
    assert {name for name in named if not name.startswith("__")} == JOBS


def test_nothing_is_reconciled_before_it_is_checked(repository):
    parents = {
        name: repository.asset_graph.get(dg.AssetKey(name)).parent_keys
        for name in ("checked_listings", "stripe_reconciliation", "razorpay_reconciliation")
    }
    assert {one.to_user_string() for one in parents.pop("checked_listings")} == LISTED
    assert all(dg.AssetKey("checked_listings") in keys for keys in parents.values())
    names = {node.name for node in repository.get_job("reconcile").graph.nodes}
    assert names >= {"checked_listings", *parents}


def test_every_asset_says_what_it_is_and_whose(repository):
    for key in repository.asset_graph.get_all_asset_keys():
        node = repository.asset_graph.get(key)
        name = key.to_user_string()
        assert node.group_name != "default", f"{name} has no group"
        if name.startswith(("stg_", "clickhouse/sink_")):
            continue
        assert node.owners, f"{name} has no owner"
        assert node.kinds, f"{name} has no kinds"
        assert node.description, f"{name} has no description"


def test_lineage_reads_from_webhook_to_mart(repository):
    graph = repository.asset_graph
    found, front = set(), {dg.AssetKey("stripe_webhooks")}
    while front:
        found |= front
        front = set().union(*(graph.get(key).child_keys for key in front)) - found
    reached = {key.to_user_string() for key in found}
    begun_elsewhere = {name for name in CARRIED if name.endswith(NOT_OF_WEBHOOKS)}
    assert reached == ASSETS - LISTED - PAID_OUT - begun_elsewhere - {
        "razorpay_webhooks", "partitions", "checked_listings",
    }  # fmt: skip


def test_sensors_leave_room_between_their_runs(repository):
    assert {one.name: one.minimum_interval_seconds for one in repository.sensor_defs} == SENSORS


def test_schedules(repository):
    assert {one.name: one.cron_schedule for one in repository.schedule_defs} == SCHEDULES


def test_what_is_listed_daily_is_late_after_a_day_and_a_half(repository):
    for name in LISTED:
        policy = repository.asset_graph.get(dg.AssetKey(name)).freshness_policy
        assert policy.fail_window.to_timedelta() == timedelta(hours=36), name
        assert policy.warn_window.to_timedelta() == timedelta(hours=26), name


def test_the_freshness_of_sources_is_asked_apart_from_the_carry(repository):
    asked = {one.name: one for one in repository.get_all_jobs()}
    key = dg.AssetCheckKey(dg.AssetKey(["clickhouse", "sink_positions"]), "sources_are_fresh")
    assert asked["freshness"].asset_layer.asset_graph.asset_check_keys == {key}
    assert key not in asked["analytics"].asset_layer.asset_graph.asset_check_keys


def test_a_psp_is_listed_by_one_run_at_a_time(repository):
    pools = yaml.safe_load((ROOT / "dagster.yaml").read_text())["concurrency"]["pools"]
    assert pools == {"granularity": "run", "default_limit": 1}
    nodes = {one.name: one.definition.pool for one in repository.get_job("heal").graph.nodes}
    assert {name: pool for name, pool in nodes.items() if "checks" not in name} == {
        f"{psp}_{what}": f"{psp}_api"
        for psp in ("stripe", "razorpay") for what in ("payments", "settlement")
    }  # fmt: skip


def test_a_large_month_may_take_longer_than_other_runs(repository):
    others = yaml.safe_load((ROOT / "dagster.yaml").read_text())["run_monitoring"]
    most = int(repository.get_job("archive").run_tags["dagster/max_runtime"])
    assert most >= 24 * others["max_runtime_seconds"]


def test_no_run_is_retried_around_a_charge(repository):
    for job in repository.get_all_jobs():
        if job.name.startswith("__"):
            continue
        assert not any(tag.startswith("dagster/max_retries") for tag in job.tags), job.name
        for node in job.graph.nodes:
            assert node.definition.retry_policy is None, f"{node.name} has a retry policy"

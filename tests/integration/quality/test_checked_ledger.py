"""The assets on a real Postgres: what is set aside, shown, hidden, let back, and when all waits."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from tests.proofs.quality_world import NOW, World
from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, unit_of_work, worker_engine
from tinko_pipelines.core.db.tables.ledger import attempts, obligations
from tinko_pipelines.core.quality.due import due
from tinko_pipelines.core.quality.suite import LEDGER
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.quality import assets, jobs


@pytest.fixture
def platform(database, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_WORKER_URL", database.url("tinko_worker"))
    monkeypatch.setenv("QUALITY_DOCS_DIR", str(tmp_path / "docs"))
    monkeypatch.delenv("S3_BUCKET", raising=False)
    caches = (get_settings, worker_engine, owner_engine)
    for cache in caches:
        cache.cache_clear()
    clock = DatabaseClock(libpq_url(database.url("tinko_worker")))
    clock.freeze_at(NOW)
    clock.close()
    yield Platform()
    worker_engine().dispose()
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def world(database):
    made = World.open(database.worker)
    made.fill(20)
    return made


def run(platform, name, config=None):
    definitions = dg.Definitions.merge(assets.quality(), jobs.quality_jobs())
    definitions = dg.Definitions.merge(
        definitions, dg.Definitions(resources={"platform": platform})
    )
    job = definitions.resolve_job_def(name)
    return job.execute_in_process(run_config=config or {}, raise_on_error=False)


def checks(result):
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def ledger_rows(world, table="deleted_rows"):
    with unit_of_work(world.engine) as connection:
        return connection.execute(text(f"select relation, key from {table}")).all()


def test_a_bad_row_is_set_aside_with_its_debt_shown_and_let_back(platform, world, tmp_path):
    world.spoil(attempts, world.tries[5], state="success")
    result = run(platform, "quality", jobs.ALWAYS)
    assert result.success
    found = checks(result)
    assert {name for name, one in found.items() if not one.passed} == {"attempt_state"}
    failed = found["attempt_state"]
    assert failed.severity is dg.AssetCheckSeverity.ERROR
    table = failed.metadata["failed"].value
    assert "| expect_column_values_to_be_in_set | state | 1 |" in table
    assert str(world.tries[5]) in table
    assert (tmp_path / "docs" / "index.html").exists()
    assert failed.metadata["data_docs"].value == str(tmp_path / "docs" / "index.html")
    # the whole debt is hidden from analytics: itself, two attempts, its failure and its case
    assert len(ledger_rows(world)) == 5
    shown = result.asset_materializations_for_node("quarantine")[0].metadata
    assert shown["dagster/row_count"].value == 1
    assert "attempt_state" in shown["newest"].value
    # put right and let back, the debt is checked again, and nothing more is held
    world.spoil(attempts, world.tries[5], state="failed")
    by_check = {"ops": {"let_entries_back": {"config": {"reason": "attempt_state"}}}}
    assert run(platform, "replay_quarantine", by_check).success
    again = run(platform, "quality", jobs.ALWAYS)
    assert all(one.passed for one in checks(again).values())
    assert checks(again)["attempt_state"].metadata["rows"].value == 2
    nothing = run(platform, "replay_quarantine", by_check)
    assert not nothing.success


def test_many_bad_rows_stop_the_load_and_none_is_set_aside(platform, world):
    world.fill(20)
    with unit_of_work(world.engine) as connection:
        connection.execute(obligations.update().values(state="paid_up"))
    result = run(platform, "quality", jobs.ALWAYS)
    found = checks(result)
    failed = {name for name, one in found.items() if not one.passed}
    assert failed == {"obligation_state", "obligations_few_refused"}
    assert found["obligations_few_refused"].blocking
    assert ledger_rows(world) == []
    # put right, the same rows are checked and flow
    with unit_of_work(world.engine) as connection:
        connection.execute(obligations.update().values(state="paid"))
    again = checks(run(platform, "quality", jobs.ALWAYS))
    assert again["obligations_few_refused"].passed
    assert again["obligation_state"].metadata["rows"].value == 40


def test_drift_is_a_warning_and_sets_nothing_aside(platform, world):
    world.fill(1000)
    assert run(platform, "quality", jobs.ALWAYS).success
    world.clock.advance(timedelta(days=1))
    with unit_of_work(world.engine) as connection:
        # as many failures again, all of another category
        connection.execute(
            text(
                "insert into failures (attempt_id, org_id, obligation_id, psp, category,"
                " retry_advice, hard, who_acts, confidence, late_authorisation, decided_by,"
                " failed_at, created_at) select a.id, a.org_id, a.obligation_id, a.psp,"
                " 'issuer_unavailable', 'timed', false, 'nobody', 1, false, 'a row', :now, :now"
                " from attempts as a where a.actor = 'merchant' and a.state = 'succeeded'"
            ),
            {"now": NOW},
        )
    result = run(platform, "quality", jobs.ALWAYS)
    found = checks(result)
    (drift,) = [one for one in found.values() if not one.passed]
    assert (drift.check_name, drift.severity) == ("failure_mix", dg.AssetCheckSeverity.WARN)
    assert ledger_rows(world) == []


def test_a_hurried_clock_waits_for_a_batch(platform, world):
    assert not due(world.engine, world.clock, LEDGER)
    assert due(world.engine, world.clock, LEDGER, enough=20)
    result = run(platform, "quality")
    assert all("skipped" in one.metadata for one in checks(result).values())

"""The Dagster assets on real engines: sink, dbt, its tests as checks, and the comparison."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from tinko_pipelines.core.db.engine import owner_engine, worker_engine
from tinko_pipelines.core.settings import get_settings

START = datetime(2026, 9, 28, 9, tzinfo=UTC)


@pytest.fixture
def configured(postgres, database, clickhouse_server, monkeypatch):
    """This process's settings point at the test's engines."""
    monkeypatch.setenv("DATABASE_WORKER_URL", postgres.url("tinko_worker", database))
    monkeypatch.setenv("CLICKHOUSE_URL", clickhouse_server.url)
    monkeypatch.delenv("ANALYTICS_SINK_TYPE", raising=False)
    caches = (get_settings, worker_engine, owner_engine)
    for cache in caches:
        cache.cache_clear()
    yield
    worker_engine().dispose()
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def definitions(configured, project, monkeypatch):
    from tinko_pipelines.core.analytics import dbt

    # what is parsed already is what the assets build
    monkeypatch.setitem(dbt._projects, project.address, project)
    from tinko_pipelines.defs.analytics import (
        carrying,
        checks,
        documenting,
        freshness,
        marts,
        ringing,
    )
    from tinko_pipelines.defs.analytics.resources import ClickHouseResource
    from tinko_pipelines.defs.platform import Platform

    return dg.Definitions(
        assets=[carrying.carry_to_clickhouse, marts.dbt_models, documenting.dbt_docs],
        asset_checks=[checks.marts_match_ledger, freshness.sources_are_fresh],
        jobs=[ringing.analytics, ringing.carry, freshness.freshness_job, documenting.documentation],
        schedules=[ringing.analytics_hourly, documenting.documentation_daily],
        sensors=[ringing.analytics_sensor, ringing.carry_sensor],
        resources={"platform": Platform(), "clickhouse": ClickHouseResource()},
    )


def run(definitions) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def("analytics").execute_in_process(raise_on_error=False)


def results(result) -> dict[str, bool]:
    return {found.check_name: found.passed for found in result.get_asset_check_evaluations()}


def test_from_the_ledger_to_the_mart_whose_differences_are_an_error(definitions, client, ledger):
    ledger.failed_debt(START, recovered=True)
    ledger.failed_debt(START + timedelta(days=1), currency="INR", psp="razorpay")
    result = run(definitions)
    assert result.success
    carried = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert carried["clickhouse/attempts"]["dagster/row_count"].value == 3
    assert carried["clickhouse/attempts"]["watermark"].value > 0
    assert {"stg_cases", "int_failed_obligations", "recovery_daily"} <= carried.keys()
    told = carried["recovery_daily"]
    assert told["dagster/row_count"].value == 2
    assert told["watermark"].value > 0
    assert told["days"].value.splitlines() == [
        "| day | failed |", "|---|---|",
        f"| 2026-09-29 | `{'█' * 24}` 1 |", f"| 2026-09-28 | `{'█' * 24}` 1 |",
    ]  # fmt: skip
    assert carried["int_attempts"]["dagster/row_count"].value == 3
    assert carried["payouts_daily"]["days"].value == "it has no rows yet"
    passed = results(result)
    assert passed["mart_matches_ledger"]
    assert passed["facts_equal_staging"]
    assert passed["recovery_daily_equals_its_fact"]
    assert len(passed) > 15
    assert all(passed.values())
    a_mart_that_differs_is_an_error(definitions, client)


def a_mart_that_differs_is_an_error(definitions, client) -> None:
    """The check alone, on what was built: one recovery too much is in the mart."""
    client.command(
        "alter table tinko.recovery_daily update recovered_minor = recovered_minor + 1"
        " where currency = 'USD' settings mutations_sync = 2"
    )
    key = dg.AssetCheckKey(dg.AssetKey("recovery_daily"), "mart_matches_ledger")
    job = dg.define_asset_job("check", selection=dg.AssetSelection.checks(key))
    again = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        resources=definitions.resources,
        jobs=[job],
    )
    result = again.resolve_job_def("check").execute_in_process(raise_on_error=False)
    (found,) = result.get_asset_check_evaluations()
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert "recovered_minor is 1000 in the ledger and 1001 in the mart" in str(
        found.metadata["first"].value
    )


def test_an_unknown_category_fails_its_check_and_stops_what_follows(definitions, client, ledger):
    ledger.failed_debt(START, category="not_a_category")
    result = run(definitions)
    passed = results(result)
    assert not result.success
    assert not passed["recovery_daily_is_classified"]
    # and does not keep the mart from being built
    assert client.query("select category from tinko.recovery_daily").result_rows == [
        ("not_a_category",)
    ]


def test_pages_are_made_once_the_marts_are_and_when_their_words_change(
    definitions, client, project, monkeypatch
):
    job = definitions.resolve_job_def("documentation")
    schedule = definitions.get_schedule_def("documentation_daily")

    def rung(instance):
        context = dg.build_schedule_context(instance=instance, resources=definitions.resources)
        return bool(schedule.evaluate_tick(context).run_requests)

    with dg.instance_for_test() as instance:
        assert not rung(instance)
        instance.report_runless_asset_event(dg.AssetMaterialization("recovery_daily"))
        assert rung(instance)
        (made,) = job.execute_in_process(instance=instance).asset_materializations_for_node(
            "dbt_docs"
        )
        page = Path(made.metadata["file"].value)
        assert page == project.manifest_path.parent / "docs" / "index.html"
        assert "recovery_daily" in page.read_text()
        assert made.metadata["page"].value.endswith("/console/documents/dbt/index.html")
        assert not rung(instance)
        monkeypatch.setattr(type(project), "definitions", lambda _: "other words")
        assert rung(instance)


def test_a_model_that_cannot_be_built_fails_the_run(definitions, client, ledger):
    ledger.failed_debt(START)
    client.command("drop table tinko.failures")
    result = definitions.resolve_job_def("analytics").execute_in_process(
        asset_selection=[dg.AssetKey("int_attempts"), dg.AssetKey("stg_failures")],
        raise_on_error=False,
    )
    assert not result.success
    failed = [event for event in result.all_events if event.is_step_failure]
    assert "stg_failures" in str(failed[0].step_failure_data.error)


def test_the_lineage_goes_from_the_ledger_to_the_mart(definitions):
    graph = definitions.resolve_asset_graph()
    mart = dg.AssetKey("recovery_daily")
    upstream = graph.get_ancestor_asset_keys(mart)
    names = {key.to_user_string() for key in upstream}
    assert {
        "int_failed_obligations",
        "int_attempts",
        "clickhouse/attempts",
        "clickhouse/cases",
        "cases",
        "attempt_outcomes",
    } <= names
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.group_name == ("documentation" if key.path == ["dbt_docs"] else "analytics")
        assert node.owners
        assert node.kinds
        assert node.description


def test_no_sink_says_so_and_does_nothing(definitions, monkeypatch, client, ledger):
    monkeypatch.setenv("ANALYTICS_SINK_TYPE", "none")
    get_settings.cache_clear()
    ledger.failed_debt(START)
    result = run(definitions)
    assert result.success
    assert not result.get_asset_materialization_events()
    assert client.query("select count() from tinko.attempts").result_rows == [(0,)]


def test_the_sensor_rings_only_while_the_ledger_moves(
    definitions, configured, client, ledger, clock
):
    from tinko_pipelines.core.analytics import sink
    from tinko_pipelines.core.analytics.targets import ClickHouse
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url

    business = DatabaseClock(libpq_url(get_settings().database_worker_url))
    sensor = definitions.get_sensor_def("analytics_sensor")
    schedule = definitions.get_schedule_def("analytics_hourly")

    def rung(definition, context) -> bool:
        return bool(definition.evaluate_tick(context).run_requests)

    def both() -> tuple[bool, bool]:
        with dg.instance_for_test() as instance:
            resources = definitions.resources
            return (
                rung(sensor, dg.build_sensor_context(instance=instance, resources=resources)),
                rung(schedule, dg.build_schedule_context(instance=instance, resources=resources)),
            )

    assert both() == (False, True)  # no row: business time is wall time
    business.run_from(START, 60)
    ledger.failed_debt(START)
    assert both() == (True, False)
    sink.run(worker_engine(), ClickHouse(client), clock)
    assert both() == (False, False)
    business.close()
    with worker_engine().begin() as connection:
        connection.exec_driver_sql(
            "update business_clock set rate = 1, frozen = false, epoch = now()"
        )


@pytest.fixture
def ring(definitions):
    """Let `carry_sensor` tick on an instance; its run, carried out, or why it rests."""
    sensor, job = definitions.get_sensor_def("carry_sensor"), "carry"

    def tick(instance):
        context = dg.build_sensor_context(instance=instance, resources=definitions.resources)
        told = sensor.evaluate_tick(context)
        if not told.run_requests:
            return told.skip_message
        assert told.run_requests[0].job_name in (None, job)
        return definitions.resolve_job_def(job).execute_in_process(instance=instance)

    return tick


def _rows(client, relation):
    return client.query(f"select count() from tinko.{relation} final").result_rows[0][0]


def test_by_the_minute_it_is_carried_and_no_mart_is_built(definitions, ring, client, ledger):
    with dg.instance_for_test() as instance:
        ledger.failed_debt(START, recovered=True)
        first = ring(instance)
        assert first.success
        assert _rows(client, "attempts") == 2
        made = {one.asset_key.path[0] for one in first.get_asset_materialization_events()}
        assert made == {"clickhouse"}
        assert not first.get_asset_check_evaluations()
        assert ring(instance) == "the ledger has not moved"
        # what came between two builds is there before the next, and the next takes it all
        assert run(definitions).success
        ledger.failed_debt(START + timedelta(days=1))
        assert ring(instance).success
        assert _rows(client, "attempts") == 3
        assert client.query("select sum(failed) from tinko.recovery_daily").result_rows == [(1,)]
        passed = results(run(definitions))
        assert all(passed.values())
        assert client.query("select sum(failed) from tinko.recovery_daily").result_rows == [(2,)]


def test_the_minute_rests_for_a_writer_and_for_a_gate(definitions, ring, client, ledger):
    ledger.failed_debt(START)
    with dg.instance_for_test() as instance:
        for job in ("analytics", "carry"):
            other = instance.create_run_for_job(
                definitions.resolve_job_def(job), status=dg.DagsterRunStatus.STARTED
            )
            assert ring(instance) == "a run that carries is under way"
            instance.report_run_canceled(other)
        gate = dg.AssetCheckKey(dg.AssetKey("checked_ledger"), "attempts_few_refused")

        def say(passed):
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=gate.asset_key, check_name=gate.name, passed=passed, metadata={}
                )
            )

        say(False)
        assert ring(instance) == "checked_ledger holds it back: attempts_few_refused"
        assert _rows(client, "attempts") == 0
        say(True)
        assert ring(instance).success
        assert _rows(client, "attempts") == 1


def test_one_pool_stands_before_every_writer_of_clickhouse(definitions):
    writers = {"carry_to_clickhouse", "dbt_models"}
    for job in ("analytics", "carry"):
        nodes = definitions.resolve_job_def(job).graph.nodes
        pools = {one.name: one.definition.pool for one in nodes if one.name in writers}
        assert pools == dict.fromkeys(pools, "clickhouse")
        assert "carry_to_clickhouse" in pools


def test_a_source_that_is_not_carried_any_more_is_told(definitions, client, ledger):
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url

    job = definitions.resolve_job_def("freshness")
    ledger.failed_debt(START)

    def told():
        result = job.execute_in_process()
        assert not result.get_asset_materialization_events()
        (found,) = result.get_asset_check_evaluations()
        return found

    def age(hours, relation):
        client.command(
            "insert into tinko.sink_positions (relation, position, row_count, carried_at)"
            f" select '{relation}', 1, 0, now64(6) - interval {hours} hour"
        )

    assert definitions.resolve_job_def("carry").execute_in_process().success
    assert told().passed
    client.command("truncate table tinko.sink_positions")
    from tinko_pipelines.core.analytics.relations import RELATIONS

    for relation in RELATIONS:
        age(3 if relation.name == "attempts" else 0, relation.name)
    late = told()
    assert (late.passed, late.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert late.metadata["stale"].value == {"attempts": "warn"}
    client.command("truncate table tinko.sink_positions")
    for relation in RELATIONS:
        age(30 if relation.name == "cases" else 0, relation.name)
    stale = told()
    assert (stale.passed, stale.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert stale.metadata["stale"].value == {"cases": "error"}
    # a hurried clock whose ledger stands still has nothing to carry
    business = DatabaseClock(libpq_url(get_settings().database_worker_url))
    business.run_from(START, 60)
    assert told().passed
    ledger.failed_debt(START)
    assert not told().passed
    business.close()
    with worker_engine().begin() as connection:
        connection.exec_driver_sql(
            "update business_clock set rate = 1, frozen = false, epoch = now()"
        )

"""Sensors on a real database: they ring for what waits, and not twice for the same."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, unit_of_work, worker_engine
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.ingestion.jobs import business_day_sensor
from tinko_pipelines.defs.maintenance.assets import partitions, partitions_ahead
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.recovery.sensors import due_attempts_sensor, inbox_sensor, outbox_sensor

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


@pytest.fixture
def platform(database, monkeypatch):
    for role in ("worker", "owner"):
        monkeypatch.setenv(f"DATABASE_{role.upper()}_URL", database.url(f"tinko_{role}"))
    monkeypatch.setenv("DATABASE_URL", database.url("tinko_app"))
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


def ring(sensor, platform):
    """What the sensor answers: a RunRequest or a SkipReason."""
    with dg.DagsterInstance.ephemeral() as instance:
        return sensor(dg.build_sensor_context(instance=instance, resources={"platform": platform}))


def event(database, name="evt_1"):
    with unit_of_work(database.worker) as connection:
        connection.execute(
            text(
                "insert into inbox_events (id, org_id, connection_id, psp, source, event_id,"
                " event_type, psp_created_at, received_at, body_sha256, body, object_ids)"
                " values (:id, :id, :id, 'stripe', 'webhook', :name, 'x', :now, :now, '', '',"
                " '{}')"
            ),
            {"id": new_id(NOW), "name": name, "now": NOW},
        )


@pytest.mark.parametrize("sensor", [inbox_sensor, due_attempts_sensor, outbox_sensor])
def test_nothing_waits_nothing_rings(platform, sensor):
    assert isinstance(ring(sensor, platform), dg.SkipReason)


def test_the_inbox_rings_once_for_the_same_oldest_event(platform, database):
    event(database)
    first = ring(inbox_sensor, platform)
    event(database, "evt_2")
    second = ring(inbox_sensor, platform)
    assert first.run_key.split(":")[0] == second.run_key.split(":")[0]
    assert (first.tags["tinko/waiting"], second.tags["tinko/waiting"]) == ("1", "2")


def test_business_days_ring_only_where_business_time_is_not_the_wall(platform, database):
    assert ring(business_day_sensor, platform).partition_key == "2026-09-15"
    clock = DatabaseClock(libpq_url(database.url("tinko_worker")))
    clock.run_from(datetime.now(UTC), 1.0)
    clock.close()
    assert isinstance(ring(business_day_sensor, Platform()), dg.SkipReason)


def test_partitions_are_made_ahead_and_a_missing_one_is_an_alert(platform, database):
    clock = DatabaseClock(libpq_url(database.url("tinko_worker")))
    far = datetime.now(UTC) + timedelta(days=200)
    clock.freeze_at(NOW)
    with unit_of_work(database.worker) as connection:
        connection.execute(
            text("update business_clock set epoch = :far, rate = 1, frozen = true"), {"far": far}
        )
    clock.close()
    # a frozen clock never passes the wall, so the month asked for is the wall's own
    result = dg.materialize([partitions, partitions_ahead], resources={"platform": platform})
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    with database.owner.begin() as connection:
        connection.execute(text("drop table " + f"attempts_{datetime.now(UTC):%Y_%m}"))
    missing = dg.materialize(
        [partitions_ahead], resources={"platform": platform}, raise_on_error=False,
        selection=dg.AssetSelection.checks(partitions_ahead),
    )  # fmt: skip
    (check,) = missing.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR

"""The assets of reconciliation over a small ledger, and the days as the sensor rings them."""

from datetime import timedelta

import dagster as dg
import pytest

from tests.integration.reconciliation.books_stage import DAY, LATER, BooksStage
from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db.engine import owner_engine, worker_engine
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.reconciliation import assets, checks, jobs

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def stage(database, monkeypatch):
    for role in ("worker", "owner", "readonly"):
        monkeypatch.setenv(f"DATABASE_{role.upper()}_URL", database.url(f"tinko_{role}"))
    monkeypatch.setenv("DATABASE_URL", database.url("tinko_app"))
    monkeypatch.delenv("S3_BUCKET", raising=False)
    caches = (get_settings, worker_engine, owner_engine)
    for cache in caches:
        cache.cache_clear()
    made = BooksStage(database)
    clock = DatabaseClock(database.url("tinko_worker"))
    clock.freeze_at(LATER)
    clock.close()
    made.recovered()
    made.clock.instant = LATER
    yield made
    worker_engine().dispose()
    for cache in caches:
        cache.cache_clear()


def materialize(*names, day=NEXT, raise_on_error=True, **config):
    ours = [*assets.reconciliation().assets, *checks.checks().asset_checks]
    chosen = dg.AssetSelection.assets(*names) | dg.AssetSelection.checks_for_assets(*names)
    key = None if names == ("settlements",) else str(day)
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            ours,
            selection=chosen, partition_key=key, instance=instance,
            resources={"platform": Platform()}, raise_on_error=raise_on_error,
            run_config={"ops": {one: {"config": config} for one in names if config}},
        )  # fmt: skip


def told(done, name):
    (found,) = done.asset_materializations_for_node(name)
    return {key: value.value for key, value in found.metadata.items()}


def ring(stage, at):
    """What the sensor launches at `at`: yesterday, and the window before it."""
    stage.clock.instant = at
    clock = DatabaseClock(stage.database.url("tinko_worker"))
    clock.freeze_at(at)
    clock.close()
    name = "stripe_reconciliation"
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance)
        rung = jobs.reconciliation_day_sensor(context, platform=Platform())
        return dg.materialize(
            assets.reconciliation().assets,
            selection=[name], partition_key=rung.partition_key, instance=instance,
            resources={"platform": Platform()},
            run_config={"ops": {name: rung.run_config["ops"][name]}},
        )  # fmt: skip

"""The listings are back-filled by a range of days, as the UI asks for it: by the daemon's own
iteration on an instance of the test's, run by run, and in one run."""

import logging
import time
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import (
    InProcessTestWorkspaceLoadTarget,
    create_test_daemon_workspace_context,
    instance_for_test,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.backfill import execute_backfill_iteration

from tests.defs import backfill_location
from tests.integration.recovery.conftest import (  # noqa: F401
    open_shop,
    receiver,
    sandbox,
    settings,
    striped,
)
from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, worker_engine
from tinko_pipelines.core.settings import get_settings

LISTING = dg.AssetKey("stripe_payments")


@pytest.fixture
def shop(striped, database, monkeypatch):  # noqa: F811 (the fixture itself)
    """Three days of debts of which no webhook ever told, and the graph's own settings for it."""
    for role in ("worker", "owner"):
        monkeypatch.setenv(f"DATABASE_{role.upper()}_URL", database.url(f"tinko_{role}"))
    caches = (get_settings, worker_engine, owner_engine)
    for cache in caches:
        cache.cache_clear()
    striped.first = striped.clock.now().date()
    striped.faults(drop_webhooks={"rate": 1.0})
    for _ in range(3):
        striped.stage.failing_debt()
        striped.hear(days=1)
    striped.faults()
    clock = DatabaseClock(libpq_url(database.url("tinko_worker")))
    clock.freeze_at(striped.clock.now())
    clock.close()
    yield striped
    worker_engine().dispose()
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def instance():
    launcher = {"module": "dagster._core.launcher.sync_in_memory_run_launcher",
                "class": "SyncInMemoryRunLauncher"}  # fmt: skip
    at_once = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
    overrides = {"run_launcher": launcher, "run_coordinator": at_once}
    with instance_for_test(overrides=overrides) as made:
        yield made


def days(shop, number):
    return [str(shop.first + timedelta(days=one)) for one in range(number)]


def rows_by_day(instance):
    """What each day's last materialisation says was listed and healed."""
    records = instance.fetch_materializations(LISTING, limit=50).records
    found = {}
    for one in records:
        said = one.asset_materialization
        found.setdefault(said.partition, (
            said.metadata["dagster/row_count"].value, said.metadata["healed"].value,
        ))  # fmt: skip
    return found


def test_a_range_of_days_is_back_filled_by_the_daemon_run_by_run(shop, instance):
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name=backfill_location.__name__, attribute="defs")
    )
    graph = backfill_location.defs.get_repository_def().asset_graph
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id="range", asset_graph=graph, partition_names=days(shop, 3),
            asset_selection=[LISTING], backfill_timestamp=time.time(), tags={},
            dynamic_partitions_store=instance, all_partitions=False, title=None, description=None,
            run_config=None,
        )
    )  # fmt: skip
    target = InProcessTestWorkspaceLoadTarget([origin])
    with create_test_daemon_workspace_context(target, instance) as workspace:
        for _ in range(4):
            list(execute_backfill_iteration(workspace, logging.getLogger("backfill")))
            if instance.get_backfill("range").status is BulkActionStatus.COMPLETED_SUCCESS:
                break
    assert instance.get_backfill("range").status is BulkActionStatus.COMPLETED_SUCCESS
    runs = instance.get_runs()
    # each run its own day: one that breaks costs the others nothing
    assert sorted(one.tags["dagster/asset_partition_range_start"] for one in runs) == days(shop, 3)
    assert {one.status for one in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert all(healed > 0 for _, healed in rows_by_day(instance).values())
    shop.work()
    assert shop.rows("select count(*) from obligations") == [(3,)]


def test_the_same_range_in_one_run_lists_each_day_once(shop, instance):
    (listing,) = [
        one for one in backfill_location.defs.assets or [] if LISTING in getattr(one, "keys", ())
    ]
    done = dg.materialize(
        [listing], instance=instance, resources=backfill_location.defs.resources,
        tags={"dagster/asset_partition_range_start": days(shop, 1)[0],
              "dagster/asset_partition_range_end": days(shop, 3)[-1]},
    )  # fmt: skip
    assert done.success
    assert set(rows_by_day(instance)) == set(days(shop, 3))
    shop.work()
    assert shop.rows("select count(*) from obligations") == [(3,)]


def test_a_day_done_twice_heals_nothing_twice(shop, instance):
    (listing,) = [
        one for one in backfill_location.defs.assets or [] if LISTING in getattr(one, "keys", ())
    ]
    healed = []
    for _ in range(2):
        done = dg.materialize(
            [listing], instance=instance, resources=backfill_location.defs.resources,
            partition_key=days(shop, 1)[0],
        )  # fmt: skip
        assert done.success
        healed.append(rows_by_day(instance)[days(shop, 1)[0]][1])
        shop.work()
    assert healed[0] > 0
    assert healed[1] == 0

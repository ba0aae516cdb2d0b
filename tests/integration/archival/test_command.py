"""`tinko archive` on the command line, and archival in Dagster."""

import dagster as dg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests.integration.archival.stage import NOW, RETENTION, archivist, contents, seed
from tests.s3 import ACCESS, SECRET
from tinko_pipelines.cli import app
from tinko_pipelines.core.archival.exclusive import exclusive
from tinko_pipelines.core.archival.run import run
from tinko_pipelines.core.db import engine
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.archival.assets import (
    archival,
    monthly_archival,
    unfinished_archival_sensor,
)
from tinko_pipelines.defs.archival.resources import ArchiveResource


@pytest.fixture
def platform(database, s3, monkeypatch):
    """This process's settings and engines are the test's; its business time stands at NOW."""
    store = s3.store()
    for name, value in {
        "DATABASE_OWNER_URL": database.url("tinko_owner"),
        "DATABASE_WORKER_URL": database.url("tinko_worker"),
        "S3_BUCKET": store.bucket, "S3_ENDPOINT_URL": s3.url, "S3_ACCESS_KEY": ACCESS,
        "S3_SECRET_KEY": SECRET, "PARTITION_RETENTION_DAYS": str(RETENTION),
        "ANALYTICS_SINK_TYPE": "none", "CLICKHOUSE_URL": "http://127.0.0.1:9/tinko",
        "COLUMNS": "200",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    _forget()
    with database.worker.begin() as connection:
        connection.execute(
            text(
                "insert into business_clock (id, epoch, anchor, rate, frozen)"
                " values (1, :now, :now, 1, true)"
            ),
            {"now": NOW},
        )
    yield store
    engine.worker_engine().dispose()
    _forget()


def _forget():
    for one in (get_settings, engine.worker_engine, engine.owner_engine):
        one.cache_clear()


def invoke(*words):
    return CliRunner().invoke(app, ["archive", *words], catch_exceptions=False)


def test_the_command_looks_before_it_leaps(database, platform):
    targets = seed(database, debts=3)
    target = targets["attempts"]
    before, month = contents(database, target), str(target.month)
    planned = invoke("plan")
    assert planned.exit_code == 0
    assert "3 of " in planned.output
    assert month in planned.output
    assert "USD a month" in planned.output
    assert "dry run" in invoke("run").output
    assert contents(database, target) == before
    assert platform.sizes("") == {}
    done = invoke("run", "--really", "--table", "attempts")
    assert f"attempts {month} dropped: 18 rows" in done.output.replace("\n", " ")
    assert "analysts do not see it yet" in done.output
    assert contents(database, target) == {}
    listed = invoke("list")
    assert "dropped" in listed.output
    assert "restored" not in listed.output
    assert "is back: 18 rows" in invoke("restore", "attempts", month).output
    assert contents(database, target) == before
    assert invoke("restore", "attempts", "2025-13").exit_code == 1


def test_dagster_looks_unless_it_is_told_to(database, platform):
    targets = seed(database, debts=3)
    target = targets["attempts"]
    before, key = contents(database, target), f"{target.month}-01"
    made = archival()
    assets = [one for one in made.assets if one.key.to_user_string() == "archive_attempts"]

    def materialize(config):
        return dg.materialize(
            assets, partition_key=key, resources={"archive": ArchiveResource()},
            run_config={"ops": {"archive_attempts": {"config": config}}} if config else None,
        )  # fmt: skip

    looked = materialize({})
    assert looked.success
    assert not looked.asset_materializations_for_node("archive_attempts")
    (seen,) = looked.asset_observations_for_node("archive_attempts")
    assert seen.metadata["dry_run"].value is True
    assert seen.metadata["rows_leaving"].value == len(before)
    assert f"| {target.month} | here | `" in seen.metadata["months"].value
    assert contents(database, target) == before
    (done,) = materialize({"dry_run": False}).asset_materializations_for_node("archive_attempts")
    assert done.metadata["dagster/row_count"].value == len(before)
    assert f"| {target.month} | dropped | `▒" in done.metadata["months"].value
    assert contents(database, target) == {}


def test_the_schedule_rings_for_the_months_that_leave(database, platform):
    targets = seed(database, debts=3)
    with database.owner.begin() as connection:
        # in production business time is the wall
        connection.execute(text("delete from business_clock"))
    with dg.build_schedule_context(
        scheduled_execution_time=NOW, resources={"archive": ArchiveResource()}
    ) as context:
        found = monthly_archival(context)
    month = str(targets["attempts"].month)
    assert [one.partition_key for one in found if one.partition_key[:7] == month] == [f"{month}-01"]
    assert all(
        one["config"] == {"dry_run": False} for ring in found
        for one in ring.run_config["ops"].values()
    )  # fmt: skip


class Killed(BaseException):
    """What a kill of the process looks like from inside."""


def _sense():
    """What the sensor asks for: the months, or why it rests."""
    with dg.DagsterInstance.ephemeral() as instance:
        found = unfinished_archival_sensor(
            dg.build_sensor_context(instance=instance, resources={"archive": ArchiveResource()})
        )
    if isinstance(found, dg.SkipReason):
        return found.skip_message
    assert all(
        one["config"] == {"dry_run": False} for ring in found
        for one in ring.run_config["ops"].values()
    )  # fmt: skip
    return [one.partition_key for one in found]


@pytest.mark.parametrize("label", ["uploading", "verified", "detached"])
def test_a_month_that_was_left_half_way_is_gone_on_with_at_once(database, platform, label):
    target = seed(database, debts=3)["attempts"]
    whole, key = contents(database, target), f"{target.month}-01"
    assert _sense() == "business time is not wall time: `tinko archive run` does it"
    with database.owner.begin() as connection:
        connection.execute(text("delete from business_clock"))
    assert _sense() == "no month is half way"

    def kill(here):
        if here == label:
            raise Killed

    with pytest.raises(Killed):
        run(archivist(database, platform, kill), {target})
    assert contents(database, target) == ({} if label == "detached" else whole)
    with exclusive(database.owner):
        assert _sense() == "an archival or a restore is under way by hand"
    assert _sense() == [key]
    (done,) = run(archivist(database, platform), {target})
    assert done.error is None
    assert _sense() == "no month is half way"


def test_a_month_that_stands_apart_for_no_reason_comes_back(database, platform):
    target = seed(database, debts=3)["attempts"]
    whole = contents(database, target)
    with database.owner.begin() as connection:
        connection.execute(text("delete from business_clock"))
        connection.execute(text(f"alter table attempts detach partition {target.partition}"))
    assert contents(database, target) == {}
    assert _sense() == [f"{target.month}-01"]
    (done,) = run(archivist(database, None), {target})
    assert done.state is None
    assert contents(database, target) == whole
    assert _sense() == "no month is half way"

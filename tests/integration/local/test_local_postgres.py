"""The embedded Postgres and the roles in it."""

import os
import signal
import subprocess
import sys
import textwrap

import psycopg
import pytest

from tests.integration.local.servers import running, wait_until
from tinko_pipelines.local import postgres, roles
from tinko_pipelines.local.postgres import EmbeddedPostgres

ROLES = ("tinko_owner", "tinko_app", "tinko_worker", "tinko_readonly", "tinko_lookup")


def connect(url):
    return psycopg.connect(url, autocommit=True)


def test_no_role_is_above_the_policies(server):
    with connect(server.superuser_url()) as connection:
        found = connection.execute(
            "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin"
            " from pg_roles where rolname = any(%s)",
            (list(ROLES),),
        ).fetchall()
    assert {row[0] for row in found} == set(ROLES)
    assert not [row for row in found if any(row[1:5])]
    assert {row[0] for row in found if not row[5]} == {"tinko_lookup"}


def test_databases_belong_to_their_roles(server):
    with connect(server.superuser_url()) as connection:
        owners = dict(
            connection.execute(
                "select datname, pg_get_userbyid(datdba) from pg_database"
                " where datname in ('tinko', 'dagster')"
            ).fetchall()
        )
    assert owners == {"tinko": "tinko_owner", "dagster": "tinko_worker"}


def test_only_the_right_password_gets_in(server):
    wrong = postgres.url(server.port, "tinko_app", "wrong", "tinko")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong, connect_timeout=5)


def test_the_app_may_not_enter_dagsters_database(server):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.url("tinko_app", "dagster"), connect_timeout=5)


def test_the_owner_can_hand_a_lookup_over(server):
    server.create_database("lookups")
    with connect(server.url("tinko_owner", "lookups")) as owner:
        owner.execute("create table secrets (value text)")
        owner.execute("grant usage, create on schema public to tinko_lookup")
        owner.execute("grant select on secrets to tinko_lookup")
        owner.execute(
            "create function peek() returns bigint language sql security definer"
            " as 'select count(*) from secrets'"
        )
        owner.execute("alter function peek() owner to tinko_lookup")
    with connect(server.url("tinko_app", "lookups")) as app:
        assert app.execute("select peek()").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("select * from secrets")
    server.drop_database("lookups")


def test_a_filtered_read_is_an_error_for_the_owner(server):
    server.create_database("policies")
    with connect(server.url("tinko_owner", "policies")) as owner:
        owner.execute("create table t (i int)")
        owner.execute("alter table t enable row level security")
        owner.execute("alter table t force row level security")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            owner.execute("select * from t")


def test_readers_cannot_write_even_what_they_were_granted(server):
    with connect(server.url("tinko_owner")) as owner:
        owner.execute("create table notes (i int)")
        owner.execute("grant insert on notes to tinko_readonly")
    with (
        connect(server.url("tinko_readonly")) as reader,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        reader.execute("insert into notes values (1)")


def test_doing_it_again_changes_only_the_passwords(server):
    changed = {**server.passwords(), "tinko_readonly": "other ' password"}
    roles.bootstrap(server.superuser_url(), changed)
    connect(postgres.url(server.port, "tinko_readonly", "other ' password", "tinko")).close()
    roles.bootstrap(server.superuser_url(), server.passwords())
    connect(server.url("tinko_readonly")).close()


def test_the_server_does_not_run_as_root(server):
    status = (server.data_dir / "postmaster.pid").read_text().splitlines()
    uid = os.stat(f"/proc/{status[0]}").st_uid
    assert uid != 0
    assert server.data_dir.stat().st_uid == uid


def test_what_was_committed_survives_a_kill(server):
    with connect(server.url("tinko_owner")) as owner:
        owner.execute("create table kept as select generate_series(1, 1000) as i")
    server.kill()
    server.start()
    with connect(server.url("tinko_owner")) as owner:
        assert owner.execute("select count(*) from kept").fetchone() == (1000,)


def test_a_stale_lock_of_another_program_does_not_stop_a_start(server):
    server.kill()
    lock = server.data_dir / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server.start()
    connect(server.url("tinko_app")).close()


def test_an_unfinished_initdb_is_started_over(tmp_path, free_port):
    data = tmp_path / "postgres"
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(data, free_port()) as fresh:
        connect(fresh.url("tinko_app")).close()
    assert not (tmp_path / "postgres.new").exists()


def test_it_dies_with_its_parent(tmp_path, free_port):
    script = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from tinko_pipelines.local.postgres import EmbeddedPostgres
        server = EmbeddedPostgres(Path({str(tmp_path / "pg")!r}), {free_port()})
        server.start()
        print(server._process.pid, flush=True)
        time.sleep(600)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert running(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not running(pid), 30, "the orphan's end")

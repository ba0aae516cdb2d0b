"""What the webhook benchmark runs against: a durable Postgres, and one app at a time over it."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import psycopg

from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.tenants.connections import create_connection
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.core.tenants.organisations import create_organisation
from tinko_pipelines.local import migrate
from tinko_pipelines.local.ports import free_port
from tinko_pipelines.local.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Stack:
    """A migrated database with one Stripe connection, and the environment of an app over it."""

    server: EmbeddedPostgres
    connection_id: UUID
    secret: str
    environment: dict[str, str]

    @property
    def path(self) -> str:
        return f"/v1/webhooks/stripe/{self.connection_id}"

    def empty(self) -> None:
        """Start a run on an empty inbox, with nothing left to write out from the one before."""
        self._await_writers()
        with psycopg.connect(self.server.superuser_url("tinko"), autocommit=True) as connection:
            connection.execute("truncate inbox_events, inbox_keys")
            connection.execute("checkpoint")

    def _await_writers(self) -> None:
        """Until what the client broke off is stored too: a truncate beside it would deadlock."""
        stored = -1
        while (rows := self.rows()) != stored:
            stored = rows
            time.sleep(0.3)

    def rows(self) -> int:
        with psycopg.connect(self.server.superuser_url("tinko")) as connection:
            found = connection.execute("select count(*) from inbox_events").fetchone()
            return int(found[0]) if found else 0


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Postgres with fsync on, as in production."""
    with EmbeddedPostgres(folder / "pg", free_port(), fsync=True) as server:
        migrate.upgrade_postgres(server.url("tinko_owner"))
        now = datetime.now(UTC)
        owner = make_engine(server.url("tinko_owner"), pooled=False)
        partitions.ensure(owner, now)
        key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        secret = secrets.token_hex(20)
        worker = make_engine(server.url("tinko_worker"), pooled=False)
        with unit_of_work(worker) as connection:
            org = create_organisation(connection, "bench", "Benchmark", now)
            made = create_connection(
                connection,
                org.org_id,
                Psp.STRIPE,
                "acct_bench",
                Credentials("key", None, (secret,)),
                now,
                livemode=False,
                envelope=Envelope((base64.urlsafe_b64decode(key),)),
            )
        environment = os.environ | {
            "DATABASE_URL": server.url("tinko_app"),
            "DATABASE_WORKER_URL": server.url("tinko_worker"),
            "DATABASE_READONLY_URL": server.url("tinko_readonly"),
            "CREDENTIALS_KEY": key,
            "BENCH_WEBHOOK_SECRET": secret,
        }
        yield Stack(server, made, secret, environment)


@dataclass(frozen=True)
class Served:
    """One app on one uvicorn worker."""

    port: int
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def cpu_seconds(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)


@contextmanager
def serving(stack: Stack, app: str, folder: Path) -> Iterator[Served]:
    """uvicorn with one worker, uvloop and httptools, without an access log: the same for all."""
    port = free_port()
    with (folder / f"{app}.log").open("ab") as log:
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--factory"),
                *(f"tests.benchmarks.webhook_apps:{app}", "--app-dir", str(ROOT)),
                *("--host", HOST, "--port", str(port), "--workers", "1"),
                *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
            ],
            cwd=ROOT,
            env=stack.environment,
            stdout=log,
            stderr=log,
        )
    try:
        _await(child, port, folder / f"{app}.log")
        yield Served(port, psutil.Process(child.pid))
    finally:
        child.terminate()
        child.wait(30)


def _await(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx.get(f"http://{HOST}:{port}/healthz", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the app did not start:\n{log.read_text()[-2000:]}")

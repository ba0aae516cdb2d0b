"""A migrated database, organisations with connections, and the API over them."""

from __future__ import annotations

import base64
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from deliveries import Merchant, serving
from sqlalchemy import text

from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.db.tables import metadata
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.api_keys import create_api_key
from tinko_pipelines.core.tenants.connections import create_connection
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.core.tenants.organisations import create_organisation
from tinko_pipelines.local.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("owner", "app", "worker", "readonly")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A Postgres of this session's own, migrated, with partitions from this month on."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("api") / "pg", free_port()) as running:
        migrate(running)
        yield running


def migrate(running):
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sql" / "postgres"))
    config.set_main_option("path_separator", "os")
    url = running.url("tinko_owner")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")
    owner = make_engine(url, pooled=False)
    partitions.ensure(owner, datetime.now(UTC))
    owner.dispose()


@pytest.fixture(scope="session")
def credentials_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.fixture
def settings(server, credentials_key):
    urls = {
        "database_url" if role == "app" else f"database_{role}_url": server.url(f"tinko_{role}")
        for role in ROLES
    }
    return Settings(
        **urls,
        credentials_key=credentials_key,
        webhook_max_bytes=65_536,
        rate_limit_rules="10000/minute",
        clickhouse_url=f"http://127.0.0.1:{free_port()}/tinko",
        smtp_port=free_port(),
    )


@pytest.fixture
def owner(settings):
    engine = make_engine(settings.database_owner_url, pooled=False)
    yield engine
    engine.dispose()


@pytest.fixture
def worker(settings):
    engine = make_engine(settings.database_worker_url, pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture
def clean(owner):
    """Every test starts on empty tables."""
    with owner.begin() as connection:
        connection.execute(text("truncate " + ", ".join(metadata.tables)))


@pytest.fixture
def add_merchant(clean, worker, settings):
    """Makes an organisation with a connection per PSP and an API key."""

    def add(slug="acme"):
        now = datetime.now(UTC)
        envelope = Envelope.from_setting(settings.credentials_key)
        with unit_of_work(worker) as connection:
            org = create_organisation(connection, slug, slug.title(), now)
            ids = {
                psp: create_connection(
                    connection,
                    org.org_id,
                    psp,
                    f"acct_{slug}",
                    Credentials(f"key_{slug}", "secret", (f"whsec_{slug}_{psp}",)),
                    now,
                    livemode=False,
                    envelope=envelope,
                )
                for psp in Psp
            }
            key = create_api_key(connection, org.org_id, "test", now)
        return Merchant(
            org.org_id,
            ids[Psp.STRIPE],
            ids[Psp.RAZORPAY],
            f"whsec_{slug}_stripe",
            f"whsec_{slug}_razorpay",
            key,
        )

    return add


@pytest.fixture
def merchant(add_merchant):
    return add_merchant()


@pytest.fixture
def client(settings):
    with serving(settings) as running:
        yield running


@pytest.fixture
def inbox(worker):
    """Reads the inbox as the worker does: every row, oldest first."""

    def read():
        with unit_of_work(worker) as connection:
            return list(
                connection.execute(text("select * from inbox_events order by id")).mappings()
            )

    return read


@pytest.fixture
def inbox_keys(worker):
    def read():
        with unit_of_work(worker) as connection:
            return list(connection.execute(text("select * from inbox_keys")).mappings())

    return read

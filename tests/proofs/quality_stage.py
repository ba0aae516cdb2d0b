"""The engines that the proof of data quality needs, in a folder of their own: Postgres, ClickHouse
and the dbt project on it."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from tests.postgres import migrated_postgres
from tests.proofs.quality_world import NOW
from tinko_pipelines.core.analytics import schema
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.dbt import DbtProject
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.local import process
from tinko_pipelines.local.ports import free_port

DATABASE = "quality"
SERVER = "tinko_pipelines.local.chserver"


@dataclass
class Store:
    """ClickHouse with its tables, and dbt on it."""

    client: Client
    project: DbtProject


@contextmanager
def postgres() -> Iterator[Engine]:
    """A migrated database with the partitions of the world's month, as tinko_worker."""
    with migrated_postgres([NOW], DATABASE) as server:
        engine = make_engine(server.url("tinko_worker", DATABASE))
        yield engine
        engine.dispose()


@contextmanager
def clickhouse(folder: Path) -> Iterator[Store]:
    """The embedded server, its schema applied and the project parsed."""
    port, password = free_port(), secrets.token_urlsafe(16)
    child = process.spawn(
        [
            sys.executable,
            "-m",
            "tinko_pipelines.local.chserver",
            "--data",
            str(folder / "ch"),
            "--port",
            str(port),
        ],
        log=folder / "clickhouse.log",
        env={**os.environ, "CHSERVER_WRITER_PASSWORD": password},
    )
    try:
        _wait_for(port)
        address = ClickHouseAddress.parse(f"http://tinko_writer:{password}@127.0.0.1:{port}/tinko")
        client = address.client()
        schema.apply(client)
        project = DbtProject(address, target=folder / "target")
        project.prepare()
        yield Store(client, project)
        client.close()
    finally:
        process.stop(child)


def _wait_for(port: int) -> None:
    for _ in range(1200):
        with suppress(OSError):
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/ping").status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError("ClickHouse did not start")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="quality-") as made:
        yield Path(made)

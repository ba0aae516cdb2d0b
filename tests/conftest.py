"""What every test may use: one real Postgres for the session, a fresh migrated database each."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from tests.postgres import migrated_postgres
from tests.s3 import S3Server
from tests.skips import (  # noqa: F401 (pytest finds its hooks here)
    pytest_collectreport,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.local.postgres import EmbeddedPostgres

TEMPLATE = "tinko_template"
# the months of the fixed business instants that tests use, besides those around the wall's
FIRST_MONTH, LAST_MONTH = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)

# no test asserts on seconds, hypothesis's neither: the machine may be busy
settings.register_profile("tinko", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the same examples for everybody, or a landing hangs on a draw; EXPLORE=1 draws new ones
settings.register_profile("same", settings.get_profile("tinko"), derandomize=True)
settings.load_profile("tinko" if os.environ.get("EXPLORE") else "same")

# what is collected stays: the collector walks it neither while it grows nor at every test after it
gc.disable()

# nor does the SMTP server that some start: five seconds is its own
os.environ.setdefault("AIOSMTPD_CONTROLLER_TIMEOUT", "60")

_connect = socket.socket.connect


def _loopback_only(self, address):
    host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"a test tried to reach {host}: only the loopback is there")
    return _connect(self, address)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Nothing but the loopback, for every test."""
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)


# from the longest on; what is not named takes less. All that use the one started stack are one
# file, or each worker would start its own
LONGEST = (
    *("tests/chaos/test_up.py", "tests/chaos/test_demo.py", "tests/chaos/"),
    *("tests/defs/", "tests/integration/local/", "tests/browser/", "tests/unit/benchmarks/"),
    *("tests/integration/", "tests/api/", "tests/contract/"),
)


def pytest_collection_modifyitems(items):
    """The longest first: where workers share the files, none waits for another at the end."""

    def place(item):
        begun = (nth for nth, path in enumerate(LONGEST) if item.nodeid.startswith(path))
        return next(begun, len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def no_instance_of_before(monkeypatch):
    """Loading definitions asks the instance that was entered last. One that a test left behind
    comes back whenever the collector ends those after it: none is asked."""
    if known := sys.modules.get("dagster._core.storage.defs_state.base"):
        monkeypatch.setattr(known.DefsStateStorage, "get", lambda: None)


@dataclass
class Database:
    """A migrated database of one test, with an engine per role."""

    server: EmbeddedPostgres
    name: str

    def url(self, role: str) -> str:
        return self.server.url(role, self.name)

    def _engine(self, role: str) -> Engine:
        return make_engine(self.url(role), pool_size=4)

    @cached_property
    def worker(self) -> Engine:
        return self._engine("tinko_worker")

    @cached_property
    def app(self) -> Engine:
        return self._engine("tinko_app")

    @cached_property
    def owner(self) -> Engine:
        return self._engine("tinko_owner")

    @cached_property
    def readonly(self) -> Engine:
        return self._engine("tinko_readonly")

    def dispose(self) -> None:
        for role in ("worker", "app", "owner", "readonly"):
            if role in self.__dict__:
                self.__dict__[role].dispose()


def months():
    """An instant in each month whose partition stands in every test's database."""
    now = datetime.now(UTC)
    yield from (now + timedelta(days=days) for days in (-31, 0, 31))
    month = FIRST_MONTH
    while month <= LAST_MONTH:
        yield month
        month += timedelta(days=28)


MEMORY = Path("/dev/shm")
ENOUGH = 4 * 2**30  # bytes; one server's databases and log take a tenth of it


def _fast_folder():
    """Where a copy of the template, some 800 files, takes a third of the time; None: not here."""
    room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free
    return MEMORY if room and room > ENOUGH else None


@pytest.fixture(scope="session")
def postgres():
    """One server for the session, with a migrated template to copy."""
    with migrated_postgres(months(), TEMPLATE, parent=_fast_folder()) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def database(postgres):
    """A database of this test's own: a copy of the migrated template."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, TEMPLATE)
    made = Database(postgres, name)
    yield made
    made.dispose()
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """SeaweedFS as the stack runs it; `s3.store()` is a bucket of its own. It takes a seventh of a
    core where nobody asks it anything, so it does not stay for the session."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server

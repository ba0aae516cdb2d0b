"""The same shop as the recovery tests use."""

import pytest
from typer.testing import CliRunner

from tests.integration.recovery.conftest import (  # noqa: F401
    open_shop,
    razored,
    receiver,
    sandbox,
    settings,
    shop,
    striped,
)
from tinko_pipelines.cli import app
from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, worker_engine
from tinko_pipelines.core.settings import get_settings


@pytest.fixture
def command(shop, database, monkeypatch):  # noqa: F811 (the fixture itself)
    """`tinko` on the shop's database, at the shop's time."""
    for role in ("worker", "owner"):
        monkeypatch.setenv(f"DATABASE_{role.upper()}_URL", database.url(f"tinko_{role}"))
    caches = (get_settings, worker_engine, owner_engine)
    for cache in caches:
        cache.cache_clear()

    def invoke(*arguments, **how):
        clock = DatabaseClock(libpq_url(database.url("tinko_worker")))
        clock.freeze_at(shop.clock.now())
        clock.close()
        return CliRunner().invoke(app, [str(one) for one in arguments], **how)

    yield invoke
    worker_engine().dispose()
    for cache in caches:
        cache.cache_clear()

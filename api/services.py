"""What the routes use, built once per app and found on `app.state`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from api.metrics import IngestionCollector, WebhookMetrics, new_registry
from api.security import RateLimits
from api.webhooks.directory import DatabaseFetch, Directory, Fetch
from api.webhooks.intake import Intake
from api.webhooks.storage import InboxStorage, Storage
from tinko_pipelines.core.clock import Clock, DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, make_engine
from tinko_pipelines.core.psp.registry import reader
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.envelope import Envelope

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Services:
    """`app` sees one tenant at a time; `readonly` too; `worker` sees all (console only)."""

    settings: Settings
    clock: Clock
    app: Engine
    readonly: Engine
    worker: Engine
    intake: Intake
    fetch: Fetch
    limits: RateLimits
    registry: CollectorRegistry
    webhook_metrics: WebhookMetrics

    async def close(self) -> None:
        """Store what is waiting, then let go of every connection."""
        await self.intake.storage.close()
        await self.fetch.close()
        for engine in (self.app, self.readonly, self.worker):
            engine.dispose()
        if isinstance(self.clock, DatabaseClock):
            self.clock.close()


def build(
    settings: Settings, storage: Storage | None = None, fetch: Fetch | None = None
) -> Services:
    """Nothing is connected yet, so the API starts while Postgres is still down.

    `storage` and `fetch` stand in for the inbox and the lookup of connections (the benchmark's
    peer and ceiling). Raises SettingsError for a missing CREDENTIALS_KEY or malformed
    RATE_LIMIT_RULES.
    """
    registry = new_registry()
    metrics = WebhookMetrics(registry)
    if fetch is None:
        envelope = Envelope.from_setting(settings.credentials_key)
        fetch = DatabaseFetch(settings.database_url, envelope)
    if storage is None:
        storage = InboxStorage(settings.database_url, observe=metrics.batch.observe)
        commits = storage.commits
        metrics.waiting.set_function(lambda: commits.waiting)
    worker = make_engine(settings.database_worker_url, pool_size=2)
    registry.register(IngestionCollector(worker))
    return Services(
        settings=settings,
        clock=DatabaseClock(libpq_url(settings.database_url)),
        app=make_engine(settings.database_url, pool_size=8),
        readonly=make_engine(settings.database_readonly_url, pool_size=2),
        worker=worker,
        intake=Intake(Directory(fetch), storage, reader, settings.webhook_max_bytes),
        fetch=fetch,
        limits=RateLimits(settings.rate_limit_rules, settings.redis_url),
        registry=registry,
        webhook_metrics=metrics,
    )


def services_of(request: Request) -> Services:
    """The app's services."""
    found: Services = request.app.state.services
    return found

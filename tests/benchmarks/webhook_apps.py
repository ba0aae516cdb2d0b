"""The three apps of the webhook benchmark: ours, one insert per request, and no database.

All three are the whole API and differ only in where a verified event goes.
`uvicorn --factory tests.benchmarks.webhook_apps:ours`, settings by environment.
"""

from __future__ import annotations

import os
import time
from uuid import UUID

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from api.main import create_app
from api.services import build
from api.webhooks.directory import Receiver
from tinko_pipelines.core.db.engine import libpq_url
from tinko_pipelines.core.inbox.store import IncomingEvent, StoredResult, store_events_async
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.settings import get_settings


class OneByOne:
    """What most webhook handlers do: a transaction per request, over a pool of connections."""

    def __init__(self, url: str, size: int = 10) -> None:
        self._pool = AsyncConnectionPool(
            libpq_url(url),
            min_size=size,
            max_size=size,
            open=False,
            kwargs={"autocommit": True, "options": "-c timezone=UTC -c synchronous_commit=on"},
        )
        self._open = False

    async def submit(self, event: IncomingEvent) -> StoredResult:
        if not self._open:
            self._open = True
            await self._pool.open()
        async with self._pool.connection() as connection, connection.transaction():
            return (await store_events_async(connection, [event]))[0]

    async def close(self) -> None:
        await self._pool.close()


class Nowhere:
    """The ceiling: everything but the database."""

    async def submit(self, event: IncomingEvent) -> StoredResult:
        return StoredResult(event.connection_id)

    async def close(self) -> None:
        return None


class OneReceiver:
    """The ceiling's only connection, out of the environment."""

    async def __call__(self, connection_id: UUID) -> Receiver | None:
        secrets = (os.environ["BENCH_WEBHOOK_SECRET"],)
        org_id = UUID(int=0)
        return Receiver(
            connection_id, org_id, Psp.STRIPE, "acct_bench", False, secrets, time.monotonic()
        )

    async def close(self) -> None:
        return None


def ours() -> FastAPI:
    return create_app()


def one_by_one() -> FastAPI:
    settings = get_settings()
    return create_app(build(settings, storage=OneByOne(settings.database_url)))


def ceiling() -> FastAPI:
    return create_app(build(get_settings(), storage=Nowhere(), fetch=OneReceiver()))

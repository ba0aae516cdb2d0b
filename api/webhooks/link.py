"""One asynchronous connection to Postgres that is made when needed and made again when lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from tinko_pipelines.core.db.engine import libpq_url

# A PSP gives up after 5 s (Razorpay), so nothing may take longer. An answer means that the event
# survives a crash, whatever the server's default for commits is.
_OPTIONS = "-c timezone=UTC -c statement_timeout=3500 -c lock_timeout=3000 -c synchronous_commit=on"
_CONNECT_SECONDS = 2


class Link:
    """`url` is a database URL. Used by one task at a time; others wait for their turn."""

    def __init__(self, url: str) -> None:
        self._dsn = libpq_url(url)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The connection, in autocommit. Raises psycopg.OperationalError when it cannot be had."""
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._dsn,
                    autocommit=True,
                    connect_timeout=_CONNECT_SECONDS,
                    options=_OPTIONS,
                    application_name="tinko-webhooks",
                )
            try:
                yield self._connection
            except (psycopg.OperationalError, psycopg.InterfaceError, asyncio.CancelledError):
                # what state it is in is not known: never used again
                await self._connection.close()
                raise

    async def close(self) -> None:
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()

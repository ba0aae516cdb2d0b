"""Which connection an address belongs to, and the secrets that sign for it, kept for a while."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from api.errors import Unavailable
from api.webhooks.link import Link
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import UnknownConnection
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.tenants.connections import load_credentials, read_connection
from tinko_pipelines.core.tenants.envelope import Envelope

MAX_AGE = 5.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """A connection as its webhooks need it. `loaded` is monotonic wall time in seconds."""

    id: UUID
    org_id: UUID
    psp: Psp
    account_id: str
    livemode: bool
    secrets: tuple[str, ...]
    loaded: float


class Fetch(Protocol):
    """Looks one connection up."""

    async def __call__(self, connection_id: UUID) -> Receiver | None:
        """None where no active connection has the id. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Directory:
    """Receivers by connection id, at most `max_age` seconds old.

    A disconnected connection is thus still received for that long; a changed secret is not waited
    for, since a signature that does not match asks again (`newer_than`).
    """

    def __init__(self, fetch: Fetch, max_age: float = MAX_AGE) -> None:
        self._fetch = fetch
        self._max_age = max_age
        self._known: dict[UUID, Receiver] = {}
        self._asking: dict[UUID, asyncio.Task[Receiver | None]] = {}

    async def find(self, connection_id: UUID) -> Receiver:
        """Raises UnknownConnection; Unavailable when it cannot be looked up."""
        known = self._known.get(connection_id)
        if known is not None and time.monotonic() - known.loaded < self._max_age:
            return known
        return await self._ask(connection_id)

    async def newer_than(self, old: Receiver) -> Receiver:
        """The receiver as loaded after `old` was: by another request meanwhile, or now."""
        known = self._known.get(old.id)
        if known is not None and known.loaded > old.loaded:
            return known
        return await self._ask(old.id)

    async def _ask(self, connection_id: UUID) -> Receiver:
        """One question at a time per connection, however many requests wait for its answer."""
        task = self._asking.get(connection_id)
        if task is None:
            task = asyncio.create_task(self._fetch(connection_id))
            self._asking[connection_id] = task
            task.add_done_callback(lambda _: self._asking.pop(connection_id, None))
        # shielded: a caller that goes away must not take the others' answer with it
        found = await asyncio.shield(task)
        if found is None:
            self._known.pop(connection_id, None)
            raise UnknownConnection(f"no active connection has the id {connection_id}")
        self._known[connection_id] = found
        return found


class DatabaseFetch:
    """Asks the lookup function, which alone may see connections across tenants."""

    def __init__(self, url: str, envelope: Envelope) -> None:
        self._link = Link(url)
        self._envelope = envelope
        self._sql = query("tenants", "find_connection").text.replace(":id", "%(id)s").encode()

    async def __call__(self, connection_id: UUID) -> Receiver | None:
        try:
            row = await self._row(connection_id)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable("the database cannot be reached") from error
        if row is None:
            return None
        found = read_connection(row)
        secrets = load_credentials(found, self._envelope).webhook_secrets
        return Receiver(
            found.id,
            found.org_id,
            found.psp,
            found.account_id,
            found.livemode,
            secrets,
            time.monotonic(),
        )

    async def close(self) -> None:
        await self._link.close()

    async def _row(self, connection_id: UUID) -> dict[str, Any] | None:
        for last in (False, True):
            try:
                async with self._link.use() as connection:
                    cursor = connection.cursor(row_factory=dict_row)
                    await cursor.execute(self._sql, {"id": connection_id})
                    return await cursor.fetchone()
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if last:
                    raise
        raise AssertionError("unreachable")

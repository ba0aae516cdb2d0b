"""Where verified events go: the inbox, many by one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import psycopg

from api.errors import Unavailable
from api.webhooks.group_commit import GroupCommit, SharedFailure
from api.webhooks.link import Link
from tinko_pipelines.core.errors import InvalidInput, PartitionMissing
from tinko_pipelines.core.inbox.store import IncomingEvent, StoredResult, store_events_async

_SECONDS = 4.5
# the server's own word that this statement took too long: a second try would not be quicker
_TOO_SLOW = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


class Storage(Protocol):
    """Answers once the event is safe."""

    async def submit(self, event: IncomingEvent) -> StoredResult:
        """Store `event` once. Raises Unavailable, PartitionMissing or InvalidInput."""
        ...

    async def close(self) -> None:
        """Finish what was submitted and let go of connections."""
        ...


class InboxStorage:
    """Group commit into `inbox_events`, over one connection per writer."""

    def __init__(
        self, url: str, *, writers: int = 1, observe: Callable[[int], None] = lambda size: None
    ) -> None:
        self._links = [Link(url) for _ in range(writers)]
        self._free = list(self._links)
        self.commits: GroupCommit[IncomingEvent, StoredResult] = GroupCommit(
            self._store, writers=writers, observe=observe
        )

    async def submit(self, event: IncomingEvent) -> StoredResult:
        return await self.commits.submit(event)

    async def close(self) -> None:
        await self.commits.drain()
        for link in self._links:
            await link.close()

    async def _store(self, events: list[IncomingEvent]) -> list[StoredResult]:
        link = self._free.pop()
        try:
            async with asyncio.timeout(_SECONDS):
                return await _store_twice(link, events)
        except TimeoutError:
            raise SharedFailure(Unavailable("the database did not answer in time")) from None
        except PartitionMissing as error:
            raise SharedFailure(error) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            reason = Unavailable("the database cannot be reached; the event was not stored")
            reason.__cause__ = error
            raise SharedFailure(reason) from error
        except (psycopg.DataError, UnicodeError) as error:
            # NUL or a lone surrogate in an id: no Postgres text can hold it
            raise InvalidInput(f"the event cannot be stored: {error}") from error
        finally:
            self._free.append(link)


async def _store_twice(link: Link, events: list[IncomingEvent]) -> list[StoredResult]:
    """Store, and once more over a new connection where the old one was lost.

    Whether the lost one had committed is not known; if it had, the second try finds duplicates.
    """
    try:
        return await _store_once(link, events)
    except _TOO_SLOW:
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError):
        return await _store_once(link, events)


async def _store_once(link: Link, events: list[IncomingEvent]) -> list[StoredResult]:
    async with link.use() as connection, connection.transaction():
        return await store_events_async(connection, events)

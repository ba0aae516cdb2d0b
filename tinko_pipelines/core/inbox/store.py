"""Store each PSP event once, before anything is done with it (DESIGN.md rule 2).

An event is known again by its id and by the SHA-256 of its raw body, each per connection: the id
alone will not do (Razorpay's is an unsigned header), nor will the body (Stripe changes
`pending_webhooks` between two deliveries). What is to be sent to the database is decided by one
generator, which a synchronous and an asynchronous connection both run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from tinko_pipelines.core.clock import ClockRow
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PartitionMissing
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import ParsedEvent, Psp

SEPARATOR = "\x1f"
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)
_BIND = re.compile(r"(?<![:\w]):(\w+)")

Source = Literal["webhook", "heal"]


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """One verified event. `body` are the raw bytes as they were signed."""

    org_id: UUID
    connection_id: UUID
    psp: Psp
    event: ParsedEvent
    body: bytes
    body_sha256: bytes
    source: Source

    @classmethod
    def of(
        cls,
        org_id: UUID,
        connection_id: UUID,
        psp: Psp,
        event: ParsedEvent,
        body: bytes,
        source: Source = "webhook",
    ) -> IncomingEvent:
        digest = hashlib.sha256(body).digest()
        return cls(org_id, connection_id, psp, event, body, digest, source)

    @property
    def keys(self) -> tuple[str, str]:
        """What `inbox_keys` holds for it."""
        return f"evt:{self.event.event_id}", f"sha:{self.body_sha256.hex()}"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """`inbox_id` of a newly stored event, or by what a duplicate was known."""

    inbox_id: UUID | None
    matched: Literal["event_id", "body"] | None = None

    @property
    def stored(self) -> bool:
        return self.inbox_id is not None


Rows = list[tuple[Any, ...]]
Step = tuple[bytes, Mapping[str, Any]]
Steps = Generator[Step, Rows, list[StoredResult]]


def store_events(
    connection: Connection, events: list[IncomingEvent], at: datetime | None = None
) -> list[StoredResult]:
    """Store what is new, in the caller's transaction; one result per event, in order.

    `at` is the business instant they are received at; without it the database's clock says.
    Leaves the tenant set to that of the last event. Raises PartitionMissing when the month has
    no partition; the transaction is then aborted.
    """
    # psycopg's own cursor: SQLAlchemy cannot ask for binary parameters
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    steps = storing(events, at)
    with driver.cursor() as cursor:
        try:
            statement, values = next(steps)
            while True:
                cursor.execute(statement, values)
                statement, values = steps.send(cursor.fetchall())
        except StopIteration as done:
            return list(done.value)
        except psycopg.errors.CheckViolation as error:
            raise partition_missing(error) from error


async def store_events_async(
    connection: psycopg.AsyncConnection[Any],
    events: list[IncomingEvent],
    at: datetime | None = None,
) -> list[StoredResult]:
    """`store_events` on an asynchronous psycopg connection, in the caller's transaction."""
    steps = storing(events, at)
    async with connection.cursor() as cursor:
        try:
            statement, values = next(steps)
            while True:
                await cursor.execute(statement, values)
                statement, values = steps.send(await cursor.fetchall())
        except StopIteration as done:
            return list(done.value)
        except psycopg.errors.CheckViolation as error:
            raise partition_missing(error) from error


def storing(events: list[IncomingEvent], at: datetime | None = None) -> Steps:
    """The statements that store `events`, each sent back its rows; returns the results."""
    results: list[StoredResult | None] = [None] * len(events)
    # tenants in one order for all: transactions that share several wait, and never deadlock
    order = sorted(range(len(events)), key=lambda index: events[index].org_id.bytes)
    for org_id, indexes in groupby(order, key=lambda index: events[index].org_id):
        clock = yield statement("enter_tenant"), {"org": str(org_id)}
        instant = at or _business_time(clock)
        for layer in _layers(events, indexes):
            batch = [events[index] for index in layer]
            found = yield from _store_distinct(org_id, batch, instant)
            for index, result in zip(layer, found, strict=True):
                results[index] = result
    return [result for result in results if result is not None]


def _store_distinct(org_id: UUID, batch: list[IncomingEvent], at: datetime) -> Steps:
    """Store events of one tenant that share no key with each other."""
    ids = [new_id(at) for _ in batch]
    rows = yield (
        statement("store"),
        {
            "org": org_id,
            "at": at,
            "ids": ids,
            "connection_ids": [item.connection_id for item in batch],
            "psps": [str(item.psp) for item in batch],
            "sources": [item.source for item in batch],
            "event_ids": [item.event.event_id for item in batch],
            "event_types": [item.event.event_type for item in batch],
            "psp_created_ats": [item.event.created_at for item in batch],
            "hashes": [item.body_sha256 for item in batch],
            "bodies": [item.body for item in batch],
            "object_ids": [SEPARATOR.join(item.event.object_ids) for item in batch],
        },
    )
    owned = {row[0]: (row[1], row[2]) for row in rows}
    results, surplus = [], []
    for item, inbox_id in zip(batch, ids, strict=True):
        keys, own_id = owned.get(inbox_id, (0, False))
        if keys == 2:
            results.append(StoredResult(inbox_id))
            continue
        if keys == 1:
            surplus.append((item.connection_id, item.keys[0 if own_id else 1]))
        results.append(StoredResult(None, "body" if own_id else "event_id"))
    if surplus:
        yield (
            statement("release"),
            {
                "connection_ids": [connection_id for connection_id, _ in surplus],
                "keys": [key for _, key in surplus],
            },
        )
    return results


def _layers(events: list[IncomingEvent], indexes: Iterable[int]) -> list[list[int]]:
    """Split so that no two events of a layer share a key, and each comes after its likes."""
    depth: dict[tuple[UUID, str], int] = {}
    layers: list[list[int]] = []
    for index in indexes:
        keys = [(events[index].connection_id, key) for key in events[index].keys]
        level = max(depth.get(key, -1) for key in keys) + 1
        depth.update(dict.fromkeys(keys, level))
        if level == len(layers):
            layers.append([])
        layers[level].append(index)
    return layers


@cache
def statement(name: str) -> bytes:
    """A query of inbox_store.sql for psycopg, every parameter sent as binary."""
    text = _COMMENT.sub("", query("inbox_store", name).text).strip().replace("%", "%%")
    return _BIND.sub(r"%(\1)b", text).encode()


def partition_missing(error: psycopg.errors.CheckViolation, where: str = "the inbox") -> Exception:
    """The error to raise instead: PartitionMissing, or `error` itself where it is another check."""
    if "no partition" not in str(error):
        return error
    return PartitionMissing(
        f"{where} has no partition for this month: run the partitions asset, or `tinko doctor`"
    )


def _business_time(rows: Rows) -> datetime:
    _, epoch, anchor, rate, frozen = rows[0]
    wall = datetime.now(UTC)
    return wall if epoch is None else ClockRow(epoch, anchor, float(rate), frozen).at(wall)

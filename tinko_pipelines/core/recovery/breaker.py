"""A circuit breaker per connection: a PSP that does not answer is left alone for a while.

`THRESHOLD` calls in a row without an answer open it, for a span that grows with each probe that
fails. While it is open the connection's attempts stay scheduled: an outage costs no attempt, no
key and no guard's count. After the span the next claim takes one attempt as the probe, and
nothing else until that one has ended or its lease is over. Wall time, shared by all processes.
"""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.apply import Account

THRESHOLD = 5
FIRST = timedelta(seconds=30)
MOST = timedelta(minutes=10)
# processes that were cut off together do not come back together
JITTER = 0.25


def span(failures: int, jitter: float) -> timedelta:
    """How long to leave a connection alone after so many failures in a row.

    `jitter` in [-1, 1]. Zero below the threshold.
    """
    if failures < THRESHOLD:
        return timedelta()
    doublings = min(failures - THRESHOLD, 16)
    grown: timedelta = min(FIRST * 2**doublings, MOST)
    return grown * (1 + JITTER * jitter)


def failed(connection: Connection, account: Account, wall: datetime, *, probe: bool) -> None:
    """A call was not answered. Those that were under way when it opened count no further."""
    values = {
        "connection_id": account.connection_id,
        "org_id": account.org_id,
        "probe": probe,
        "wall": wall,
    }
    failures = connection.scalar(query("charging", "count_failure"), values)
    if failures is not None and failures >= THRESHOLD:
        until = wall + span(failures, random.uniform(-1, 1))
        connection.execute(
            query("charging", "open_breaker"),
            {"connection_ids": [account.connection_id], "until": until, "wall": wall},
        )


def answered(connection: Connection, connection_id: uuid.UUID, wall: datetime) -> None:
    """A call was answered, whatever it said: the connection is well."""
    connection.execute(
        query("charging", "close_breaker"), {"connection_id": connection_id, "wall": wall}
    )


def let_one_through(
    connection: Connection, connection_ids: list[uuid.UUID], wall: datetime, until: datetime
) -> None:
    """Their probes are under way: nothing else goes there before `until`."""
    connection.execute(
        query("charging", "open_breaker"),
        {"connection_ids": connection_ids, "until": until, "wall": wall},
    )

"""The quarantine: rows set aside with their reasons, let back or given up by a person."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.quality.model import Aside, QuarantineState, Source

MOST_SHOWN = 200
Replayer = Callable[[Connection, Sequence[Row[Any]], datetime], None]


def set_aside(connection: Connection, rows: Iterable[Aside], now: datetime) -> int:
    """Keep `rows`; how many. The same row again is the same entry, held once more."""
    values = [
        {
            "id": new_id(now),
            "org_id": one.org_id,
            "source": one.source.value,
            "frame": one.frame,
            "key": one.key,
            "debt_id": one.debt_id,
            "reasons": list(one.refusal.reasons),
            "detail": one.refusal.detail,
            "payload": json.dumps(one.payload, default=str),
            "now": now,
        }
        for one in rows
    ]
    if values:
        connection.execute(query("quality", "set_aside"), values)
    return len(values)


def held(
    connection: Connection,
    *,
    state: QuarantineState | None = QuarantineState.QUARANTINED,
    source: Source | None = None,
    reason: str | None = None,
    before: uuid.UUID | None = None,
    limit: int = MOST_SHOWN,
) -> list[RowMapping]:
    """Entries, newest first: those of the connection's tenant, or all for tinko_worker."""
    values = {
        "state": state,
        "source": source,
        "reason": reason,
        "before": before,
        "limit": limit,
    }
    return list(connection.execute(query("quality", "held"), values).mappings())


def counts(connection: Connection) -> list[RowMapping]:
    """Entries by state, source, frame and the check that holds them."""
    return list(connection.execute(query("quality", "held_counts")).mappings())


@dataclass(frozen=True, slots=True)
class Which:
    """Entries by id, or all that one check holds; not both left out."""

    ids: tuple[uuid.UUID, ...] = ()
    reason: str | None = None

    def lock(self, connection: Connection) -> Sequence[Row[Any]]:
        """The entries, locked. Raises NotFound where an id is not held, or nothing is."""
        if not self.ids and not self.reason:
            raise NotFound("name the entries by id, or the check that holds them")
        values = {"ids": list(self.ids) or None, "reason": self.reason}
        rows = connection.execute(query("quality", "to_decide"), values).all()
        missing = set(self.ids) - {row.id for row in rows}
        if missing or not rows:
            which = ", ".join(sorted(map(str, missing))) or self.reason
            raise NotFound(f"not in quarantine: {which}")
        return rows


def replay(
    connection: Connection,
    which: Which,
    now: datetime,
    by: str,
    replayers: Mapping[Source, Replayer],
) -> int:
    """Let entries back the way of their source; how many.

    They are held again where they are refused again. Raises NotFound, Conflict.
    """
    rows = which.lock(connection)
    # first, so that a row that is refused again in the same breath ends as held
    _decide(connection, rows, QuarantineState.REPLAYED, now, by)
    by_source: dict[Source, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_source[Source(row.source)].append(row)
    for source, mine in by_source.items():
        replayers[source](connection, mine, now)
    return len(rows)


def drop(connection: Connection, which: Which, now: datetime, by: str) -> int:
    """Give entries up; how many. Raises NotFound."""
    rows = which.lock(connection)
    _decide(connection, rows, QuarantineState.DROPPED, now, by)
    return len(rows)


def _decide(
    connection: Connection, rows: Sequence[Row[Any]], state: QuarantineState, now: datetime, by: str
) -> None:
    values = {"ids": [row.id for row in rows], "state": state.value, "by": by, "now": now}
    connection.execute(query("quality", "decide"), values)


def replay_events(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    """Events wait in the inbox again. Raises Conflict where their month was archived."""
    for row in rows:
        done = connection.execute(query("quality", "replay_event"), {"key": row.key})
        if done.rowcount != 1:
            raise Conflict(f"event {row.key} is not in the inbox any more: restore its month first")


def replay_debts(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    """All rows of the debts are written anew: the next check reads them, the next load too."""
    connection.execute(query("quality", "show_debts"), {"debt_ids": [row.debt_id for row in rows]})

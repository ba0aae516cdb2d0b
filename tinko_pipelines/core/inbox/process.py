"""Work off the inbox: raw events become observations, and observations the ledger.

Three phases, so that no transaction is open over a network call: read what waits; ask the PSP
what an event leaves out (asking.py); write, a batch in one transaction. A batch
that breaks is written again with a savepoint for each event, so that one poison event costs its
neighbours nothing.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import OperationalError, ProgrammingError

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.inbox.asking import ask
from tinko_pipelines.core.inbox.store import partition_missing
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import Observation, Psp
from tinko_pipelines.core.quality.admission import refused
from tinko_pipelines.core.quality.model import Aside, Poison, Refusal, Source
from tinko_pipelines.core.quality.quarantine import set_aside
from tinko_pipelines.core.tenants.desk import Desk, Seat

log = logging.getLogger(__name__)

# events written in one transaction: few enough that a payer's page never waits long for a debt
AT_ONCE = 100
LATER = ("later", None)  # the database asks for another try


@dataclass
class Report:
    """What one pass did, in events; `waiting` are left for the next because a PSP was away."""

    applied: int = 0
    ignored: int = 0
    quarantined: int = 0
    waiting: int = 0
    resolved: int = 0
    obligations: set[uuid.UUID] = field(default_factory=set)

    @property
    def done(self) -> int:
        return self.applied + self.ignored + self.quarantined


def process_inbox(engine: Engine, desk: Desk, clock: Clock, limit: int = 500) -> Report:
    """Work off up to `limit` waiting events, in the order of (created, event id)."""
    report = Report()
    with unit_of_work(engine) as connection:
        # a connection that was disabled keeps its events until it is active again
        rows = list(
            connection.execute(
                query("inbox", "pending"), {"connection_ids": list(desk.seats), "limit": limit}
            )
        )
    rows.sort(key=lambda one: (one.psp_created_at, one.event_id))
    for connection_id in dict.fromkeys(one.connection_id for one in rows):
        mine = [one for one in rows if one.connection_id == connection_id]
        _work_off(engine, desk.seat(connection_id), mine, clock.now(), report)
    return report


def observe(row: Row[Any]) -> Observation:
    """What one stored event says. Raises whatever its body makes the reader raise."""
    reader = registry.reader(Psp(row.psp))
    body = json.loads(row.body)
    return reader.observe_object(body) if row.source == "heal" else reader.observe_event(body)


def _work_off(
    engine: Engine, seat: Seat, rows: Sequence[Row[Any]], now: datetime, report: Report
) -> None:
    seen: dict[uuid.UUID, Observation] = {}
    poison: dict[uuid.UUID, Refusal] = {}
    for row in rows:
        try:
            seen[row.id] = observe(row)
        except Exception as error:  # any shape of a body may break a reader; the rest must flow
            poison[row.id] = _broken(Poison.UNREADABLE, error)
    poison |= _refused(seen, now)
    asked = ask(engine, seat, {key: one for key, one in seen.items() if key not in poison})
    for key, text in asked.poison.items():
        poison[key] = Refusal((Poison.UNKNOWN_AT_PSP.value,), text)
    # what the PSP answered is written too, so it is held against the same checks
    seen, poison = asked.seen, poison | _refused(asked.seen, now)
    report.resolved += asked.resolved
    report.waiting += len(asked.waiting)
    keys = [row.id for row in rows if row.id in seen or row.id in poison]
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        batch = Batch(
            {key: seen[key] for key in part if key in seen and key not in poison},
            {key: poison[key] for key in part if key in poison},
            {row.id: row for row in rows},
            now,
        )
        try:
            _write(engine, seat, batch, report, apply_observation)
        except Exception as error:  # which event it was, a second pass over the same batch finds
            log.warning("a batch is written again, event by event: %s", error)
            _write(engine, seat, batch, report, _alone)


def _refused(seen: Mapping[uuid.UUID, Observation], now: datetime) -> dict[uuid.UUID, Refusal]:
    """Those that no ledger should hold, by the checks at the edge."""
    found = {key: refused(one, now) for key, one in seen.items() if not one.is_empty}
    return {key: one for key, one in found.items() if one is not None}


def _broken(kind: Poison, error: Exception) -> Refusal:
    return Refusal((kind.value,), f"{type(error).__name__}: {error}")


Outcome = tuple[str, Refusal | None]  # and the reasons where it is `quarantined`
Apply = Callable[[Connection, Account, Observation, datetime], uuid.UUID | Outcome | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that are written in one transaction: what they say, and why some cannot be read."""

    seen: Mapping[uuid.UUID, Observation]
    poison: Mapping[uuid.UUID, Refusal]
    rows: Mapping[uuid.UUID, Row[Any]]
    now: datetime


def _write(engine: Engine, seat: Seat, batch: Batch, report: Report, apply: Apply) -> None:
    """One transaction: what these events say, and that it is written."""
    outcomes: dict[uuid.UUID, Outcome] = {}
    obligations: set[uuid.UUID] = set()
    with unit_of_work(engine) as connection:
        ids = [*batch.seen, *batch.poison]
        taken = set(connection.scalars(query("inbox", "claim_pending"), {"ids": ids}))
        outcomes |= {key: ("quarantined", batch.poison[key]) for key in taken & batch.poison.keys()}
        mine = {key: one for key, one in batch.seen.items() if key in taken}
        lock_refs(connection, seat.account, mine.values())
        for key, one in mine.items():
            if one.is_empty:
                outcomes[key] = ("ignored", None)
                continue
            said = apply(connection, seat.account, one, batch.now)
            outcomes[key] = said if isinstance(said, tuple) else ("applied", None)
            if isinstance(said, uuid.UUID):
                obligations.add(said)
        done = {key: outcome for key, outcome in outcomes.items() if outcome != LATER}
        _mark(connection, done, batch.now)
        _set_aside(connection, seat, done, batch)
    said_of = Counter(outcome for outcome, _ in outcomes.values())
    report.applied += said_of["applied"]
    report.ignored += said_of["ignored"]
    report.quarantined += said_of["quarantined"]
    report.waiting += said_of[LATER[0]]
    report.obligations |= obligations


def _alone(
    connection: Connection, account: Account, one: Observation, now: datetime
) -> uuid.UUID | Outcome | None:
    """`apply_observation` under a savepoint: what breaks here costs the others nothing."""
    try:
        with connection.begin_nested():
            return apply_observation(connection, account, one, now)
    except (OperationalError, ProgrammingError) as error:
        # a deadlock, a lock that did not come, a column of the next migration: nothing that the
        # event could help
        log.warning("left for the next pass: %s", error)
        return LATER
    except Exception as error:  # quarantined with its reason, and shown; see the docstring
        if isinstance(cause := error.__cause__, psycopg.errors.CheckViolation):
            missing = partition_missing(cause, "the ledger")
            if missing is not cause:
                raise missing from error
        log.exception("an event could not be applied")
        return "quarantined", _broken(Poison.UNWRITABLE, error)


def _mark(connection: Connection, outcomes: Mapping[uuid.UUID, Outcome], now: datetime) -> None:
    if outcomes:
        connection.execute(
            query("inbox", "mark_all"),
            {
                "ids": list(outcomes),
                "outcomes": [outcome for outcome, _ in outcomes.values()],
                "errors": [why.detail if why else None for _, why in outcomes.values()],
                "now": now,
            },
        )


def _set_aside(
    connection: Connection, seat: Seat, outcomes: Mapping[uuid.UUID, Outcome], batch: Batch
) -> None:
    """The quarantine names the event; its body stays where it is, in the inbox."""
    refusals = {key: why for key, (_, why) in outcomes.items() if why is not None}
    set_aside(
        connection,
        (
            Aside(
                seat.account.org_id,
                Source.INBOX,
                "events",
                str(key),
                why,
                {"event_id": batch.rows[key].event_id, "psp": batch.rows[key].psp},
            )
            for key, why in refusals.items()
        ),
        batch.now,
    )

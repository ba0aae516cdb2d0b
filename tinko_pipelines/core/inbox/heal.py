"""Find what webhooks never told us: list the PSP's own objects and put the news in the inbox.

A healed object goes the way of every event (one path, one normaliser), stored under an id made
of the object and what it says, so that listing it again stores nothing new.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.ledger.disputes import dispute_key
from tinko_pipelines.core.ledger.payments import STATE_OF, captures_another_sum
from tinko_pipelines.core.ledger.rereading import reread
from tinko_pipelines.core.ledger.states import COLLECTIBLE
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.payload import instant
from tinko_pipelines.core.psp.types import Observation, ParsedEvent, PaymentSeen
from tinko_pipelines.core.tenants.desk import Seat

EVENT_TYPE = "heal.object"
BATCH = 200
PRESENT = timedelta(days=2)  # business time


def heal(engine: Engine, seat: Seat, clock: Clock, start: datetime, end: datetime) -> Counter[str]:
    """List what was created in [start, end) (business time) and store what the ledger lacks.

    Counts `listed`, `healed` and `known`; where the span reaches the present, also the debts that
    were `reread` because a dispute over them is open. Raises what the adapter raises; what was
    stored stays.
    """
    count: Counter[str] = Counter()
    for batch in _batches(seat.adapter.list_changes(start, end)):
        bodies = list(batch)
        news = news_of(engine, seat, bodies)
        count["listed"] += len(bodies)
        if news:
            with unit_of_work(engine, seat.account.org_id) as connection:
                stored = store_events(connection, news, clock.now())
            count["healed"] += sum(one.stored for one in stored)
    count["known"] = count["listed"] - count["healed"]
    if reaches_present(end, clock):
        count["reread"] = reread_disputed(engine, seat, clock)
    return count


def reaches_present(end: datetime, clock: Clock) -> bool:
    """Whether a listing up to `end` is one of the present, and not of the past."""
    return end > clock.now() - PRESENT


def reread_disputed(engine: Engine, seat: Seat, clock: Clock) -> int:
    """Read the debts anew over which a dispute is open: it ends weeks after it was made, in no
    listing of new objects. Returns how many there are."""
    with unit_of_work(engine) as connection:
        debts = connection.scalars(
            query("inbox", "open_disputes"), {"keys": dispute_key(seat.account.connection_id)}
        ).all()
    for obligation_id in debts:
        reread(engine, seat, obligation_id, clock)
    return len(debts)


def news_of(engine: Engine, seat: Seat, bodies: Iterable[Mapping[str, Any]]) -> list[IncomingEvent]:
    """The events that listed objects stand for of which the ledger lacks something."""
    reader = registry.reader(seat.adapter.psp)
    seen = [(body, reader.observe_object(body)) for body in bodies]
    known = _known(engine, seat, [one for _, one in seen])
    disputes = _disputes(engine, seat, [one for _, one in seen])
    return [
        _event(seat, body, one)
        for body, one in seen
        if not one.is_empty and _tells(one, known, disputes)
    ]


def _tells(one: Observation, known: Mapping[str, Row[Any]], disputes: Mapping[str, str]) -> bool:
    """Whether the ledger lacks something that this object says."""
    if any(disputes.get(said.object_id) != said.status for said in one.disputes):
        return True
    debts = [known[ref.object_id].debt_state for ref in one.refs if ref.object_id in known]
    if not debts:
        return True
    if any(state in COLLECTIBLE for state in debts) and _is_over(one):
        return True
    return any(_differs(payment, known.get(payment.object_id)) for payment in one.payments)


def _is_over(one: Observation) -> bool:
    """Paid, perhaps without any payment, or given up."""
    return one.terminal is not None or bool(one.due and (one.paid or 0) >= one.due)


def _differs(payment: PaymentSeen, standing: Row[Any] | None) -> bool:
    if standing is None:
        return True
    if standing.state != STATE_OF[payment.status].value:
        return True
    if captures_another_sum(payment, standing):
        return True
    return payment.refunded not in (None, standing.refunded_minor)


def _known(engine: Engine, seat: Seat, seen: list[Observation]) -> dict[str, Row[Any]]:
    object_ids = sorted({ref.object_id for one in seen for ref in one.refs})
    wanted = {"connection_id": seat.account.connection_id, "object_ids": object_ids}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("inbox", "ledger_knows"), wanted)
        return {row.object_id: row for row in rows}


def _disputes(engine: Engine, seat: Seat, seen: list[Observation]) -> dict[str, str]:
    """How the ledger has the disputes that are named, by their ids."""
    named = {said.object_id for one in seen for said in one.disputes}
    if not named:
        return {}
    keys = [dispute_key(seat.account.connection_id, one) for one in sorted(named)]
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("inbox", "known_disputes"), {"keys": keys})
        return {row.dispute: row.status for row in rows}


def _event(seat: Seat, body: Mapping[str, Any], one: Observation) -> IncomingEvent:
    raw = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    said = [payment.updated_at for payment in one.payments]
    made = instant(body, "created") or instant(body, "created_at")
    created_at = max(said) if said else one.created_at or made
    if created_at is None:
        raise InvalidInput(f"the listed object {body.get('id')} does not say when it was made")
    event = ParsedEvent(
        event_id=f"heal:{body.get('id')}:{hashlib.sha256(raw).hexdigest()[:16]}",
        event_type=EVENT_TYPE,
        created_at=created_at,
        livemode=None,
        account_id=seat.account.account_id,
        object_ids=tuple(ref.object_id for ref in one.refs),
    )
    return IncomingEvent.of(
        seat.account.org_id, seat.account.connection_id, seat.adapter.psp, event, raw, "heal"
    )


def _batches(items: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while batch := list(islice(items, BATCH)):
        yield batch

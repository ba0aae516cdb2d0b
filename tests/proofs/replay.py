"""Deliver the events of many lifecycles to a ledger, in whatever order.

Everything between the inbox and the cases is the real thing; the PSP is the lifecycles' own books,
read as of the moment at which the adapter asks.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from tests.proofs.lifecycles import DUE, Life, Ours
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.inbox.process import process_inbox
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.ledger.keys import key_of
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.merge import merge_all, refresh
from tinko_pipelines.core.psp.types import Observation, ParsedEvent, Psp
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.tenants.desk import Seat
from tinko_pipelines.core.tenants.organisations import create_organisation


@dataclass(frozen=True)
class Delivery:
    """One message that arrives: of `life`, its event `number`, or None for a listing of it."""

    life: int
    number: int | None
    at: datetime  # when it was sent


Slots = Sequence[tuple[datetime, list[Delivery], list[tuple[int, Ours]]]]


@dataclass
class Books:
    """The adapter and the reader of both PSPs, answered by the lifecycles."""

    lives: Mapping[int, Life]
    now: datetime
    asked: int = 0

    def resolve(self, seen: Observation) -> Observation:
        self.asked += 1
        life = self.lives[int(seen.refs[0].object_id.split("_")[1])]
        return refresh(seen, merge_all(life.read(seen.refs, self.now)))

    def observe_event(self, body: Mapping[str, Any]) -> Observation:
        return self.lives[body["life"]].events[body["event"]].said

    def observe_object(self, body: Mapping[str, Any]) -> Observation:
        life = self.lives[body["life"]]
        return life.listed(datetime.fromisoformat(body["at"]))[body["object"]]


@dataclass
class OneDesk:
    """A seat for each PSP."""

    seats: dict[uuid.UUID, Seat] = field(default_factory=dict)

    def seat(self, connection_id: uuid.UUID) -> Seat:
        return self.seats[connection_id]


class Replay:
    """A ledger of its own, an organisation with a connection at either PSP."""

    def __init__(self, engine: Engine, lives: Mapping[int, Life], start: datetime) -> None:
        self.engine, self.lives, self.books = engine, lives, Books(lives, start)
        self.clock = FixedClock(start)
        self.desk, self.connections = OneDesk(), {}
        with unit_of_work(engine) as connection:
            self.org_id = create_organisation(connection, "replay", "Replay", start).org_id
            for psp in Psp:
                self.connections[psp] = _connect(connection, self.org_id, psp, start)
        for psp, one in self.connections.items():
            account = Account(self.org_id, one, psp.value, f"acct_{psp}")
            self.desk.seats[one] = Seat(account, "tinko", self.books)  # type: ignore[arg-type]

    def run(self, slots: Slots, think: Callable[[], bool]) -> None:
        """Deliver slot by slot; after each, failures are classified and cases opened if `think`."""
        for now, deliveries, ours in slots:
            self.tell(now, deliveries, ours)
            if think():
                self.think()
        self.think()

    def tell(
        self, now: datetime, deliveries: Iterable[Delivery], ours: Iterable[tuple[int, Ours]] = ()
    ) -> None:
        """One slot: what arrives is worked off in one pass, then our own tries begin."""
        self.clock.instant = self.books.now = max(now, self.clock.instant)
        with _reading(self.books):
            self._deliver(deliveries)
        for life, one in ours:
            self._begin(self.lives[life], one)

    def think(self) -> None:
        while classify_failures(self.engine, self.clock).total:
            pass
        while open_cases(self.engine, self.clock).opened:
            pass

    def find(self, life: Life) -> None:
        """Look for each try of ours as the executor's resolver does: the answer names its key."""
        for one in life.ours:
            if one.payment is None:
                continue
            shown = (seen for seen in life.read(life.parts[0].refs, self.books.now))
            for seen in shown:
                if any(payment.object_id == one.payment for payment in seen.payments):
                    keyed = _with_key(seen, key_of(one.attempt_id))
                    account = self.desk.seat(self.connections[life.psp]).account
                    with unit_of_work(self.engine) as connection:
                        lock_refs(connection, account, [keyed])
                        apply_observation(connection, account, keyed, self.clock.now())

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        events = [one for delivery in deliveries for one in self._incoming(delivery)]
        if not events:
            return
        with unit_of_work(self.engine, self.org_id) as connection:
            store_events(connection, events, self.clock.now())
        while process_inbox(self.engine, self.desk, self.clock, limit=500).done:  # type: ignore[arg-type]
            pass

    def _incoming(self, delivery: Delivery) -> Iterator[IncomingEvent]:
        life = self.lives[delivery.life]
        if delivery.number is not None:
            said = life.events[delivery.number].said
            body: dict[str, Any] = {"life": delivery.life, "event": delivery.number}
            yield self._event(life, f"evt_{delivery.life}_{delivery.number}", body, said, delivery)
            return
        for place, said in enumerate(life.listed(self.books.now)):
            body = {"life": delivery.life, "object": place, "at": self.books.now.isoformat()}
            name = f"heal_{delivery.life}_{place}"
            yield self._event(life, name, body, said, delivery, source="heal")

    def _event(
        self, life: Life, name: str, body: Any, said: Observation, delivery: Delivery,
        source: str = "webhook",
    ) -> IncomingEvent:  # fmt: skip
        parsed = ParsedEvent(
            name, "of.a.life", delivery.at, False, None, tuple(one.object_id for one in said.refs)
        )
        return IncomingEvent.of(
            self.org_id, self.connections[life.psp], life.psp, parsed,
            json.dumps(body).encode(), source,  # type: ignore[arg-type]
        )  # fmt: skip

    def _begin(self, life: Life, ours: Ours) -> None:
        """What the claim and the permission would have written for a try of ours."""
        ref = life.parts[0].door.object_id
        values = {
            "id": ours.attempt_id, "org": self.org_id, "psp": life.psp.value, "due": DUE,
            "connection": self.connections[life.psp], "ref": ref, "now": self.clock.now(),
            "key": key_of(ours.attempt_id), "token": new_id(self.clock.now()),
        }  # fmt: skip
        with unit_of_work(self.engine) as connection:
            for statement in _PLANNED if ours.payment is None else (*_PLANNED, *_SENT):
                connection.execute(text(statement), values)


_PLANNED = (
    "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
    " amount_minor, currency, scheduled_at, created_at, updated_at)"
    " select :id, :org, :connection, :psp, r.obligation_id, 'tinko', 'scheduled', :due, 'INR',"
    " :now, :now, :now from psp_refs as r"
    " where r.connection_id = :connection and r.object_id = :ref",
)
_SENT = (
    "insert into charge_locks (obligation_id, org_id, purpose, attempt_id, token, lease_until_wall)"
    " select obligation_id, org_id, 'charge', id, :token, :now from attempts where id = :id",
    "update attempts set state = 'claimed', lease_token = :token where id = :id",
    "insert into idempotency_keys"
    " (connection_id, key, org_id, attempt_id, obligation_id, minted_wall)"
    " select :connection, :key, :org, id, obligation_id, :now from attempts where id = :id",
    "update attempts set state = 'submitted', submitted_at = :now where id = :id",
)


@contextlib.contextmanager
def _reading(books: Books) -> Iterator[None]:
    """The registry's readers are the lifecycles' for as long as it lasts."""
    kept = registry._READERS
    registry._READERS = dict.fromkeys(Psp, books)  # type: ignore[assignment]
    try:
        yield
    finally:
        registry._READERS = kept


def _connect(connection: Connection, org_id: uuid.UUID, psp: Psp, now: datetime) -> uuid.UUID:
    made = new_id(now)
    connection.execute(
        text(
            "insert into connections (id, org_id, psp, account_id, livemode, label, credentials,"
            " wrapped_key, created_at, updated_at)"
            " values (:id, :org, :psp, :account, false, '', '', '', :now, :now)"
        ),
        {"id": made, "org": org_id, "psp": psp.value, "account": f"acct_{psp}", "now": now},
    )
    return made


def _with_key(seen: Observation, key: str) -> Observation:
    return replace(seen, payments=tuple(replace(one, idempotency_key=key) for one in seen.payments))

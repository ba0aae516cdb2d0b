"""Open a page for the payer at another PSP than the debt's own, and know whose it is."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.ledger.refs import lock_surviving, tie
from tinko_pipelines.core.psp.operations import DoorRequest
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorSeen,
    DoorStatus,
    HandOver,
    Observation,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.permission import CLOSABLE
from tinko_pipelines.core.tenants.desk import Seat


def door_elsewhere(
    seat: Seat, debt: Row[Any], seen: Observation, named: str, reference: str, return_url: str
) -> HandOver:
    """A payer's page for `debt` at another PSP than its own: the one that is open there already,
    over what is still due; else a new one.

    `seen` is how the debt stands there, `named` an object of it at its own PSP. A door whose
    answer was lost is known to nobody, so that `reference` may be new each time.
    """
    due, adapter = debt.due_minor - debt.paid_minor, seat.adapter
    for door in seen.doors:
        if door.kind not in CLOSABLE or door.status is not DoorStatus.OPEN or door.url is None:
            continue
        over = adapter.retrieve(Ref(RefKind(door.kind.value), door.object_id))
        if (over.due, over.currency) == (due, debt.currency):
            return HandOver(door.url)
        if adapter.close_door(door).status is not DoorStatus.CLOSED:
            raise PspRejected(f"{door.object_id} is over another amount and cannot be closed")
    return adapter.open_door(
        DoorRequest(
            reference=reference,
            amount=due,
            currency=debt.currency,
            debt=named,
            return_url=return_url,
            description=debt.description,
            customer=CustomerSeen(
                name=debt.payer_name, email=debt.payer_email, phone=debt.payer_phone
            ),
        )
    )


def remember(
    engine: Engine,
    seat: Seat,
    obligation_id: uuid.UUID,
    door: DoorSeen,
    seen: Observation,
    clock: Clock,
) -> None:
    """A door opened by us is the debt's from the moment it exists."""
    named = Ref(RefKind(door.kind.value), door.object_id)
    opened = Observation(refs=(*seen.refs, named), doors=(door,))
    with unit_of_work(engine, seat.account.org_id) as connection:
        lock_refs(connection, seat.account, [opened])
        tie(connection, seat.account, lock_surviving(connection, obligation_id).id, opened.refs)
        apply_observation(connection, seat.account, opened, clock.now(), opened_by="tinko")

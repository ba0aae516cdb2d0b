"""Let the payer in: the debt's own page at the PSP, under the debt's lock (rules 4 and 5)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.ledger.states import COLLECTIBLE, OPEN_ATTEMPTS, AttemptState
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.throttle import longest_call
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
    HandOver,
    Observation,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.permission import IN_FLIGHT
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.connections import (
    PspConnection,
    find_connection,
    load_credentials,
)

CALLS = 12  # that reading and handing over may make one after the other
OPENING = 4  # of which opening a door takes so many
# of these nothing more comes without the payer
_MOVING = OPEN_ATTEMPTS - {AttemptState.REQUIRES_ACTION}
LATER = timedelta(hours=2)
LATE_AUTHORISATION = timedelta(days=5)  # limits.yaml, razorpay.late_authorisation
# pages the debt has already: paying there opens nothing new
REUSABLE = frozenset(
    {
        DoorKind.INVOICE,
        DoorKind.PAYMENT_INTENT,
        DoorKind.ORDER,
        DoorKind.SUBSCRIPTION_CYCLE,
        DoorKind.CHECKOUT_SESSION,
        DoorKind.PAYMENT_LINK,
    }
)


class AlreadyPaid(Conflict):
    code, title = "already_paid", "This has been paid already"


class AttemptInFlight(Conflict):
    code, title = "attempt_in_flight", "A payment for this is being made right now"


def open_payer_door(
    engine: Engine,
    org_id: uuid.UUID,
    obligation_id: uuid.UUID,
    clock: Clock,
    wall: WallClock,
    settings: Settings,
    return_url: str,
) -> HandOver:
    """Where the payer pays this debt at its PSP; what was planned for it is cancelled.

    Waits out our own open attempt by refusing (AttemptInFlight), and refuses where nothing is
    owed any more (AlreadyPaid, NotFound). May raise what the adapter raises.
    """
    token, started = new_id(wall.now()), wall.now()
    lease_seconds = longest_call(settings.psp_timeout_seconds) * CALLS
    deadline = wall.monotonic() + lease_seconds
    lock = {
        "obligation_id": obligation_id,
        "org_id": org_id,
        "purpose": "door",
        "attempt_id": None,
        "token": token,
        "lease_until": started + timedelta(seconds=lease_seconds),
        "wall": started,
    }
    with unit_of_work(engine, org_id) as connection:
        found, refs = _take(connection, obligation_id, lock, clock)
    account = Account(org_id, found.id, found.psp.value, found.account_id)
    try:
        adapter = registry.adapter(found.id, found.psp, load_credentials(found), settings)
        seen = adapter.read(refs)
        with unit_of_work(engine, org_id) as connection:
            lock_refs(connection, account, [seen])
            apply_observation(connection, account, seen, clock.now())
            paid = _owed_or_paid(connection, obligation_id)
            held = connection.execute(query("charging", "hold_door"), lock).one_or_none()
        if paid is not None:
            raise paid
        _nothing_moving(seen, clock)
        # whoever lost the lock, or is about to, opens nothing
        if (
            held is None
            or wall.monotonic() + longest_call(settings.psp_timeout_seconds) * OPENING >= deadline
        ):
            raise AttemptInFlight("this took too long; please try again")
        hand_over = adapter.hand_over(seen, return_url)
        if hand_over.door is not None:
            _remember(engine, account, hand_over, seen, clock)
    finally:
        with unit_of_work(engine, org_id) as connection:
            connection.execute(query("charging", "unlock_debt"), {"token": token})
    return hand_over


def _take(
    connection: Connection,
    obligation_id: uuid.UUID,
    lock: dict[str, Any],
    clock: Clock,
) -> tuple[PspConnection, tuple[Ref, ...]]:
    """Take the debt's lock for a door: refused while an attempt of ours is open."""
    debt = _still_owed(connection, obligation_id)
    tries = connection.execute(
        query("ledger", "attempts_of"), {"obligation_id": obligation_id}
    ).all()
    if any(one.actor == "tinko" and one.state in _MOVING for one in tries):
        raise AttemptInFlight("wait for the payment that is under way, then try again")
    if connection.execute(query("charging", "lock_debt"), lock).one_or_none() is None:
        raise AttemptInFlight("wait for the payment that is under way, then try again")
    touched = {"obligation_id": obligation_id, "now": clock.now()}
    connection.execute(query("ledger", "cancel_scheduled"), touched)
    # should the payer turn away, the case is decided anew
    connection.execute(query("ledger", "wake_case_later"), touched | {"at": clock.now() + LATER})
    rows = connection.execute(query("ledger", "refs_of"), {"obligation_id": obligation_id}).all()
    refs = tuple(Ref(RefKind(row.kind), row.object_id) for row in rows)
    return find_connection(connection, debt.connection_id), refs


def _still_owed(connection: Connection, obligation_id: uuid.UUID) -> Row[Any]:
    debt = connection.execute(
        query("ledger", "lock_obligation"), {"id": obligation_id}
    ).one_or_none()
    if debt is None:
        raise NotFound(f"there is no obligation {obligation_id}")
    if debt.state not in COLLECTIBLE:
        raise AlreadyPaid(f"the obligation is {debt.state}: nothing is to be paid")
    return debt


def _owed_or_paid(connection: Connection, obligation_id: uuid.UUID) -> Conflict | None:
    """The refusal, returned and not raised, so that what was read is committed all the same."""
    try:
        _still_owed(connection, obligation_id)
    except AlreadyPaid as paid:
        return paid
    return None


def _nothing_moving(seen: Observation, clock: Clock) -> None:
    """A payment with the bank, or one that timed out at Razorpay, may yet take the money."""
    if any(payment.status in IN_FLIGHT for payment in seen.payments):
        raise AttemptInFlight("a payment is with the bank; its result is to come")
    reusable = any(door.kind in REUSABLE and door.status is DoorStatus.OPEN for door in seen.doors)
    late = [
        payment
        for payment in seen.payments
        if payment.status is PaymentStatus.FAILED
        and payment.error is not None
        and classify(payment.error).late_authorisation
        and payment.updated_at + LATE_AUTHORISATION > clock.now()
    ]
    # on the same order Razorpay itself refunds a late second payment; on a new one nobody does
    if late and not reusable:
        raise AttemptInFlight("an earlier payment may still be confirmed by the bank")


def _remember(
    engine: Engine,
    account: Account,
    hand_over: HandOver,
    seen: Observation,
    clock: Clock,
) -> None:
    """A door opened by us is the debt's from the moment it exists."""
    door = hand_over.door
    assert door is not None
    opened = Observation(
        refs=(*seen.refs, Ref(RefKind(door.kind.value), door.object_id)), doors=(door,)
    )
    with unit_of_work(engine, account.org_id) as connection:
        lock_refs(connection, account, [opened])
        apply_observation(connection, account, opened, clock.now(), opened_by="tinko")

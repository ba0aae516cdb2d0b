"""Let the payer in: a page at a PSP for the debt, under the debt's lock (rules 4 to 7).

The debt's own PSP, or another one that a rule offered and the payer chose; whichever it is, all
doors at the other are shut and read back before one is opened.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound, PspUnreachable, UnknownConnection
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.refs import refs_by_connection
from tinko_pipelines.core.ledger.rereading import read_and_write
from tinko_pipelines.core.ledger.states import COLLECTIBLE, OPEN_ATTEMPTS, AttemptState
from tinko_pipelines.core.psp.throttle import longest_call
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
    HandOver,
    Observation,
    Psp,
    Ref,
)
from tinko_pipelines.core.recovery.elsewhere import (
    Left,
    late_until,
    leave,
    open_elsewhere,
)
from tinko_pipelines.core.recovery.offers import find_ways
from tinko_pipelines.core.recovery.opening import door_elsewhere, remember
from tinko_pipelines.core.recovery.permission import IN_FLIGHT
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.connections import find_connection
from tinko_pipelines.core.tenants.desk import Seat, seat_of

CALLS = 12  # that reading and handing over may make one after the other at one PSP
LEAVING = 2 * CALLS  # the same where doors are shut and read back
OPENING = 4  # of which opening a door takes so many
# of these nothing more comes without the payer
_MOVING = OPEN_ATTEMPTS - {AttemptState.REQUIRES_ACTION}
LATER = timedelta(hours=2)
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


class NotOffered(Conflict):
    code, title = "psp_not_offered", "This cannot be paid at that payment provider"


class MayBeConfirmed(Conflict):
    """`until` in `extra`: the business instant from which on the choice is free."""

    code, title = "may_be_confirmed", "An earlier payment may still be confirmed by the bank"


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a door is opened, and the PSPs that are left for it, with the debt's objects."""

    debt: Row[Any]
    target: Seat
    others: tuple[Seat, ...]
    refs: Mapping[uuid.UUID, tuple[Ref, ...]]

    @property
    def at_home(self) -> bool:
        return bool(self.debt.connection_id == self.target.account.connection_id)

    def refs_at(self, seat: Seat) -> tuple[Ref, ...]:
        return self.refs.get(seat.account.connection_id, ())

    def lease(self, settings: Settings) -> float:
        """Wall seconds that all of it may take."""
        return longest_call(settings.psp_timeout_seconds) * (CALLS + LEAVING * len(self.others))


def open_payer_door(
    engine: Engine,
    org_id: uuid.UUID,
    obligation_id: uuid.UUID,
    clock: Clock,
    wall: WallClock,
    settings: Settings,
    return_url: str,
    chosen: Psp | None = None,
) -> HandOver:
    """Where the payer pays this debt: at its own PSP, or at the one they chose. What was planned
    for it is cancelled.

    Waits out our own open attempt by refusing (AttemptInFlight), and refuses where nothing is
    owed any more (AlreadyPaid, NotFound), where `chosen` is not offered or the other PSP's doors
    cannot be shut (NotOffered), and while a bank may yet confirm a try at the other one
    (MayBeConfirmed). May raise what the adapters raise.
    """
    token, started, began = new_id(wall.now()), wall.now(), wall.monotonic()
    lock = {
        "obligation_id": obligation_id,
        "org_id": org_id,
        "purpose": "door",
        "attempt_id": None,
        "token": token,
        "wall": started,
    }
    with unit_of_work(engine, org_id) as connection:
        plan = _planned(connection, obligation_id, chosen, clock.now(), settings)
        lease = plan.lease(settings)
        _take(connection, lock | {"lease_until": started + timedelta(seconds=lease)}, clock)
    try:
        seen = read_and_write(engine, plan.target, plan.refs_at(plan.target), clock)
        debt = _held(engine, lock)
        _nothing_moving(seen, clock)
        for one in plan.others:
            left = leave(engine, one, plan.refs_at(one), clock)
            debt = _held(engine, lock)
            _may_be_left(left)
        # whoever is about to lose the lock opens nothing
        opening = longest_call(settings.psp_timeout_seconds) * OPENING
        if wall.monotonic() + opening >= began + lease:
            raise AttemptInFlight("this took too long; please try again")
        if plan.at_home:
            hand_over = plan.target.adapter.hand_over(seen, return_url)
        else:
            named = plan.refs[debt.connection_id][0].object_id
            hand_over = door_elsewhere(plan.target, debt, seen, named, str(token), return_url)
        if hand_over.door is not None:
            remember(engine, plan.target, obligation_id, hand_over.door, seen, clock)
    finally:
        with unit_of_work(engine, org_id) as connection:
            connection.execute(query("charging", "unlock_debt"), {"token": token})
    return hand_over


def _planned(
    connection: Connection,
    obligation_id: uuid.UUID,
    chosen: Psp | None,
    now: datetime,
    settings: Settings,
) -> _Plan:
    """Where the payer may go, by what the ledger knows; nothing is written."""
    debt = _still_owed(connection, obligation_id)
    way = find_ways(connection, debt.id, debt.connection_id, Psp(debt.psp), now).to(chosen)
    if way is None:
        raise NotOffered(f"{chosen} is not offered for this payment")
    if way.blocked_until is not None:
        raise _may_be_confirmed(way.blocked_until)
    target = way.connection_id or debt.connection_id
    refs = refs_by_connection(connection, obligation_id)
    doubtful = open_elsewhere(connection, obligation_id, target)
    others = []
    for one in sorted({debt.connection_id, *refs} - {target}):
        try:
            others.append(seat_of(find_connection(connection, one), settings))
        except UnknownConnection:
            if one in doubtful or one == debt.connection_id:
                raise PspUnreachable("a page may be open where nothing is connected now") from None
    seat = seat_of(find_connection(connection, target), settings)
    return _Plan(debt, seat, tuple(others), refs)


def _take(connection: Connection, lock: Mapping[str, Any], clock: Clock) -> None:
    """Take the debt's lock for a door: refused while an attempt of ours is open."""
    owed = {"obligation_id": lock["obligation_id"]}
    tries = connection.execute(query("ledger", "attempts_of"), owed).all()
    if any(one.actor == "tinko" and one.state in _MOVING for one in tries):
        raise AttemptInFlight("wait for the payment that is under way, then try again")
    if connection.execute(query("charging", "lock_debt"), lock).one_or_none() is None:
        raise AttemptInFlight("wait for the payment that is under way, then try again")
    touched = owed | {"now": clock.now()}
    connection.execute(query("ledger", "cancel_scheduled"), touched)
    # should the payer turn away, the case is decided anew
    connection.execute(query("ledger", "wake_case_later"), touched | {"at": clock.now() + LATER})


def _still_owed(connection: Connection, obligation_id: uuid.UUID) -> Row[Any]:
    debt = connection.execute(
        query("ledger", "lock_obligation"), {"id": obligation_id}
    ).one_or_none()
    if debt is None:
        raise NotFound(f"there is no obligation {obligation_id}")
    if debt.state not in COLLECTIBLE:
        raise AlreadyPaid(f"the obligation is {debt.state}: nothing is to be paid")
    return debt


def _held(engine: Engine, lock: Mapping[str, Any]) -> Row[Any]:
    """The debt, still owed after a read, while its lock is still ours."""
    with unit_of_work(engine, lock["org_id"]) as connection:
        debt = _still_owed(connection, lock["obligation_id"])
        if connection.execute(query("charging", "hold_door"), lock).one_or_none() is None:
            raise AttemptInFlight("this took too long; please try again")
    return debt


def _nothing_moving(seen: Observation, clock: Clock) -> None:
    """A payment with the bank, or one that timed out at Razorpay, may yet take the money."""
    if any(payment.status in IN_FLIGHT for payment in seen.payments):
        raise AttemptInFlight("a payment is with the bank; its result is to come")
    reusable = any(door.kind in REUSABLE and door.status is DoorStatus.OPEN for door in seen.doors)
    # on the same order Razorpay itself refunds a late second payment; on a new one nobody does
    if late_until(seen, clock.now()) and not reusable:
        raise AttemptInFlight("an earlier payment may still be confirmed by the bank")


def _may_be_left(left: Left) -> None:
    """Whether the debt may be collected elsewhere than at a PSP that was just read and shut."""
    if left.until is not None:
        raise _may_be_confirmed(left.until)
    if left.reason == "door.stays":
        raise NotOffered("a page of this payment cannot be closed, so that no other is opened")
    if left.reason is not None:
        raise AttemptInFlight(f"the payment's other page is not closed: {left.reason}")


def _may_be_confirmed(until: datetime) -> MayBeConfirmed:
    return MayBeConfirmed("an earlier payment may still be confirmed by the bank", until=until)

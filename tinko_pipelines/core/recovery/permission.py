"""May this claimed attempt be sent? Every rule that could forbid it, on fresh facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.guards.evaluate import Verdict, evaluate
from tinko_pipelines.core.guards.evidence import Written, evidence_of
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure
from tinko_pipelines.core.ledger.states import COLLECTIBLE, OPEN_ATTEMPTS
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentStatus,
    RefKind,
)
from tinko_pipelines.core.recovery import notices
from tinko_pipelines.core.recovery.policy import NOT_RETRIED
from tinko_pipelines.core.recovery.tries import Try

# through these a charge of ours goes, strongest first; a Checkout Session, a link and a
# subscription's cycle are the payer's or the PSP's alone (rules 3 and 5)
CHARGEABLE = (DoorKind.INVOICE, DoorKind.PAYMENT_INTENT, DoorKind.ORDER)
# doors that can be shut without giving up the debt
CLOSABLE = frozenset({DoorKind.CHECKOUT_SESSION, DoorKind.PAYMENT_LINK})
IN_FLIGHT = frozenset(
    {
        PaymentStatus.CREATED,
        PaymentStatus.PENDING,
        PaymentStatus.AUTHORIZED,
    }
)
PAUSE = timedelta(hours=1)  # business time until a passing obstacle is looked at again
BRIEFLY = timedelta(minutes=5)  # the same for news that wait in the inbox


@dataclass(frozen=True, slots=True)
class Permission:
    """`granted`, or why not: `again_at` where waiting helps, else the attempt is dropped.

    `evidence`: where granted, what it was granted on, for the attempt to keep. `notify`: not the
    charge, but the notice that comes before it may be asked for now.
    """

    granted: bool
    reason: str
    again_at: datetime | None = None
    verdict: Verdict | None = None
    evidence: Written | None = None
    notify: bool = False


def door_of(attempt: Row[Any], seen: Observation) -> DoorSeen | None:
    """The door that `attempt` goes through: the one its notice was given over, else the debt's.

    Where the notice of an earlier try does for this one, it is the order that announces nothing.
    """
    if attempt.notice_door is not None:
        return next((one for one in seen.doors if one.object_id == attempt.notice_door), None)
    if attempt.notice_delivered_at is not None:
        return next((one for one in seen.doors if one.announced is False), None)
    return charge_door(seen)


def charge_door(seen: Observation) -> DoorSeen | None:
    """The door a charge of ours goes through, as freshly read; None where there is none."""
    for kind in CHARGEABLE:
        doors = [door for door in seen.doors if door.kind is kind]
        if doors:
            open_ones = [door for door in doors if door.status is DoorStatus.OPEN]
            # Razorpay: the newest order; a retry starts from it
            return (open_ones or doors)[-1]
    return None


def other_open_doors(seen: Observation, door: DoorSeen | None) -> list[DoorSeen]:
    """Doors that must be shut before we charge through `door`."""
    return [
        one
        for one in seen.doors
        if one.kind in CLOSABLE
        and one.status is DoorStatus.OPEN
        and (door is None or one.object_id != door.object_id)
    ]


def is_superseded(seen: Observation, door: DoorSeen) -> bool:
    """Whether `door` is a PaymentIntent of nobody else's that was canceled: the charge makes one
    new one in its place, under the same lock (rule 5). One owned by an invoice or a session reads
    as closed too, and is not ours to replace."""
    owned = {RefKind.INVOICE, RefKind.CHECKOUT_SESSION, RefKind.PAYMENT_LINK}
    return (
        door.kind is DoorKind.PAYMENT_INTENT
        and door.status is DoorStatus.CLOSED
        and not any(ref.kind in owned for ref in seen.refs)
    )


def may_charge(
    attempt: Row[Any],
    debt: Row[Any],
    seen: Observation,
    facts: Facts,
    tries: Sequence[Try],
    *,
    retry_owner: str,
    mentioned: bool,
    now: datetime,
) -> Permission:
    """The answer for `attempt`, on the freshly read `seen` and the freshly locked `debt`.

    `tries` are all the debt's attempts, ours that are open among them.
    """
    door = door_of(attempt, seen)
    barred = _barred(attempt, debt, seen, door, retry_owner) or _never_again(attempt, tries)
    if barred is not None:
        return Permission(False, barred)
    in_the_way = _in_the_way(attempt, seen, door, tries, mentioned)
    if in_the_way is not None:
        reason, pause = in_the_way
        return Permission(False, reason, now + pause)
    return _by_limits(attempt, facts, now)


def _barred(
    attempt: Row[Any], debt: Row[Any], seen: Observation, door: DoorSeen | None, retry_owner: str
) -> str | None:
    """What no waiting helps against, before any limit."""
    if debt.state not in COLLECTIBLE:
        return f"obligation.{debt.state}"
    if debt.stopped_by is not None:
        return f"subscription.{debt.stopped_by}"
    if seen.psp_retries or debt.psp_retries or retry_owner != "tinko":
        return "psp.retries"
    if door is None or not (door.status is DoorStatus.OPEN or is_superseded(seen, door)):
        return "door.none"
    if debt.has_mandate is False or attempt.payment_method_ref is None:
        return "mandate.none"
    if debt.mandate_ref not in (None, attempt.mandate_ref, attempt.payment_method_ref):
        # planned on the mandate of before: decide() plans anew on this one
        return "mandate.replaced"
    return None


def _never_again(attempt: Row[Any], tries: Sequence[Try]) -> str | None:
    """Rule 12, of a failure of the same instrument that came after this retry was planned."""
    last = _last_unattended(tries)
    if last is None or last.instrument_key != attempt.instrument_key:
        return None
    never = last.hard or last.retry_advice in NOT_RETRIED
    return f"failure.{last.retry_advice}" if never else None


def _last_unattended(tries: Sequence[Try]) -> Try | None:
    failed = (one for one in reversed(tries) if one.state == "failed" and not one.payer_present)
    return next(failed, None)


def _in_the_way(
    attempt: Row[Any],
    seen: Observation,
    door: DoorSeen | None,
    tries: Sequence[Try],
    mentioned: bool,
) -> tuple[str, timedelta] | None:
    """What passes, and in how much business time it is looked at again."""
    if any(
        one.actor == "tinko" and one.state in OPEN_ATTEMPTS and one.id != attempt.id
        for one in tries
    ):
        return "attempt.open", PAUSE
    if any(payment.status in IN_FLIGHT for payment in seen.payments):
        return "payment.in_flight", PAUSE
    if other_open_doors(seen, door):
        return "door.open", PAUSE
    if mentioned:
        return "inbox.unprocessed", BRIEFLY
    return None


def _by_limits(attempt: Row[Any], facts: Facts, now: datetime) -> Permission:
    """The guards' answer, and the notice's where one comes before the debit."""
    untold = notices.is_needed(facts, now) and facts.notice_delivered_at is None
    if untold and attempt.notice_door is not None:
        return Permission(False, "notice.undelivered", notices.look_again(attempt, now))
    verdict = notices.may_ask(facts, now) if untold else evaluate(facts, now)
    if not verdict.allowed:
        return Permission(False, f"guard.{verdict.denied_by}", verdict.next_at, verdict)
    if untold:
        return Permission(False, "notice.needed", None, verdict, notify=True)
    return Permission(True, "allowed", None, verdict, evidence_of(facts, now, verdict))


def facts_of(
    attempt: Row[Any],
    debt: Row[Any],
    tries: Sequence[Try],
    counted: tuple[Counted, ...],
    *,
    notice_required: bool = False,
) -> Facts:
    """The attempt as the guards see it; `tries` at its debt, oldest first.

    `notice_required` where the PSP does not give the pre-debit notice as part of the charge.
    """
    last = _last_unattended(tries)
    return Facts(
        psp=attempt.psp,
        method=attempt.method,
        network=attempt.network,
        country=attempt.country,
        instrument_key=attempt.instrument_key,
        amount=debt.due_minor - debt.paid_minor,
        currency=debt.currency,
        counted=counted,
        last_failure=None
        if last is None
        else LastFailure(
            at=last.at,
            network_decline_code=last.network_decline_code,
            network_advice_code=last.network_advice_code,
        ),
        timed_out_at=max((one.at for one in tries if one.late_authorisation), default=None),
        cycle_end=debt.cycle_end,
        merchant_country=attempt.merchant_country,
        merchant_category=attempt.merchant_category,
        notice_required=notice_required,
        notice_delivered_at=attempt.notice_delivered_at,
        fresh_notice=attempt.fresh_notice,
        frequency=attempt.mandate_frequency and Frequency(attempt.mandate_frequency),
    )

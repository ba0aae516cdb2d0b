"""Put together what several PSP objects say of one debt. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from functools import reduce
from typing import TypeVar

from tinko_pipelines.core.psp.subscriptions import latest
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DisputeSeen,
    DisputeStatus,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)

_STRENGTH = {kind: rank for rank, kind in enumerate(RefKind)}
_FINAL = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED})
_PROGRESS = {status: rank for rank, status in enumerate(DisputeStatus)}
T = TypeVar("T")


def merge_observations(a: Observation, b: Observation) -> Observation:
    """One observation of one debt out of two, `b` being the newer.

    Due and paid are those of the stronger ref (DESIGN.md rule 1), of equals those of `b`; so are
    the scalars that both say. Of equals the more is paid: what one of two sessions took, the other
    does not undo. Payments are matched by id and the newest state wins. A mandate is as `b` says,
    where it says anything.
    """
    first, second = (b, a) if _rank(b.due_from) <= _rank(a.due_from) else (a, b)
    money = first if first.due is not None else second
    paid = money.paid
    if a.due_from is b.due_from:
        paid = max((one.paid for one in (a, b) if one.paid is not None), default=None)
    mandate = b if b.has_mandate is not None else a
    return Observation(
        refs=_refs((*a.refs, *b.refs)),
        due=money.due,
        paid=paid,
        due_from=money.due_from,
        currency=either(first.currency, second.currency),
        created_at=min((at for at in (a.created_at, b.created_at) if at), default=None),
        description=either(first.description, second.description),
        customer=_customer(first.customer, second.customer),
        doors=_doors((*a.doors, *b.doors)),
        payments=_payments((*a.payments, *b.payments)),
        disputes=_disputes((*a.disputes, *b.disputes)),
        psp_retries=either(first.psp_retries, second.psp_retries),
        has_mandate=mandate.has_mandate,
        mandate_ref=either(mandate.mandate_ref, either(b.mandate_ref, a.mandate_ref)),
        mandate_frequency=either(b.mandate_frequency, a.mandate_frequency),
        mandate_lost=either(b.mandate_lost, a.mandate_lost),
        mandate_restored=either(b.mandate_restored, a.mandate_restored),
        subscription=latest(a.subscription, b.subscription),
        cycle_end=either(first.cycle_end, second.cycle_end),
        terminal=either(b.terminal, a.terminal),
        notice_delivered=either(b.notice_delivered, a.notice_delivered),
        notice_failed=either(b.notice_failed, a.notice_failed),
        extra={**a.extra, **b.extra},
    )


def merge_all(observations: Iterable[Observation]) -> Observation:
    """`merge_observations` over all of them, oldest first; empty for none."""
    return reduce(merge_observations, observations, Observation())


def refresh(seen: Observation, fresh: Observation) -> Observation:
    """`seen` with what was read after it. A retrieved object does not say when it last changed,
    so that its payments win over those of `seen` whatever their times."""
    known = {one.object_id: one.updated_at for one in seen.payments}
    payments = tuple(
        replace(one, updated_at=max(one.updated_at, known.get(one.object_id, one.updated_at)))
        for one in fresh.payments
    )
    return merge_observations(seen, replace(fresh, payments=payments))


def merge_payments(a: PaymentSeen, b: PaymentSeen) -> PaymentSeen:
    """One payment seen twice: a success is for ever, an end beats what is under way, then the
    later one wins and, of two of one instant, `b`. What the winner does not say, the other does."""
    winner, other = (b, a) if _newness(b) >= _newness(a) else (a, b)
    missing = {
        name.name: getattr(other, name.name)
        for name in fields(PaymentSeen)
        if getattr(winner, name.name) is None
    }
    if winner.status is PaymentStatus.SUCCEEDED:
        missing["error"] = None
    if winner.method == "unknown":
        missing["method"] = other.method
    return replace(winner, **missing)


def either(one: T | None, other: T | None) -> T | None:
    """The first that is not None."""
    return one if one is not None else other


def _newness(payment: PaymentSeen) -> tuple[bool, bool, float]:
    return (
        payment.status is PaymentStatus.SUCCEEDED,
        payment.status in _FINAL,
        payment.updated_at.timestamp(),
    )


def _rank(kind: RefKind | None) -> int:
    return len(_STRENGTH) if kind is None else _STRENGTH[kind]


def _refs(refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """Each object once, by its strongest kind, strongest first."""
    best: dict[str, Ref] = {}
    for ref in refs:
        known = best.get(ref.object_id)
        if known is None or _rank(ref.kind) < _rank(known.kind):
            best[ref.object_id] = ref
    return tuple(sorted(best.values(), key=lambda ref: _rank(ref.kind)))


def _customer(first: CustomerSeen, second: CustomerSeen) -> CustomerSeen:
    return CustomerSeen(
        **{
            name.name: either(getattr(first, name.name), getattr(second, name.name))
            for name in fields(CustomerSeen)
        }
    )


def _doors(doors: tuple[DoorSeen, ...]) -> tuple[DoorSeen, ...]:
    """Each door as last seen; a paid one stays paid."""
    seen: dict[str, DoorSeen] = {}
    for door in doors:
        known = seen.get(door.object_id, door)
        status = DoorStatus.PAID if known.status is DoorStatus.PAID else door.status
        seen[door.object_id] = replace(
            door,
            status=status,
            url=either(door.url, known.url),
            announced=either(door.announced, known.announced),
        )
    return tuple(seen.values())


def _payments(payments: tuple[PaymentSeen, ...]) -> tuple[PaymentSeen, ...]:
    seen: dict[str, PaymentSeen] = {}
    for payment in payments:
        known = seen.get(payment.object_id)
        seen[payment.object_id] = payment if known is None else merge_payments(known, payment)
    return tuple(sorted(seen.values(), key=lambda one: (one.occurred_at, one.object_id)))


def _disputes(disputes: tuple[DisputeSeen, ...]) -> tuple[DisputeSeen, ...]:
    """Each dispute once, as far as it has got: one that ended does not open again."""
    seen: dict[str, DisputeSeen] = {}
    for one in disputes:
        known = seen.setdefault(one.object_id, one)
        if _PROGRESS[one.status] >= _PROGRESS[known.status]:
            seen[one.object_id] = one
    return tuple(seen.values())

"""Ask the PSP for what events leave out, and wherever one contradicts the ledger.

Events come out of order, and most of what they say only ever grows: a success stays one, a door
that was shut stays shut. What can go both ways (what is due, who retries, how much is refunded)
is never believed from an event that says otherwise than the ledger: a fresh read is.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine, Row

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError, PspRejected
from tinko_pipelines.core.ledger.refs import due_rank
from tinko_pipelines.core.psp.types import DoorStatus, Observation, PaymentStatus, RefKind
from tinko_pipelines.core.tenants.desk import Seat

log = logging.getLogger(__name__)

# set by readers where something of a charge was refunded; an adapter reads that charge afresh
REFUND = "refund"
# HTTP statuses by which a PSP says that there is no such object
NOT_KNOWN = frozenset({400, 404})

Standing = Mapping[str, Row[Any]]  # rows of `standing` by object id


@dataclass
class Asked:
    """What may be written (`seen`), what never can be (`poison`), and what waits for its PSP."""

    seen: dict[uuid.UUID, Observation] = field(default_factory=dict)
    poison: dict[uuid.UUID, str] = field(default_factory=dict)
    waiting: list[uuid.UUID] = field(default_factory=list)
    resolved: int = 0


@dataclass
class Answered:
    """What was read in this pass, later than any event in it was sent.

    `collected`: those refs of which the answer could say how they are collected. Of a Razorpay
    order that was asked about without a payment (its notice is told of first) it could not.
    """

    refs: set[str] = field(default_factory=set)
    collected: set[str] = field(default_factory=set)
    payments: set[str] = field(default_factory=set)

    def take(self, fuller: Observation) -> None:
        self.refs.update(ref.object_id for ref in fuller.refs)
        if fuller.payments or fuller.has_mandate is not None:
            self.collected.update(ref.object_id for ref in fuller.refs)
        self.payments.update(one.object_id for one in fuller.payments if one.refunded is not None)


def ask(engine: Engine, seat: Seat, seen: Mapping[uuid.UUID, Observation]) -> Asked:
    """Complete the events of a pass, in their order; those whose PSP is away are left waiting."""
    known = _standing(engine, seat, seen.values())
    asked, answered = Asked(), Answered()
    away: PspError | None = None
    for key, one in seen.items():
        if not needs_asking(one, known, answered):
            asked.seen[key] = believed(one, answered)
            continue
        if away is not None:
            asked.waiting.append(key)
            continue
        try:
            fuller = seat.adapter.resolve(question(one, known))
        except PspError as error:
            if isinstance(error, PspRejected) and error.extra.get("psp_status") in NOT_KNOWN:
                # the PSP does not know what it told us of: no later try will change that
                asked.poison[key] = f"{error.code}: {error.detail}"
            else:
                # it is away, or does not know us: one such answer is enough for a pass
                away = error
                asked.waiting.append(key)
            continue
        asked.resolved += 1
        answered.take(fuller)
        asked.seen[key] = fuller
    if away is not None:
        log.warning("%s events are left for the next pass: %s", len(asked.waiting), away)
        with unit_of_work(engine) as connection:
            connection.execute(
                query("inbox", "keep_waiting"), {"ids": asked.waiting, "error": str(away)}
            )
    return asked


def needs_asking(one: Observation, known: Standing, answered: Answered) -> bool:
    """Whether the debt behind `one` may have a stronger name than it says, whether it contradicts
    the ledger, or whether it failed and nobody has told us yet of a stored mandate or of who
    retries."""
    if not one.refs:
        return False
    if refund_told(one, known) and not _payments_of(one) <= answered.payments:
        return True
    failed = any(payment.status is PaymentStatus.FAILED for payment in one.payments)
    said = one.has_mandate is not None and one.psp_retries is not None
    if any(ref.object_id in answered.refs for ref in one.refs):
        collected = any(ref.object_id in answered.collected for ref in one.refs)
        return failed and not said and not collected
    standing = [known[ref.object_id] for ref in one.refs if ref.object_id in known]
    if not standing or _dispute_unknown(one, known):
        return True
    if any(row.elsewhere for row in standing):
        # the debt is another PSP's: of this one only its payments count, and they must be known
        return not one.payments and any(door.status is DoorStatus.PAID for door in one.doors)
    if any(_contradicts(one, row) for row in standing):
        return True
    return failed and not any(row.told for row in standing) and not said


def question(one: Observation, known: Standing) -> Observation:
    """`one` as the adapter is asked to complete it."""
    stripped = _without_refunds(one)
    if refund_told(one, known):
        return replace(stripped, extra={REFUND: "", **one.extra})
    return stripped


def believed(one: Observation, answered: Answered) -> Observation:
    """What of `one` is written unasked: nothing that a read in this pass knows better."""
    stripped = _without_refunds(one)
    if any(ref.object_id in answered.refs for ref in one.refs):
        return replace(stripped, due=None, due_from=None, psp_retries=None)
    return stripped


def refund_told(one: Observation, known: Standing) -> bool:
    """Whether `one` speaks of a refund, or of another sum refunded than the ledger has."""
    if REFUND in one.extra:
        return True
    rows = ((payment, known.get(payment.object_id)) for payment in one.payments)
    return any(
        payment.refunded not in (None, (row.refunded_minor or 0) if row is not None else 0)
        for payment, row in rows
    )


def _contradicts(one: Observation, row: Row[Any]) -> bool:
    other_due = one.due not in (None, row.due_minor) and due_rank(one) <= row.due_rank
    both = one.psp_retries is not None and row.psp_retries is not None
    return other_due or (both and one.psp_retries is not row.psp_retries)


def _dispute_unknown(one: Observation, known: Standing) -> bool:
    """A dispute over a payment that is not in the ledger, or a payment that says that there is a
    dispute, or was one, and not how it stands."""
    if one.disputes:
        return any(dispute.payment_id not in known for dispute in one.disputes)
    return any(payment.disputed for payment in one.payments)


def _without_refunds(one: Observation) -> Observation:
    if all(payment.refunded is None for payment in one.payments):
        return one
    return replace(one, payments=tuple(replace(payment, refunded=None) for payment in one.payments))


def _payments_of(one: Observation) -> set[str]:
    named = {ref.object_id for ref in one.refs if ref.kind is RefKind.PAYMENT}
    return named | {payment.object_id for payment in one.payments}


def _standing(engine: Engine, seat: Seat, seen: Iterable[Observation]) -> dict[str, Row[Any]]:
    object_ids = sorted({ref.object_id for one in seen for ref in one.refs})
    with unit_of_work(engine) as connection:
        rows = connection.execute(
            query("inbox", "standing"),
            {"connection_id": seat.account.connection_id, "object_ids": object_ids},
        )
        return {row.object_id: row for row in rows}

"""Write what a PSP said into the ledger: one debt, its doors, its attempts, and what follows.

Events come late, twice and out of order, and so do our own reads: applying the same observation
again, or an older one after a newer, leaves the ledger as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.archival.gone import MAY_BE_ARCHIVED, refuse_archived_debt
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger import consequences, disputes, mandates, subscriptions
from tinko_pipelines.core.ledger.payments import Known, record_payment
from tinko_pipelines.core.ledger.refs import Resolved, due_rank, resolve_obligation
from tinko_pipelines.core.psp.types import DoorSeen, Observation, RefKind


@dataclass(frozen=True, slots=True)
class Account:
    """The connection an observation came through: tenant, and the PSP account guards count by."""

    org_id: uuid.UUID
    connection_id: uuid.UUID
    psp: str
    account_id: str


def lock_refs(
    connection: Connection, account: Account, observations: Iterable[Observation]
) -> None:
    """Take the locks of all PSP objects named, in one order for every writer.

    Call it once, before the first `apply_observation` of the transaction.
    """
    object_ids = sorted({one for seen in observations for one in _named(seen)})
    if object_ids:
        connection.execute(
            query("ledger", "lock_refs"),
            {"connection_id": str(account.connection_id), "object_ids": object_ids},
        )


def _named(seen: Observation) -> Iterator[str]:
    yield from (ref.object_id for ref in seen.refs)
    if seen.subscription is not None:
        yield from filter(None, (seen.subscription.object_id, seen.subscription.invoice))
    if seen.mandate_ref is not None and seen.mandate_frequency is not None:
        yield seen.mandate_ref


def apply_observation(
    connection: Connection,
    account: Account,
    seen: Observation,
    now: datetime,
    *,
    opened_by: str = "psp",
) -> uuid.UUID | None:
    """Bring the ledger to what `seen` says at business time `now`; returns the obligation's id.

    None where it speaks of no debt we can name. The caller holds `lock_refs` for it and commits.
    Raises Archived where tries at the debt are in the archive: without them its money would be
    counted wrong.
    """
    mandates.hear(connection, account, seen, now)
    if seen.subscription is not None:
        subscriptions.hear(connection, account, seen.subscription, now)
    found = resolve_obligation(connection, account, seen, now)
    if found is None:
        return None
    debt, described = _describe(connection, account, found, seen, now)
    if debt.connection_id != account.connection_id:
        seen = elsewhere(seen)
    if debt.created_at < now - MAY_BE_ARCHIVED:
        refuse_archived_debt(connection, debt.id)
    _see_doors(connection, account, debt.id, seen.doors, opened_by, now)
    for name, order in (
        ("mark_notice", seen.notice_delivered),
        ("fail_notice", seen.notice_failed),
    ):
        if order is not None:
            told = {"connection_id": account.connection_id, "object_id": order, "now": now}
            connection.execute(query("ledger", name), told)
    owed = {"obligation_id": debt.id}
    tries = [] if found.is_new else connection.execute(query("ledger", "attempts_of"), owed).all()
    known = Known(found.ties, {one.id: one for one in tries})
    payments = sorted(seen.payments, key=lambda one: (one.occurred_at, one.object_id))
    # every one of them is written, so no short cut
    changes = [record_payment(connection, account, debt.id, one, known, now) for one in payments]
    changes.append(disputes.record(connection, account, debt, seen.disputes, now))
    if any(changes):
        tries = connection.execute(query("ledger", "attempts_of"), owed).all()
    news = described or found.merged or any(changes)
    consequences.draw(connection, debt, tries, seen, now, news=news)
    return found.obligation_id


def elsewhere(seen: Observation) -> Observation:
    """What an observation at another PSP than the debt's own may say of it (rule 7): which doors
    there are, and what was tried and disputed there. Only its payer tries anything there, and what
    is paid there its payments say. Pure."""
    return Observation(
        refs=seen.refs,
        currency=seen.currency,
        doors=seen.doors,
        payments=tuple(replace(one, payer_present=True) for one in seen.payments),
        disputes=seen.disputes,
        notice_delivered=seen.notice_delivered,
        notice_failed=seen.notice_failed,
    )


def _describe(
    connection: Connection, account: Account, found: Resolved, seen: Observation, now: datetime
) -> tuple[Row[Any], bool]:
    """The debt, locked and as `seen` describes it, and whether that changed it. It is described by
    its own PSP alone."""
    customer, rank, due = seen.customer, due_rank(seen), seen.due
    said: dict[str, Any] = {
        "currency": seen.currency,
        "description": seen.description,
        "customer_ref": customer.ref,
        "payer_name": customer.name,
        "payer_email": customer.email,
        "payer_phone": customer.phone,
        "payer_language": customer.language,
        "payer_country": customer.country,
        "customer_tags": None if customer.tags is None else list(customer.tags),
        "psp_retries": seen.psp_retries,
        "has_mandate": seen.has_mandate,
        "mandate_ref": seen.mandate_ref,
        "subscription_ref": seen.subscription.object_id if seen.subscription else None,
        "cycle_end": seen.cycle_end,
    }
    if not found.is_new:
        debt = connection.execute(
            query("ledger", "lock_obligation"), {"id": found.obligation_id}
        ).one()
        if debt.connection_id != account.connection_id:
            return debt, False
        if rank > debt.due_rank:
            # the invoice says what is due, whatever its PaymentIntent is over
            due = None
        said |= {"due_minor": due}
        older = seen.created_at is not None and seen.created_at < debt.created_at
        stronger = due is not None and rank < debt.due_rank
        news = any(value not in (None, getattr(debt, name)) for name, value in said.items())
        if not (older or stronger or news):
            return debt, False
    rank = rank if due is not None else len(RefKind)
    values = said | {"due_minor": due, "due_rank": rank, "created_at": seen.created_at, "now": now}
    described = connection.execute(
        query("ledger", "describe_obligation"), values | {"id": found.obligation_id}
    ).one()
    if not found.is_new and (
        seen.mandate_ref not in (None, debt.mandate_ref) or described.stopped_by != debt.stopped_by
    ):
        # what is planned was planned on the instrument, or the subscription, of before
        touched = {"obligation_id": debt.id, "now": now}
        connection.execute(query("ledger", "wake_case"), touched)
    return described, True


def _see_doors(
    connection: Connection,
    account: Account,
    obligation_id: uuid.UUID,
    doors: tuple[DoorSeen, ...],
    opened_by: str,
    now: datetime,
) -> None:
    if not doors:
        return
    doors = tuple({door.object_id: door for door in doors}.values())
    connection.execute(
        query("ledger", "upsert_doors"),
        {
            "org_id": account.org_id,
            "connection_id": account.connection_id,
            "obligation_id": obligation_id,
            "opened_by": opened_by,
            "now": now,
            "ids": [new_id(now) for _ in doors],
            "kinds": [door.kind.value for door in doors],
            "object_ids": [door.object_id for door in doors],
            "statuses": [door.status.value for door in doors],
            "urls": [door.url for door in doors],
        },
    )

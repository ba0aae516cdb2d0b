"""What the page knows of a debt, and which of its states it is in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.states import COLLECTIBLE, AttemptState, ObligationState
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.notifications.outbox import payer_reason_key
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.recovery.offers import Ways, find_ways

_LONGEST_CHAIN = 8  # of merged obligations


class PageState(StrEnum):
    """What the page says. Each has its words in the catalogue."""

    PAYABLE = "payable"
    PROCESSING = "processing"  # we are charging right now
    PENDING = "pending"  # a try is with the bank
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INVALID = "invalid"
    CONFIRMING = "confirming"  # back from the PSP, and the ledger has not heard yet
    UNAVAILABLE = "unavailable"  # the PSP's page could not be opened


@dataclass(frozen=True, slots=True)
class PayView:
    """One debt as its payer may see it. `reason` is a PayerReason key."""

    obligation_id: uuid.UUID
    state: PageState
    merchant: str
    timezone: str
    due: Money
    outstanding: Money
    description: str | None
    reason: str | None
    languages: tuple[str | None, ...]  # the payer's, then the merchant's
    ways: Ways


def page_state(
    obligation: str,
    outstanding: int,
    attempts: Iterable[tuple[str, str]],
    *,
    expired: bool,
    open_way: bool = True,
) -> PageState:
    """The state of the page (pure). `attempts` are (actor, state) pairs, `outstanding` minor units,
    `open_way` whether it may be paid at any PSP now.

    A try that may yet move money hides the button: nobody pays twice because a bank is slow.
    """
    if obligation == ObligationState.PAID or (obligation in COLLECTIBLE and outstanding <= 0):
        return PageState.PAID
    if obligation not in COLLECTIBLE:
        return PageState.CANCELLED
    if expired:
        return PageState.EXPIRED
    states = {state for _, state in attempts}
    if states & {AttemptState.CLAIMED, AttemptState.SUBMITTED}:
        return PageState.PROCESSING
    if states & {AttemptState.UNKNOWN, AttemptState.PENDING} or not open_way:
        return PageState.PENDING
    return PageState.PAYABLE


def load_view(
    engine: Engine,
    org_id: uuid.UUID,
    obligation_id: uuid.UUID,
    now: datetime,
    *,
    expired: bool = False,
) -> PayView | None:
    """The debt of a link as the ledger has it at business time `now`; None where the tenant has no
    such debt.

    A debt that was merged into another is shown as that one.
    """
    with unit_of_work(engine, org_id) as connection:
        row = _surviving(connection, obligation_id)
        if row is None:
            return None
        attempts = [
            (str(actor), str(state))
            for actor, state in connection.execute(
                query("notifications", "attempts_in_the_air"), {"obligation_id": row.id}
            )
        ]
        ways = find_ways(connection, row.id, row.connection_id, Psp(row.psp), now)
    outstanding = row.due_minor - row.paid_minor
    return PayView(
        obligation_id=row.id,
        state=page_state(row.state, outstanding, attempts, expired=expired, open_way=ways.any_open),
        merchant=row.merchant,
        timezone=row.timezone,
        due=Money(row.due_minor, row.currency),
        outstanding=Money(outstanding, row.currency),
        description=row.description,
        reason=payer_reason_key(row.category),
        languages=(row.payer_language, row.merchant_language),
        ways=ways,
    )


def _surviving(connection: Connection, obligation_id: uuid.UUID) -> Row[Any] | None:
    row = None
    for _ in range(_LONGEST_CHAIN):
        row = connection.execute(
            query("notifications", "pay_page"), {"obligation_id": obligation_id}
        ).one_or_none()
        if row is None or row.state != ObligationState.SUPERSEDED or row.superseded_by is None:
            return row
        obligation_id = row.superseded_by
    return row

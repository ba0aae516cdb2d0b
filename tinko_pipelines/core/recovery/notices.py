"""The pre-debit notice that is ours to wait for: when to ask for one, and what waiting comes to.

Pure. Where the merchant collects with orders that announce their debit, the PSP tells the payer
and debits only after that: nothing is ours to wait for. Where the merchant does not, and a limit
asks for a notice, a retry of ours takes two steps: the notice, over a new door made for this one
attempt, and the debit through that door once the notice has reached the payer for long enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from tinko_pipelines.core.guards.evaluate import Verdict, evaluate
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Book, Limit, covering
from tinko_pipelines.core.psp.capabilities import Capability, can
from tinko_pipelines.core.psp.operations import NoticeRequest
from tinko_pipelines.core.psp.types import DoorKind, DoorSeen, Observation, Psp

NOTICE = "notice"  # the kind of limits that ask for one
# business times: when the debit is tried after its notice was asked for (delivery takes a while of
# the hour beyond the law's 24), when one that did not come is looked for again, and given up
DEBIT_AFTER = timedelta(hours=25)
LOOK_AGAIN = timedelta(hours=6)
PATIENCE = timedelta(hours=72)


def is_ours(psp: str, seen: Observation) -> bool:
    """Whether the notice of a debit is ours to ask for: the PSP takes such requests, and the
    oldest of the debt's orders, which is how its merchant collects, does not announce its debit."""
    orders = (one for one in seen.doors if one.kind is DoorKind.ORDER)
    first = next(orders, None)
    return can(Psp(psp), Capability.NOTICE) and first is not None and first.announced is False


def is_needed(facts: Facts, at: datetime, rows: Sequence[Limit] | Book | None = None) -> bool:
    """Whether a limit asks for a notice before this attempt."""
    return any(row.kind == NOTICE and row.in_force(at) for row in covering(facts, rows))


def may_ask(facts: Facts, at: datetime, rows: Sequence[Limit] | Book | None = None) -> Verdict:
    """Whether the notice may be asked for at `at`. It makes a new order whose debit comes a day
    later, which is what the limits say of a PSP that runs the clock itself."""
    return evaluate(replace(facts, notice_required=False), at, rows)


def look_again(attempt: Row[Any], now: datetime) -> datetime | None:
    """When to look again for a notice that was asked for and has not reached the payer; None
    where it failed, or did not come in all the time it was given: then nothing is debited.

    `attempt` is a row of `claimed`.
    """
    given_up: datetime = attempt.notice_asked_at + PATIENCE
    if attempt.notice_failed_at is not None or now >= given_up:
        return None
    return min(now + LOOK_AGAIN, given_up)


def request_for(attempt: Row[Any], debt: Row[Any], door: DoorSeen) -> NoticeRequest:
    """The notice of one attempt over what is left to pay; asked again it is the same one."""
    return NoticeRequest(
        attempt_id=str(attempt.id),
        door_id=door.object_id,
        amount=debt.due_minor - debt.paid_minor,
        currency=debt.currency,
        payment_method_ref=attempt.payment_method_ref,
        method=attempt.method,
    )

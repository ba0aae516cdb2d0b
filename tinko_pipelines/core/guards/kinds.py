"""The kinds of limits: for each its parameters, and one function that holds facts against them.

A function answers whether an attempt may be made at `at`, and, where it may not, the earliest
instant at which this limit would no longer refuse: None where no waiting helps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from tinko_pipelines.core.guards.model import UNRESOLVED, Counted, Facts

Answer = tuple[bool, datetime | None]
Holds = Callable[[Facts, datetime, Any], Answer]
YES: Answer = (True, None)
NEVER: Answer = (False, None)


def after(instant: datetime, **span: int) -> datetime:
    """`instant` and a span of real time, in UTC: a zone's own arithmetic would skip or repeat the
    hour when its clocks change."""
    return instant.astimezone(UTC) + timedelta(**span)


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Kind:
    params: type[Params]
    holds: Holds


class RollingCap(Params):
    """`limit` attempts in any (t − days·24 h, t], this one included.

    `same_amount`: only those of the same amount, currency and initiator count together.
    """

    limit: PositiveInt
    days: int = Field(gt=0, le=30)  # counters are read for 31 days (recovery/views.py)
    same_amount: bool


def rolling_cap(facts: Facts, at: datetime, params: RollingCap) -> Answer:
    """What the PSP dates after `at` has been made all the same, and counts."""
    since = at - timedelta(hours=24 * params.days)
    if params.same_amount:
        seen = [one.at for one in facts.counted if one.at > since and _same(one, facts)]
    else:
        seen = [one.at for one in facts.counted if one.at > since]
    over = len(seen) + 1 - params.limit
    if over <= 0:
        return YES
    seen.sort()
    return False, after(seen[over - 1], hours=24 * params.days)


def _same(one: Counted, facts: Facts) -> bool:
    return (
        one.amount == facts.amount
        and one.currency == facts.currency
        and one.initiator == facts.initiator
    )


class Codes(Params):
    network_decline_code: frozenset[str] = frozenset()
    network_advice_code: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def some(self) -> Codes:
        if not (self.network_decline_code or self.network_advice_code):
            raise ValueError("names no code")
        return self


def never_after(facts: Facts, at: datetime, params: Codes) -> Answer:
    """Once such a code came for the debt or the instrument, never again."""
    for one in _failures(facts):
        if (
            one.network_decline_code in params.network_decline_code
            or one.network_advice_code in params.network_advice_code
        ):
            return NEVER
    return YES


class Waits(Params):
    """Hours to wait after a code."""

    network_advice_code: dict[str, PositiveInt] = Field(min_length=1)


def wait_after(facts: Facts, at: datetime, params: Waits) -> Answer:
    ready: datetime | None = None
    for one in _failures(facts):
        hours = params.network_advice_code.get(one.network_advice_code or "")
        if hours is not None:
            wait = after(one.at, hours=hours)
            ready = wait if ready is None else max(ready, wait)
    return YES if ready is None or at >= ready else (False, ready)


def _failures(facts: Facts) -> tuple[Any, ...]:
    if facts.last_failure is None:
        return facts.counted
    return (*facts.counted, facts.last_failure)


class ObligationCap(Params):
    """Attempts at one debt without its payer, whoever makes them."""

    limit: PositiveInt


def obligation_cap(facts: Facts, at: datetime, params: ObligationCap) -> Answer:
    made = sum(one.same_obligation and one.initiator == "merchant" for one in facts.counted)
    return YES if made < params.limit else NEVER


class AmountCap(Params):
    limit_minor: PositiveInt


def amount_cap(facts: Facts, at: datetime, params: AmountCap) -> Answer:
    return YES if facts.amount <= params.limit_minor else NEVER


class LateAuthorisation(Params):
    days: PositiveInt


def late_authorisation(facts: Facts, at: datetime, params: LateAuthorisation) -> Answer:
    """A try that timed out may yet succeed for so many days."""
    if facts.timed_out_at is None:
        return YES
    ready = after(facts.timed_out_at, hours=24 * params.days)
    return YES if at >= ready else (False, ready)


class OneAtATime(Params):
    """`look_again_hours`: until it is asked anew whether the open one is resolved."""

    look_again_hours: PositiveInt


def one_at_a_time(facts: Facts, at: datetime, params: OneAtATime) -> Answer:
    """No debit of an instrument while an earlier one, by anyone, has no result."""
    if not any(one.state in UNRESOLVED for one in facts.counted):
        return YES
    return _once_resolved(facts, at, params.look_again_hours)


class Notice(Params):
    """`fresh`: each debit needs a notice of its own, given after the one before it, unless the
    merchant has it otherwise."""

    hours: PositiveInt
    fresh: bool


def notice(facts: Facts, at: datetime, params: Notice) -> Answer:
    """So many hours lie between the notice that reached the payer and the debit."""
    delivered = facts.notice_delivered_at
    if delivered is not None and params.fresh and facts.fresh_notice:
        debits = [
            one.at for one in facts.counted if one.same_obligation and one.initiator == "merchant"
        ]
        if debits and max(debits) >= delivered:
            delivered = None  # that one was used up
    if delivered is None:
        return _once_resolved(facts, at, params.hours)
    ready = after(delivered, hours=params.hours)
    return YES if at >= ready else (False, ready)


def _once_resolved(facts: Facts, at: datetime, hours: int) -> Answer:
    """Refused on what is known now; a plan may be made for `hours` after it was known."""
    ready = after(facts.as_of or at, hours=hours)
    return YES if at >= ready else (False, ready)

"""Hold one attempt against the limits at an instant. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tinko_pipelines.core.guards.model import Counted, Facts, Limit, limits

NEVER = None  # no later instant would do: the payer has to act


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rows` are the limits that were looked at and held; `denied_by` the one that refused.

    `next_at` is the earliest instant at which the refusing limit would no longer refuse, None
    where no waiting helps.
    """

    allowed: bool
    rows: tuple[str, ...]
    denied_by: str | None = None
    next_at: datetime | None = None


def evaluate(facts: Facts, at: datetime, rows: Sequence[Limit] | None = None) -> Verdict:
    """Whether an attempt with `facts` may be made at `at` (business time).

    An unknown instrument fails closed: without it nothing can be counted (rule 11).
    """
    if facts.instrument_key is None:
        return Verdict(False, (), "own.unknown_instrument", NEVER)
    held: list[str] = []
    refused: tuple[str, datetime | None] | None = None
    for row in rows if rows is not None else limits():
        if not (row.in_force(at) and row.covers(facts)):
            continue
        allowed, next_at = _KINDS[row.kind](facts, at, row.params)
        if allowed:
            held.append(row.id)
        elif next_at is None:
            return Verdict(False, tuple(held), row.id, NEVER)
        elif refused is None or refused[1] is None or next_at > refused[1]:
            refused = (row.id, next_at)
    if refused is not None:
        return Verdict(False, tuple(held), *refused)
    return Verdict(True, tuple(held))


def next_allowed(
    facts: Facts, at: datetime, until: datetime, rows: Sequence[Limit] | None = None
) -> tuple[datetime | None, Verdict]:
    """The first instant in [at, until] at which every limit allows it, with its verdict.

    None with the refusing verdict where there is none: the payer has to be asked.
    """
    while True:
        verdict = evaluate(facts, at, rows)
        if verdict.allowed:
            return at, verdict
        if verdict.next_at is None or verdict.next_at > until:
            return None, verdict
        at = max(verdict.next_at, at + timedelta(seconds=1))


Answer = tuple[bool, datetime | None]


def _rolling_cap(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    """At most `limit` in (at − days·24 h, at], this attempt included."""
    span = timedelta(hours=24 * params["days"])
    seen = sorted(
        one.at
        for one in facts.counted
        if at - span < one.at <= at and (not params["same_amount"] or _same(one, facts))
    )
    over = len(seen) + 1 - params["limit"]
    return (True, None) if over <= 0 else (False, seen[over - 1] + span)


def _same(one: Counted, facts: Facts) -> bool:
    return (
        one.amount == facts.amount
        and one.currency == facts.currency
        and one.initiator == "merchant"
    )


def _never_after(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    last = facts.last_failure
    if last is None:
        return True, None
    return not any(getattr(last, name) in codes for name, codes in params.items()), NEVER


def _wait_after(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    last = facts.last_failure
    hours = last and params["network_advice_code"].get(last.network_advice_code)
    if last is None or not hours:
        return True, None
    ready = last.at + timedelta(hours=hours)
    return at >= ready, ready


def _obligation_cap(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    made = sum(one.same_obligation and one.initiator == "merchant" for one in facts.counted)
    return made < params["limit"], NEVER


def _local_window(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    """The debit itself must fall in one of the local windows [from, to)."""
    ahead = timedelta(hours=params["debit_after_hours"])
    local = (at + ahead).astimezone(ZoneInfo(params["timezone"]))
    starts = []
    for start, end in params["windows"]:
        opens = datetime.combine(local.date(), time.fromisoformat(start), local.tzinfo)
        closes = (
            datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
            if end == "24:00"
            else datetime.combine(local.date(), time.fromisoformat(end), local.tzinfo)
        )
        if opens <= local < closes:
            return True, None
        if opens > local:
            starts.append(opens)
    # the first window opens at midnight, so there is always one tomorrow
    tomorrow = datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
    return False, (min(starts) if starts else tomorrow).astimezone(at.tzinfo) - ahead


def _amount_cap(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    return facts.amount <= params["limit_minor"], NEVER


def _before_cycle_end(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    if facts.cycle_end is None:
        return True, None
    debit = at + timedelta(hours=params["debit_after_hours"])
    return debit < facts.cycle_end - timedelta(hours=params["hours"]), NEVER


def _late_authorisation(facts: Facts, at: datetime, params: Mapping[str, Any]) -> Answer:
    if facts.timed_out_at is None:
        return True, None
    ready = facts.timed_out_at + timedelta(days=params["days"])
    return at >= ready, ready


_KINDS: dict[str, Callable[[Facts, datetime, Mapping[str, Any]], Answer]] = {
    "rolling_cap": _rolling_cap,
    "never_after": _never_after,
    "wait_after": _wait_after,
    "obligation_cap": _obligation_cap,
    "local_window": _local_window,
    "amount_cap": _amount_cap,
    "before_cycle_end": _before_cycle_end,
    "late_authorisation": _late_authorisation,
}

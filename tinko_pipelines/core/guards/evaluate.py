"""Hold one attempt against the limits at an instant. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Book, Limit, covering

NEVER = None  # no later instant would do: the payer has to act
UNKNOWN_INSTRUMENT = "own.unknown_instrument"


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


def evaluate(facts: Facts, at: datetime, rows: Sequence[Limit] | Book | None = None) -> Verdict:
    """Whether an attempt with `facts` may be made at `at` (business time).

    An unknown instrument fails closed: without it nothing can be counted (rule 11).
    """
    if facts.instrument_key is None:
        return Verdict(False, (), UNKNOWN_INSTRUMENT, NEVER)
    at = at.astimezone(UTC)
    held: list[str] = []
    refused: tuple[str, datetime] | None = None
    for row in covering(facts, rows):
        if not row.in_force(at):
            continue
        allowed, next_at = row.holds(facts, at, row.params)
        if allowed:
            held.append(row.id)
        elif next_at is None:
            return Verdict(False, tuple(held), row.id, NEVER)
        elif refused is None or next_at > refused[1]:
            refused = (row.id, next_at)
    if refused is not None:
        return Verdict(False, tuple(held), *refused)
    return Verdict(True, tuple(held))


def next_allowed(
    facts: Facts, at: datetime, until: datetime, rows: Sequence[Limit] | Book | None = None
) -> tuple[datetime | None, Verdict]:
    """The first instant in [at, until] at which every limit allows it, with its verdict.

    None with the refusing verdict where there is none: the payer has to be asked. This is a plan:
    what is still open is taken to be resolved by then, and evaluate() is asked again on fresh
    facts before anything is sent.
    """
    at = at.astimezone(UTC)
    if facts.as_of is None:
        facts = replace(facts, as_of=at)
    while True:
        verdict = evaluate(facts, at, rows)
        if verdict.allowed:
            return at, verdict
        if verdict.next_at is None or verdict.next_at > until:
            return None, verdict
        at = max(verdict.next_at, at + timedelta(seconds=1))

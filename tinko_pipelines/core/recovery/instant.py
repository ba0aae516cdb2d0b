"""The instant of a retry: the first that a merchant's windows and every guard agree on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tinko_pipelines.core.guards.evaluate import next_allowed
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Book, Limit
from tinko_pipelines.core.recovery.places import Place
from tinko_pipelines.core.recovery.windows import Window, next_open

# windows and guards repeat by the day, the week or the month: what has not met by then never does,
# or not for months
MOST_TURNS = 100


@dataclass(frozen=True, slots=True)
class Agreed:
    """`at` None: there is no such instant, and `denied` says why. `rows`: guards that held."""

    at: datetime | None
    rows: tuple[str, ...] = ()
    denied: str | None = None


def first_agreed(
    windows: Sequence[Window],
    place: Place,
    facts: Facts,
    at: datetime,
    until: datetime,
    limits: Sequence[Limit] | Book | None = None,
) -> Agreed:
    """The first instant in [at, until] that is inside `windows` and that every guard allows.

    `limits` None: those of limits.yaml.

    The two take turns: each moves the instant on to the next that suits itself, until neither
    does. Every turn but the last moves it forward, and `until` ends them, or MOST_TURNS.
    """
    # what is open now is looked at again at one instant, however often the two take turns
    facts = replace(facts, as_of=facts.as_of or at)
    for _ in range(MOST_TURNS):
        if at > until:
            return Agreed(None, denied="policy.max_days")
        opened = next_open(windows, at, place)
        if opened is None:
            return Agreed(None, denied="policy.windows.never")
        if opened > until:
            return Agreed(None, denied="policy.windows")
        allowed, verdict = next_allowed(facts, opened, until, limits)
        if allowed is None:
            return Agreed(None, verdict.rows, f"guard.{verdict.denied_by}")
        if allowed == opened:
            return Agreed(allowed, verdict.rows)
        at = allowed
    return Agreed(None, denied="policy.windows")

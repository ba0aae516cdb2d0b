"""The kind of limit that counts what a mandate's cycle has taken. The same contract as kinds.py."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from tinko_pipelines.core.guards.calendar_kinds import Local, debit_at
from tinko_pipelines.core.guards.cycles import cycle_of
from tinko_pipelines.core.guards.kinds import YES, Answer, after
from tinko_pipelines.core.guards.model import Facts

TAKEN = "succeeded"


class OnePerCycle(Local):
    """One successful debit in each cycle of the mandate's frequency."""


def one_per_cycle(facts: Facts, at: datetime, params: OnePerCycle) -> Answer:
    """No debit in a cycle in which an earlier one succeeded, by anyone and for whichever debt.

    Of an earlier debit it is known when it was asked for, and that it came within
    `debit_after_hours`: it takes the cycles of both instants. One without a result yet may be a
    success still: that it is waited for is another limit's (one_at_a_time).
    """
    debit = debit_at(facts, at, params.debit_after_hours)
    cycle = cycle_of(facts.frequency, debit, ZoneInfo(params.timezone))
    if cycle is None or not any(
        cycle.holds(one.at) or cycle.holds(after(one.at, hours=params.debit_after_hours))
        for one in facts.counted
        if one.state == TAKEN
    ):
        return YES
    return False, at + (cycle.end - debit)

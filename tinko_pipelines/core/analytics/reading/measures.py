"""What can be counted, and by what: data that both stores compile from.

A measure is a count of a fact's rows or a sum of one of their columns, under a condition; so
measures of disjoint rows add up, and rows can be taken out of a total and put in again as they now
stand. Conditions and expressions are SQL that Postgres and ClickHouse read alike. The words for
people are in dbt_project/models/definitions.md, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fact(StrEnum):
    """What a row is: a debt that failed (int_failed_obligations), or a try (int_attempts)."""

    DEBTS = "debts"
    TRIES = "tries"


class Unit(StrEnum):
    """What a figure is measured in."""

    COUNT = "count"
    MINOR = "minor units of the currency"
    RATIO = "share between 0 and 1"


@dataclass(frozen=True, slots=True)
class Measure:
    """Rows of `fact` under the condition `when`, or the sum of their column `amount`."""

    name: str
    fact: Fact
    when: str = ""
    amount: str = ""

    @property
    def unit(self) -> Unit:
        """Minor units for whatever sums money up; such a figure is never summed over currencies."""
        return Unit.MINOR if self.amount else Unit.COUNT

    @property
    def over_rows(self) -> str:
        """The aggregate over the fact's rows."""
        only = f" filter (where {self.when})" if self.when else ""
        return f"coalesce(sum({self.amount}){only}, 0)" if self.amount else f"count(*){only}"


_REACHED = "(is_retried or is_asked)"


def _debts(name: str, when: str = "", money: str = "due_minor") -> tuple[Measure, Measure]:
    return _of_both(Fact.DEBTS, name, when, money)


def _tries(name: str, when: str = "") -> tuple[Measure, Measure]:
    return _of_both(Fact.TRIES, name, when, "amount_minor")


def _of_both(fact: Fact, name: str, when: str, money: str) -> tuple[Measure, Measure]:
    """How many, and what they come to."""
    return Measure(name, fact, when), Measure(f"{name}_minor", fact, when, money)


MEASURES: Mapping[str, Measure] = {
    one.name: one
    for one in (
        *_debts("failed"),
        *_debts("retried", "is_retried"),
        *_debts("recovered", "outcome = 'recovered'", "recovered_minor"),
        *_debts("lost", "outcome = 'lost'"),
        *_debts("active", "outcome = 'active'"),
        Measure("reversed_minor", Fact.DEBTS, amount="reversed_minor"),
        Measure(
            "outstanding_minor",
            Fact.DEBTS,
            "outcome = 'active'",
            "greatest(due_minor - paid_minor, 0)",
        ),
        *_debts("asked", "is_asked"),
        *_debts("reached", _REACHED),
        *_debts("reached_recovered", f"{_REACHED} and outcome = 'recovered'", "recovered_minor"),
        *_debts("reached_settled", f"{_REACHED} and case_state = 'settled'", "recovered_minor"),
        *_debts("settled_debts", "case_state = 'settled'", "recovered_minor"),
        *_tries("tried"),
        *_tries("succeeded", "state = 'succeeded'"),
        Measure("declined", Fact.TRIES, "state = 'failed'"),
        Measure("undecided", Fact.TRIES, "state not in ('succeeded', 'failed')"),
    )
}

# formulas over measures, by the names of their definitions
RATIOS: Mapping[str, Fact] = {
    "recovery_rate": Fact.DEBTS,
    "recovery_rate_minor": Fact.DEBTS,
    "success_rate": Fact.TRIES,
}

SUMMARY = (
    "failed",
    "failed_minor",
    "retried",
    "retried_minor",
    "recovered",
    "recovered_minor",
    "lost",
    "lost_minor",
    "active",
    "active_minor",
    "outstanding_minor",
    "reversed_minor",
)
# of a debt's way back, one after the other, and what stands beside them
STEPS = ("failed", "reached", "reached_recovered", "reached_settled")
BESIDE = ("retried", "asked", "recovered", "settled_debts")
FUNNEL = tuple(name for step in (*STEPS, *BESIDE) for name in (step, f"{step}_minor"))
TRIES = ("tried", "tried_minor", "succeeded", "succeeded_minor", "declined", "undecided")
COHORTS = ("failed", "failed_minor", "recovered_minor")

# a day as the first day of its day, week (Monday) or month
_BUCKET = "cast(date_trunc('{}', day) as date)"

DIMENSIONS: Mapping[str, str] = {
    **dict.fromkeys(("currency", "psp", "method", "category", "actor"), ""),
    **dict.fromkeys(("attempt_number", "payer_weekday", "payer_hour", "days_to_recover"), ""),
    **{name: f"cast({name} as text)" for name in ("connection_id", "policy_version_id")},
    **{bucket: _BUCKET.format(bucket) for bucket in ("day", "week", "month")},
}
# what every mart of debts and tries has
SHARED = frozenset(
    ["currency", "psp", "method", "category", "connection_id", "day", "week", "month"]
)
# tries that were to bring a failed debt back
AGAIN = "failures_before > 0"


@dataclass(frozen=True, slots=True, eq=False)
class Mart:
    """A mart of dbt: the measures it has (its columns' names), by `SHARED` and `further`
    dimensions, of the rows of its fact that meet the condition `only`."""

    name: str
    fact: Fact
    columns: Mapping[str, str]
    further: frozenset[str] = frozenset()
    only: str = ""

    def answers(self, measure: str, dimensions: frozenset[str], only: str) -> bool:
        """Whether it has `measure` by these dimensions, of rows that meet `only`."""
        has = measure in self.columns and dimensions <= SHARED | self.further
        return has and only == self.only


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_OUTCOMES = (
    *("failed", "failed_minor", "recovered", "recovered_minor", "lost", "lost_minor"),
    *("active", "active_minor"),
)

# the first that answers is read, so the smallest stand first
MARTS: tuple[Mart, ...] = (
    Mart(
        "recovery_daily",
        Fact.DEBTS,
        _same(*_OUTCOMES, "retried", "retried_minor", "reversed_minor"),
    ),
    Mart("at_risk", Fact.DEBTS, _same("outstanding_minor")),
    Mart(
        "recovery_cohorts",
        Fact.DEBTS,
        {"failed": "debts", "failed_minor": "due_minor", "recovered_minor": "recovered_minor"},
        frozenset({"days_to_recover"}),
    ),
    Mart("policy_effect", Fact.DEBTS, _same(*_OUTCOMES), frozenset({"policy_version_id"})),
    Mart(
        "recovery_by_attempt",
        Fact.TRIES,
        _same(*TRIES),
        frozenset({"actor", "attempt_number"}),
    ),
    Mart(
        "recovery_by_hour",
        Fact.TRIES,
        _same(*TRIES),
        frozenset({"actor", "payer_weekday", "payer_hour"}),
        AGAIN,
    ),
)

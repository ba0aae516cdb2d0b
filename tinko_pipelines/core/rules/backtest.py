"""What a draft of the rules would have decided otherwise, over past failures. Pure.

A failure changes when the actions that follow it change. Money is what its debt was short of at
its last changed failure, per currency; a debt counts once, however often it failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from tinko_pipelines.core.rules.actions import Action, Lasting, deciding
from tinko_pipelines.core.rules.compiled import fire
from tinko_pipelines.core.rules.model import RuleSet
from tinko_pipelines.core.rules.past import Past

NO_RULE = "policy"  # no rule says what happens next, so the policy does
SAMPLES = 5  # of each kind of change


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Minor units of one currency; currencies are never added together."""

    currency: str
    minor: int
    debts: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One failure that changes. Rules by name; None where none fires."""

    attempt_id: str
    obligation_id: str
    case_id: str | None
    failed_at: datetime
    amount: int
    currency: str
    rule_before: str | None
    rule_after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """From one kind of decision to another; the same kind when only its details change."""

    before: str
    after: str
    failures: int
    debts: int
    money: tuple[MoneyLine, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Fires:
    """How many of the failures a rule of the draft fires on."""

    name: str
    place: int
    failures: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """`failures` and `debts` were looked at; `truncated`: older debts were not."""

    failures: int
    debts: int
    truncated: bool
    changed_failures: int
    changed_debts: int
    money: tuple[MoneyLine, ...]
    changes: tuple[Change, ...]
    fires: tuple[Fires, ...]


def backtest(past: Past, before: RuleSet, after: RuleSet) -> Backtest:
    """Compare two sets of rules over the same failures. A debt that changes in two ways stands in
    both changes, and once in the totals."""
    outcomes: dict[str, int] = {}
    old, new = fire(before, past.frame), fire(after, past.frame)
    changed = (
        past.frame.select(
            "attempt_id", "obligation_id", "case_id", "failed_at", "amount", "currency"
        )
        .with_columns(
            rule_before=_looked_up([one.name for one in before], None, old, pl.String()),
            rule_after=_looked_up([one.name for one in after], None, new, pl.String()),
            before=_looked_up(_kinds(before), NO_RULE, old, pl.String()),
            after=_looked_up(_kinds(after), NO_RULE, new, pl.String()),
            outcome_before=_looked_up(_numbers(before, outcomes), -1, old, pl.Int32()),
            outcome_after=_looked_up(_numbers(after, outcomes), -1, new, pl.Int32()),
        )
        .filter(pl.col("outcome_before") != pl.col("outcome_after"))
        .sort("failed_at", "attempt_id")
    )
    counts = dict(new.drop_nulls().value_counts().iter_rows())
    return Backtest(
        failures=past.frame.height,
        debts=past.frame["obligation_id"].n_unique(),
        truncated=past.truncated,
        changed_failures=changed.height,
        changed_debts=changed["obligation_id"].n_unique(),
        money=_money(changed),
        changes=tuple(_change(part) for part in _parts(changed)),
        fires=tuple(
            Fires(one.name, one.place, counts.get(number, 0)) for number, one in enumerate(after)
        ),
    )


def _looked_up(
    values: Sequence[object], otherwise: object, fired: pl.Series, dtype: pl.DataType
) -> pl.Series:
    """`values` by number of the rule that fired; `otherwise` where none did."""
    words = pl.Series([*values, otherwise], dtype=dtype)
    return words.gather(fired.cast(pl.UInt32).fill_null(len(values)))


def _kinds(rules: RuleSet) -> list[str]:
    decided = (deciding(one.body.then) for one in rules)
    return [NO_RULE if one is None else one.do.value for one in decided]


def _numbers(rules: RuleSet, outcomes: dict[str, int]) -> list[int]:
    """A number for each list of actions: equal lists have equal numbers, in both sets."""
    spelled = (json.dumps([_meaning(each) for each in one.body.then]) for one in rules)
    return [outcomes.setdefault(one, len(outcomes)) for one in spelled]


def _meaning(action: Action) -> dict[str, Any]:
    """An action however it was spelled: 90 minutes are 1 hour and 30."""
    said = action.model_dump(mode="json")
    if isinstance(action, Lasting):
        said |= {"hours": 0, "minutes": action.hours * 60 + action.minutes}
    return said


def _parts(changed: pl.DataFrame) -> list[pl.DataFrame]:
    """The changes by kind, the most failures first."""
    parts = changed.partition_by("before", "after", maintain_order=True)
    return sorted(parts, key=lambda one: (-one.height, one["before"][0], one["after"][0]))


def _change(part: pl.DataFrame) -> Change:
    newest = part.tail(SAMPLES).reverse().select(Sample.__slots__)
    return Change(
        before=part["before"][0],
        after=part["after"][0],
        failures=part.height,
        debts=part["obligation_id"].n_unique(),
        money=_money(part),
        samples=tuple(Sample(*row) for row in newest.iter_rows()),
    )


def _money(changed: pl.DataFrame) -> tuple[MoneyLine, ...]:
    """Of rows in order of time: each debt once, at its last row, per currency."""
    last = changed.unique(["obligation_id", "currency"], keep="last")
    sums = last.group_by("currency").agg(
        # past 63 bits a sum would wrap around
        pl.col("amount").cast(pl.Int128).sum(),
        pl.len(),
    )
    return tuple(MoneyLine(*row) for row in sums.sort("currency").iter_rows())

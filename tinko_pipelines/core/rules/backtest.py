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
from tinko_pipelines.core.rules.compiled import fire, size
from tinko_pipelines.core.rules.model import RuleSet
from tinko_pipelines.core.rules.past import Past
from tinko_pipelines.core.rules.vocabulary import Do

NO_RULE = "policy"  # no rule says what happens next, so the policy does
SAMPLES = 5  # of each kind of change
MOST_WORK = 2_000_000_000  # conditions times failures: seconds, whatever somebody sends


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
    old, new = fire(before, past.frame), fire(after, past.frame)
    outcomes: dict[str, int] = {}
    was, would = (
        _looked_up(_outcomes(rules, outcomes), 0, fired)
        for rules, fired in ((before, old), (after, new))
    )
    rows = (was != would).arg_true()
    changed = past.frame.select("amount", "currency", debt=pl.col("obligation_id").rle_id())[
        rows
    ].with_columns(
        row=rows,
        before=_looked_up(_kinds(before), KINDS.index(NO_RULE), old.gather(rows)),
        after=_looked_up(_kinds(after), KINDS.index(NO_RULE), new.gather(rows)),
    )
    counts = dict(new.drop_nulls().value_counts().iter_rows())
    told = _Told(past.frame, before, after, old, new)
    return Backtest(
        failures=past.frame.height,
        debts=_debts(past.frame["obligation_id"].rle_id()),
        truncated=past.truncated,
        changed_failures=changed.height,
        changed_debts=_debts(changed["debt"].rle_id()),
        money=_money(changed),
        changes=tuple(told.change(part) for part in _parts(changed)),
        fires=tuple(
            Fires(one.name, one.place, counts.get(number, 0)) for number, one in enumerate(after)
        ),
    )


def affordable(limit: int, *sets: RuleSet) -> int:
    """How many failures of `limit` these sets may be tried on; the rest is `truncated`."""
    conditions = sum(size(one.body.when) for rules in sets for one in rules)
    return min(limit, MOST_WORK // max(1, conditions))


KINDS = (NO_RULE, *Do)


def _looked_up(values: Sequence[int], otherwise: int, fired: pl.Series) -> pl.Series:
    """`values` by number of the rule that fired; `otherwise` where none did."""
    numbers = pl.Series([*values, otherwise], dtype=pl.UInt16)
    return numbers.gather(fired.cast(pl.UInt32).fill_null(len(values)))


def _kinds(rules: RuleSet) -> list[int]:
    decided = (deciding(one.body.then) for one in rules)
    return [KINDS.index(NO_RULE if one is None else one.do) for one in decided]


def _outcomes(rules: RuleSet, outcomes: dict[str, int]) -> list[int]:
    """A number from 1 for each list of actions: equal lists have equal numbers, in both sets."""
    spelled = (json.dumps([_meaning(each) for each in one.body.then]) for one in rules)
    return [outcomes.setdefault(one, len(outcomes) + 1) for one in spelled]


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


def _debts(numbers: pl.Series) -> int:
    """How many runs `rle_id` has numbered."""
    return int(numbers[-1]) + 1 if len(numbers) else 0


def _money(changed: pl.DataFrame) -> tuple[MoneyLine, ...]:
    """Of rows in which each debt's stand together in order of time: its last one counts."""
    debt = pl.col("debt")
    last = changed.filter((debt != debt.shift(-1)).fill_null(True))
    sums = last.group_by("currency").agg(
        # past 63 bits a sum would wrap around
        pl.col("amount").cast(pl.Int128).sum(),
        pl.len(),
    )
    return tuple(MoneyLine(*row) for row in sums.sort("currency").iter_rows())


@dataclass(frozen=True, slots=True)
class _Told:
    """One kind of change after the other, with its newest failures as samples."""

    frame: pl.DataFrame
    before: RuleSet
    after: RuleSet
    old: pl.Series
    new: pl.Series

    def change(self, part: pl.DataFrame) -> Change:
        return Change(
            before=KINDS[part["before"][0]],
            after=KINDS[part["after"][0]],
            failures=part.height,
            debts=_debts(part["debt"].rle_id()),
            money=_money(part),
            samples=self._samples(part["row"]),
        )

    def _samples(self, rows: pl.Series) -> tuple[Sample, ...]:
        known = [name for name in Sample.__slots__ if not name.startswith("rule_")]
        newest = (
            self.frame.select("failed_at")[rows]
            .with_columns(row=rows)
            .top_k(SAMPLES, by=["failed_at", "row"])
            .sort("failed_at", "row", descending=True)["row"]
        )
        names = _names(self.before, self.old[newest]), _names(self.after, self.new[newest])
        shown = self.frame[newest].select(known).iter_rows()
        return tuple(Sample(*row, *two) for row, *two in zip(shown, *names, strict=True))


def _names(rules: RuleSet, fired: pl.Series) -> list[str | None]:
    return [None if one is None else rules.ordered[one].name for one in fired]

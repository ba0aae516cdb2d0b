"""Rules for millions of failures: conditions as Polars expressions over a frame of facts.

Every expression answers true or false and never null: what `engine.holds` says of the same row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from enum import Enum
from typing import Any

import polars as pl

from tinko_pipelines.core.rules.comparisons import AmountTest
from tinko_pipelines.core.rules.facts import RuleFacts, column
from tinko_pipelines.core.rules.model import All, AnyOf, Condition, Leaf, Not, RuleSet
from tinko_pipelines.core.rules.vocabulary import Field, Operator

# a frame of facts: the attributes of RuleFacts, in their order
FACTS_SCHEMA: dict[str, pl.DataType] = {
    "amount": pl.Int64(),
    "currency": pl.String(),
    "psp": pl.String(),
    "method": pl.String(),
    "category": pl.String(),
    "code": pl.String(),
    "attempt": pl.Int32(),
    "days_since_failure": pl.Int32(),
    "customer_tags": pl.List(pl.String()),
    "country": pl.String(),
    "org_time": pl.Int16(),
    "org_weekday": pl.Int8(),
    "payer_time": pl.Int16(),
    "payer_weekday": pl.Int8(),
}


def facts_frame(facts: Iterable[RuleFacts]) -> pl.DataFrame:
    """Facts as a frame of `FACTS_SCHEMA`, one row each."""
    return pl.DataFrame([astuple(one) for one in facts], schema=FACTS_SCHEMA, orient="row")


def compile_condition(condition: Condition) -> pl.Expr:
    """The condition as a Boolean expression over the columns of `FACTS_SCHEMA`."""
    match condition:
        case All():
            return pl.all_horizontal([compile_condition(one) for one in condition.each])
        case AnyOf():
            return pl.any_horizontal([compile_condition(one) for one in condition.each])
        case Not():
            return ~compile_condition(condition.one)
        case Leaf():
            return _leaf(condition)


def fire(rules: RuleSet, frame: pl.DataFrame) -> pl.Series:
    """The number in order (UInt16, from 0) of the rule that fires on each row; null: none does.

    Rule by rule: one expression for a large set takes Polars time by the square of its size.
    """
    fired = pl.repeat(None, frame.height, dtype=pl.UInt16, eager=True)
    for number, rule in reversed(list(enumerate(rules))):
        here = pl.when(compile_condition(rule.body.when)).then(pl.lit(number, pl.UInt16))
        fired = frame.select(here.otherwise(fired)).to_series()
    return fired.rename("rule")


def size(condition: Condition) -> int:
    """How many conditions a tree holds, itself counted."""
    match condition:
        case All() | AnyOf():
            return 1 + sum(size(one) for one in condition.each)
        case Not():
            return 1 + size(condition.one)
        case Leaf():
            return 1


def _leaf(leaf: Leaf) -> pl.Expr:
    test = leaf.test
    name = column(leaf.field, test.zone)
    value = pl.col(name)
    if test.operator is Operator.IS_MISSING:
        tags = leaf.field is Field.CUSTOMER_TAGS
        missing = value.list.len().fill_null(0) == 0 if tags else value.is_null()
        return missing if test.operand else ~missing
    answer = _compared(value, test.operator, _plain(test.operand), FACTS_SCHEMA[name])
    if isinstance(test, AmountTest):
        answer = answer & (pl.col("currency") == test.currency)
    return answer.fill_null(False)


def _compared(value: pl.Expr, operator: Operator, operand: Any, dtype: pl.DataType) -> pl.Expr:
    if operator is Operator.IN:
        return value.is_in(pl.Series(list(operand), dtype=dtype).implode())
    if operator is Operator.CONTAINS:
        return value.list.contains(pl.lit(operand, pl.String))
    if operator is Operator.BETWEEN:
        low, high = (pl.lit(one, dtype) for one in operand)
        if operand[0] <= operand[1]:
            return (value >= low) & (value <= high)
        return (value >= low) | (value <= high)
    other = pl.lit(operand, dtype)
    match operator:
        case Operator.EQ:
            return value == other
        case Operator.NE:
            return value != other
        case Operator.LT:
            return value < other
        case Operator.LE:
            return value <= other
        case Operator.GT:
            return value > other
        case Operator.GE:
            return value >= other
    raise AssertionError(operator)


def _plain(operand: Any) -> Any:
    """An operand as Polars takes it: enums as their values."""
    if isinstance(operand, tuple):
        return tuple(_plain(one) for one in operand)
    return operand.value if isinstance(operand, Enum) else operand

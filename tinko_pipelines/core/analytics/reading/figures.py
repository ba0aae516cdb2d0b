"""Arithmetic of figures: totals that add up, and ratios by the formulas of their definitions."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.analytics.reading.measures import MEASURES, RATIOS, Fact, Unit

# the values of a question's dimensions, in its order, and every measure of the rows of those
Key = tuple[Any, ...]
Totals = Mapping[Key, Mapping[str, int]]

_OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def totals(rows: Iterable[Sequence[Any]], measures: Sequence[str]) -> Totals:
    """Rows of dimensions and then `measures`, as a store gives them."""
    width = len(measures)
    return {
        tuple(row[:-width]): dict(zip(measures, map(int, row[-width:]), strict=True))
        for row in rows
    }


def added(measures: Sequence[str], *parts: Totals, less: Totals | None = None) -> Totals:
    """All of `parts` together, without what `less` counts; groups in which nothing is are left
    out. A part may hold some of `measures` only."""
    found: dict[Key, dict[str, int]] = {}
    for sign, part in [*((1, part) for part in parts), (-1, less or {})]:
        for key, values in part.items():
            group = found.setdefault(key, dict.fromkeys(measures, 0))
            for name, value in values.items():
                group[name] += sign * value
    return {key: values for key, values in found.items() if any(values.values())}


def ratio(name: str, figures: Mapping[str, int]) -> float | None:
    """The ratio `name` by its definition's formula; None where it divides by nothing.

    Raises KeyError for a ratio without a formula or a measure that `figures` has not.
    """
    try:
        return _value(_parsed(name), figures)
    except ZeroDivisionError:
        return None


def ratios(fact: Fact, figures: Mapping[str, int], *, money: bool) -> dict[str, float | None]:
    """Every ratio of `fact` that these figures have; those of money only where `money` says that
    all is in one currency."""
    names = (name for name, of in RATIOS.items() if of is fact)
    return {name: ratio(name, figures) for name in names if money or not is_money(name)}


def counts(figures: Mapping[str, int]) -> dict[str, int]:
    """Of `figures` those that may be added over currencies."""
    return {name: value for name, value in figures.items() if MEASURES[name].unit is Unit.COUNT}


def is_money(name: str) -> bool:
    """Whether the ratio `name` is one of money, so of a single currency."""
    return any(MEASURES[one].unit is Unit.MINOR for one in _measures_in(name))


@lru_cache
def _measures_in(name: str) -> frozenset[str]:
    calls = (node for node in ast.walk(_parsed(name)) if isinstance(node, ast.Call))
    return frozenset(_argument(call) for call in calls)


@lru_cache
def _parsed(name: str) -> ast.expr:
    formula = definition(name).formula
    if formula is None:
        raise KeyError(f"{name} is no ratio: its definition has no formula")
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, figures: Mapping[str, int]) -> float:
    if isinstance(node, ast.BinOp):
        combine = _OPERATIONS[type(node.op)]
        return combine(_value(node.left, figures), _value(node.right, figures))
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    return figures[_argument(node)]


def _argument(node: ast.expr) -> str:
    """`failed` of `sum(failed)`; a total is summed up already."""
    match node:
        case ast.Call(func=ast.Name(id="sum"), args=[ast.Name(id=name)]):
            return name
    raise KeyError(f"not known in a formula: {ast.unparse(node)}")

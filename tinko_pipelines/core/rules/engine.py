"""Rules one by one: `evaluate` answers which fires, `explain` shows every node's truth. Pure.

`compiled` gives the same answers for frames of millions; a test holds the two together.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinko_pipelines.core.rules.actions import Action, Deciding, OfferPsp, Tag, deciding
from tinko_pipelines.core.rules.comparisons import AmountTest
from tinko_pipelines.core.rules.facts import RuleFacts, column
from tinko_pipelines.core.rules.model import All, AnyOf, Condition, Leaf, Not, Rule, RuleSet
from tinko_pipelines.core.rules.vocabulary import Field, Operator


@dataclass(frozen=True, slots=True)
class Fired:
    """The rule that holds, and what it says to do, in its order."""

    rule_id: uuid.UUID
    version: int
    name: str
    actions: tuple[Action, ...]

    @property
    def deciding(self) -> Deciding | None:
        """What happens next; None leaves that to the policy."""
        return deciding(self.actions)

    @property
    def offer_psp(self) -> str | None:
        """The PSP to offer on the payer's page."""
        return next((one.psp.value for one in self.actions if isinstance(one, OfferPsp)), None)

    @property
    def tags(self) -> tuple[str, ...]:
        """Words to put on the case."""
        return next((one.unique for one in self.actions if isinstance(one, Tag)), ())


def evaluate(rules: RuleSet, facts: RuleFacts) -> Fired | None:
    """The first rule in order of place whose condition holds, or None."""
    for rule in rules:
        if holds(rule.body.when, facts):
            return Fired(rule.rule_id, rule.version, rule.name, rule.body.then)
    return None


def holds(condition: Condition, facts: RuleFacts) -> bool:
    """Whether a condition holds. Two-valued: there is no "unknown"."""
    match condition:
        case All():
            return all(holds(one, facts) for one in condition.each)
        case AnyOf():
            return any(holds(one, facts) for one in condition.each)
        case Not():
            return not holds(condition.one, facts)
        case Leaf():
            return _leaf(condition, facts)


def explain(rule: Rule, facts: RuleFacts) -> dict[str, Any]:
    """The rule's tree, every node with `holds`, every comparison with the value it saw.

    Nothing is cut short: nodes that did not matter are answered too.
    """
    return {
        "rule_id": str(rule.rule_id),
        "version": rule.version,
        "name": rule.name,
        "holds": holds(rule.body.when, facts),
        "when": _explained(rule.body.when, facts, "when"),
    }


def _explained(condition: Condition, facts: RuleFacts, path: str) -> dict[str, Any]:
    said: dict[str, Any] = {"path": path, "holds": holds(condition, facts)}
    match condition:
        case All() | AnyOf():
            word = "all" if isinstance(condition, All) else "any"
            parts = [
                _explained(one, facts, f"{path}.{word}[{n}]")
                for n, one in enumerate(condition.each)
            ]
            return said | {"kind": word, "parts": parts}
        case Not():
            parts = [_explained(condition.one, facts, f"{path}.not")]
            return said | {"kind": "not", "parts": parts}
        case Leaf():
            test = condition.model_dump(mode="json", by_alias=True, exclude_unset=True)
            seen = _seen(condition, facts)
            return said | {"kind": "comparison", "test": test, "seen": seen}


def _seen(leaf: Leaf, facts: RuleFacts) -> Any:
    """The value a comparison saw, as people write it; an amount with its currency."""
    value = getattr(facts, column(leaf.field, leaf.test.zone))
    if leaf.field is Field.AMOUNT:
        return {"minor": value, "currency": facts.currency}
    return list(value) if isinstance(value, tuple) else value


def _leaf(leaf: Leaf, facts: RuleFacts) -> bool:
    test = leaf.test
    value = getattr(facts, column(leaf.field, test.zone))
    operator = test.operator
    if operator is Operator.IS_MISSING:
        return (value is None or value == ()) is test.operand
    if value is None or (isinstance(test, AmountTest) and test.currency != facts.currency):
        return False
    return COMPARE[operator](value, test.operand)


def between(value: Any, ends: Any) -> bool:
    """Both ends count. Times of day may go over midnight: 22:00 to 06:00."""
    low, high = ends
    return bool(low <= value <= high if low <= high else value >= low or value <= high)


COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: lambda value, operand: value == operand,
    Operator.NE: lambda value, operand: value != operand,
    Operator.LT: lambda value, operand: value < operand,
    Operator.LE: lambda value, operand: value <= operand,
    Operator.GT: lambda value, operand: value > operand,
    Operator.GE: lambda value, operand: value >= operand,
    Operator.IN: lambda value, operand: value in operand,
    Operator.BETWEEN: between,
    Operator.CONTAINS: lambda value, operand: operand in value,
}

"""The condition tree of a rule and the rule itself, as JSON people and the editor write.

    {"when": {"all": [{"amount": {"ge": 50000, "currency": "INR"}},
                      {"not": {"category": {"in": ["fraud_risk", "lost_or_stolen"]}}}]},
     "then": [{"do": "retry_at", "time": "09:30"}, {"do": "tag", "words": ["big"]}]}

`reading.read_rule` is the way in for anything from outside: it bounds depth and size first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, model_validator
from pydantic import Field as Constrained
from pydantic import Tag as Tagged

from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.rules.actions import Action, contradiction
from tinko_pipelines.core.rules.comparisons import (
    AmountTest,
    Equality,
    Ordered,
    TagTest,
    Test,
    TimeTest,
    WeekdayTest,
)
from tinko_pipelines.core.rules.values import Country, Currency, Days, Ordinal, Word
from tinko_pipelines.core.rules.vocabulary import MAX_CONDITIONS, Field

BRANCHES = ("all", "any", "not")


class Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class All(Node):
    """Holds where every condition does."""

    each: Conditions = Constrained(alias="all")


class AnyOf(Node):
    """Holds where at least one condition does."""

    each: Conditions = Constrained(alias="any")


class Not(Node):
    """Holds where the condition does not: of a missing value, `not` of a comparison is true."""

    one: Condition = Constrained(alias="not")


class Leaf(Node):
    """One comparison of one field: exactly one of these is given."""

    amount: AmountTest | None = None
    currency: Equality[Currency] | None = None
    psp: Equality[Psp] | None = None
    method: Equality[Word] | None = None
    category: Equality[Category] | None = None
    code: Equality[Word] | None = None
    attempt: Ordered[Ordinal] | None = None
    days_since_failure: Ordered[Days] | None = None
    customer_tags: TagTest | None = None
    country: Equality[Country] | None = None
    local_time: TimeTest | None = None
    weekday: WeekdayTest | None = None

    @model_validator(mode="after")
    def _one_field(self) -> Leaf:
        if len(self.model_fields_set) != 1 or self.test is None:
            raise ValueError("a condition compares exactly one field")
        return self

    @cached_property
    def field(self) -> Field:
        return Field(next(iter(self.model_fields_set)))

    @cached_property
    def test(self) -> Test:
        found: Test = getattr(self, next(iter(self.model_fields_set)))
        return found


def _branch(value: Any) -> str:
    """Which kind of node this is; what is none of them is refused as a comparison."""
    if isinstance(value, Node):
        made: dict[type[Node], str] = {All: "all", AnyOf: "any", Not: "not"}
        return made.get(type(value), "leaf")
    keys = value if isinstance(value, dict) else ()
    return next((one for one in BRANCHES if one in keys), "leaf")


Condition = Annotated[
    Annotated[All, Tagged("all")]
    | Annotated[AnyOf, Tagged("any")]
    | Annotated[Not, Tagged("not")]
    | Annotated[Leaf, Tagged("leaf")],
    Discriminator(_branch),
]
Conditions = Annotated[tuple[Condition, ...], Constrained(min_length=1, max_length=MAX_CONDITIONS)]
for _node in (All, AnyOf, Not):
    _node.model_rebuild()


class RuleBody(Node):
    """What a version of a rule says: the actions of `then`, in order, where `when` holds."""

    when: Condition
    then: Annotated[tuple[Action, ...], Constrained(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _without_contradictions(self) -> RuleBody:
        if found := contradiction([one.do for one in self.then]):
            raise ValueError(found[1])
        return self

    def document(self) -> dict[str, Any]:
        """As JSON: what `read_rule` takes and `rule_versions.definition` holds."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a rule in force. `place` orders rules; the first that holds fires."""

    rule_id: uuid.UUID
    version: int
    name: str
    place: int
    body: RuleBody


@dataclass(frozen=True)
class RuleSet:
    """Rules in the order they are asked: by place, then by id. At most one fires."""

    rules: tuple[Rule, ...] = ()
    ordered: tuple[Rule, ...] = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_place = sorted(self.rules, key=lambda one: (one.place, one.rule_id))
        object.__setattr__(self, "ordered", tuple(by_place))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.ordered)

    def __len__(self) -> int:
        return len(self.ordered)

    @cached_property
    def versions(self) -> tuple[tuple[str, int], ...]:
        """Ids and versions in order: enough to find the set again (`recovery.replay.rules_of`)."""
        return tuple((str(one.rule_id), one.version) for one in self.ordered)


NO_RULES = RuleSet()

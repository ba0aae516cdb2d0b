"""What the API says of rules. Requests are read by core/rules, whose faults name their path."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.rules.actions import Action
from tinko_pipelines.core.rules.engine import Fired
from tinko_pipelines.core.rules.model import Condition
from tinko_pipelines.core.rules.store import RuleVersion
from tinko_pipelines.core.rules.values import Country, Currency, Days, Minor, Ordinal, Word

# beyond these an instant is a mistake of the caller, and its local time may not exist
EARLIEST, LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class RuleOut(BaseModel):
    """One version of a rule. `place` orders rules: the first whose `when` holds fires."""

    id: UUID
    version: int
    name: str
    place: int
    deleted: bool
    when: Condition
    then: tuple[Action, ...]
    created_by: str | None
    created_at: datetime

    @classmethod
    def of(cls, stored: RuleVersion) -> RuleOut:
        return cls(
            id=stored.rule_id,
            version=stored.version,
            name=stored.name,
            place=stored.place,
            deleted=stored.deleted,
            when=stored.body.when,
            then=stored.body.then,
            created_by=stored.created_by,
            created_at=stored.created_at,
        )


class RuleList(BaseModel):
    items: list[RuleOut]


class FactsIn(BaseModel):
    """A failure to try rules on. What is left out is missing. `at`: by default, now.

    The organisation's clock is that of `at` in its zone; the payer's follows from `payer_country`.
    """

    model_config = ConfigDict(extra="forbid")

    amount: Minor | None = Field(None, description="minor units of `currency`")
    currency: Currency | None = None
    psp: Psp | None = None
    method: Word | None = None
    category: Category | None = None
    code: Word | None = None
    attempt: Ordinal | None = Field(None, description="how many tries have failed, this one too")
    days_since_failure: Days | None = Field(None, description="since the debt's first failure")
    customer_tags: tuple[Word, ...] = Field((), max_length=100)
    country: Country | None = Field(None, description="the payer's, or else the instrument's")
    payer_country: Country | None = None
    at: AwareDatetime | None = None

    @field_validator("at")
    @classmethod
    def _sane(cls, at: datetime | None) -> datetime | None:
        if at is not None and not EARLIEST <= at < LATEST:
            raise ValueError(f"not between {EARLIEST:%Y} and {LATEST:%Y}")
        return at


class FiredOut(BaseModel):
    """The rule that fires; `rule_id` and `version` 0 are a draft's."""

    rule_id: UUID
    version: int
    name: str
    actions: tuple[Action, ...]

    @classmethod
    def of(cls, fired: Fired) -> FiredOut:
        return cls(
            rule_id=fired.rule_id, version=fired.version, name=fired.name, actions=fired.actions
        )


class Evaluation(BaseModel):
    """`explanations`: every rule in the order they are asked, each node with its truth."""

    fired: FiredOut | None
    explanations: list[dict[str, Any]]


class MoneyLine(Read):
    currency: str
    minor: int
    debts: int


class Sample(Read):
    attempt_id: UUID
    obligation_id: UUID
    case_id: UUID | None
    failed_at: datetime
    amount: int
    currency: str
    rule_before: str | None
    rule_after: str | None


class Change(Read):
    before: str = Field(description="an action, or `policy` where no rule decides")
    after: str
    failures: int
    debts: int
    money: list[MoneyLine]
    samples: list[Sample]


class Fires(Read):
    name: str
    place: int
    failures: int


class BacktestOut(Read):
    """What would have changed. A debt counts once in `money`; currencies are never added up."""

    failures: int = Field(description="looked at")
    debts: int = Field(description="looked at")
    truncated: bool = Field(description="there are older debts, which were not looked at")
    changed_failures: int
    changed_debts: int
    money: list[MoneyLine] = Field(description="of the debts that change, at their last change")
    changes: list[Change]
    fires: list[Fires] = Field(description="on how many failures each rule of the draft fires")

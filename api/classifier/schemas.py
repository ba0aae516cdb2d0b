"""What is asked of the classifier, and what it answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.failures.coderow import CodeRow, MatchKind
from tinko_pipelines.core.failures.explain import Explanation
from tinko_pipelines.core.failures.override_rules import OverrideRule
from tinko_pipelines.core.failures.taxonomy import (
    ACTORS,
    ADVICE,
    CATEGORIES,
    Category,
    RetryAdvice,
    WhoActs,
)
from tinko_pipelines.core.psp.types import Psp

Text = Annotated[str, StringConstraints(max_length=1000)]


class ErrorFields(BaseModel):
    """What a PSP said, by the fields of its error; see `ErrorInfo`."""

    model_config = ConfigDict(extra="forbid")

    psp: Psp | None = None
    code: Text | None = None
    decline_code: Text | None = None
    reason: Text | None = None
    source: Text | None = None
    step: Text | None = None
    network: Text | None = None
    network_decline_code: Text | None = None
    network_advice_code: Text | None = None
    advice_code: Text | None = None
    description: Text | None = None


class Question(BaseModel):
    """One of a webhook's body, the fields of an error, and a bare code (of a PSP or a network)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"code": "insufficient_funds", "psp": "razorpay"},
                {"code": "51", "network": "visa"},
                {"error": {"psp": "stripe", "code": "card_declined", "decline_code": "lost_card"}},
            ]
        },
    )

    event: dict[str, Any] | None = None
    error: ErrorFields | None = None
    code: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    psp: Psp | None = Field(None, description="whose bare code")
    network: Text | None = Field(None, description="whose bare code: visa, rupay, upi …")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Question:
        if sum(one is not None for one in (self.event, self.error, self.code)) != 1:
            raise ValueError("give one of event, error and code")
        if self.code is None and (self.psp or self.network):
            raise ValueError("psp and network go with code")
        return self


class Row(BaseModel):
    """One row of the code table, or one of the merchant's own rules, and where it comes from."""

    id: str
    kind: MatchKind
    owner: str = Field(description="the PSP or network; iso8583 is what any card network means")
    code: str
    category: Category | None = Field(description="null: says what to do, not why")
    retry_advice: RetryAdvice
    who_acts: WhoActs
    confidence: float
    generic: bool = Field(description="a wrapper: speaks only where nothing else does")
    source: str
    date: date

    @classmethod
    def of(cls, row: CodeRow) -> Row:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class ConsideredRow(BaseModel):
    """A row that matched: what it gave, and why it did not give the rest."""

    row: Row
    gave: tuple[str, ...]
    lost: tuple[str, ...]


class Answer(BaseModel):
    """Why it failed, what may be done, and every row that was asked, most specific first."""

    category: Category
    category_label: str
    retry_advice: RetryAdvice
    retry_advice_label: str
    hard: bool = Field(description="never again off-session on this instrument")
    who_acts: WhoActs
    who_acts_label: str
    confidence: float = Field(ge=0, le=1)
    late_authorisation: bool = Field(description="no new order or link for 5 days")
    decided_by: Row
    explained_by: Row
    won: MatchKind = Field(description="the source that gave the advice")
    considered: list[ConsideredRow]
    also: list[Row] = Field(description="what else a bare code could mean")
    read: dict[str, str] = Field(description="the error as it was read")
    rules: str | None = Field(description="the merchant's rules that were asked")

    @classmethod
    def of(
        cls, told: Explanation, error: ErrorInfo, also: tuple[CodeRow, ...], rules: str | None
    ) -> Answer:
        given = told.classification
        read = {name: getattr(error, name) for name in ErrorFields.model_fields}
        return cls(
            category=given.category,
            category_label=CATEGORIES[given.category].label,
            retry_advice=given.retry_advice,
            retry_advice_label=ADVICE[given.retry_advice].label,
            hard=given.hard,
            who_acts=given.who_acts,
            who_acts_label=ACTORS[given.who_acts],
            confidence=given.confidence,
            late_authorisation=given.late_authorisation,
            decided_by=Row.of(told.decided_by),
            explained_by=Row.of(told.explained_by),
            won=told.decided_by.kind,
            considered=[
                ConsideredRow(row=Row.of(one.row), gave=one.gave, lost=one.lost)
                for one in told.considered
            ],
            also=[Row.of(row) for row in also],
            read={name: value for name, value in read.items() if value},
            rules=rules,
        )


class SavedVersion(BaseModel):
    """`version` 0 is the environment's, or none at all."""

    version: int
    rules: tuple[OverrideRule, ...]
    created_by: str | None
    created_at: datetime | None


class Rules(SavedVersion):
    """The rules that hold, and every version there was, newest first."""

    origin: Literal["database", "environment", "none"]
    versions: list[SavedVersion]


class NewRules(BaseModel):
    """A whole new version; no rules at all also ends those of the environment."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Any]
    based_on: int | None = Field(
        None, ge=0, description="the version these were made from: refused if it is not the newest"
    )

"""What the API takes and tells of policies. Instants carry their offset; money is minor units."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.rules.values import Country, Currency, Minor, Word, Words

# business time before the first mandate or far beyond the last limit is a mistake of the caller
EARLIEST, LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class PolicyVersion(BaseModel):
    """One version. `current`: the one that cases opened now are pinned to."""

    id: UUID
    version: int
    current: bool
    policy: Policy
    created_at: datetime


class PolicyVersions(BaseModel):
    """Newest first."""

    items: list[PolicyVersion]


class PreviewRequest(BaseModel):
    """A draft of a policy, and one failure of one debt to try it on."""

    model_config = ConfigDict(extra="forbid")

    policy: Policy
    category: Category
    failed_at: AwareDatetime
    advice: RetryAdvice | None = None
    code: Word | None = None
    amount: Minor = 10_000
    currency: Currency = "INR"
    psp: Psp = Psp.STRIPE
    method: Word = "card"
    network: Word | None = "visa"
    instrument_country: Country | None = None
    payer_country: Country | None = None
    customer_tags: Annotated[Words | None, Field(description="as rules see them")] = None
    with_rules: Annotated[bool, Field(description="let today's rules speak too")] = False

    @field_validator("failed_at")
    @classmethod
    def _sane(cls, at: datetime) -> datetime:
        if not EARLIEST <= at < LATEST:
            raise ValueError(f"not between {EARLIEST:%Y} and {LATEST:%Y}")
        return at.astimezone(UTC)


class PlannedRetry(BaseModel):
    """`guards` are the limits that were looked at and held."""

    at: datetime
    reasons: list[str]
    guards: list[str]


class Ending(BaseModel):
    """What comes after the last retry has failed too."""

    action: str
    at: datetime
    reasons: list[str]


class PreviewAnswer(BaseModel):
    retries: list[PlannedRetry]
    ending: Ending


class StoppedCase(BaseModel):
    """`cancelled_attempts` had been scheduled; `open_attempts` are with the PSP, and one of them
    may still bring the money."""

    id: UUID
    state: str
    close_reason: str
    cancelled_attempts: int
    cancelled_messages: int
    open_attempts: int

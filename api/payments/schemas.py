"""What the API says of cases and obligations. Money is minor units of the named currency."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tinko_pipelines.core.recovery.explain import Whose


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CaseLine(Read):
    """One case in a list, with its obligation's money and its last failure."""

    id: UUID
    state: str
    obligation_id: UUID
    connection_id: UUID
    psp: str
    currency: str
    due_minor: int
    paid_minor: int
    obligation_state: str
    description: str | None
    category: str | None = Field(description="of the last failure")
    code: str | None
    recovered_by: str | None
    recovered_minor: int
    reversed_minor: int
    close_reason: str | None
    decide_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    updated_at: datetime
    tags: list[str] = Field(description="the words that rules put onto it")


class CasePage(BaseModel):
    """`next_cursor` is the `cursor` of the next page; null on the last one."""

    items: list[CaseLine]
    next_cursor: str | None


class Attempt(Read):
    id: UUID
    actor: str
    state: str
    psp_payment_id: str | None
    door_id: str | None
    amount_minor: int
    currency: str
    method: str
    network: str | None
    country: str | None
    payer_present: bool
    refunded_minor: int
    disputed: bool
    error: dict[str, Any] | None
    decision_id: UUID | None
    guard_rows: Any = Field(description="the guard rows that allowed it")
    notice_asked_at: datetime | None = Field(description="of the pre-debit notice, where ours")
    scheduled_at: datetime | None
    submitted_at: datetime | None
    occurred_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Failure(Read):
    attempt_id: UUID
    category: str
    retry_advice: str
    hard: bool
    who_acts: str
    confidence: float
    decided_by: str
    code: str | None
    reason: str | None
    network: str | None
    network_decline_code: str | None
    network_advice_code: str | None
    failed_at: datetime


class Decision(Read):
    id: UUID
    action: str
    act_at: datetime | None
    reasons: Any
    inputs: Any
    policy_version_id: UUID
    decided_at: datetime


class Door(Read):
    id: UUID
    kind: str
    object_id: str
    status: str
    url: str | None
    opened_by: str
    notified_at: datetime | None = Field(description="its pre-debit notice reached the payer")
    notice_failed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PspRef(Read):
    object_id: str
    kind: str


class ObligationLine(Read):
    id: UUID
    connection_id: UUID
    psp: str
    state: str
    due_minor: int
    paid_minor: int
    refunded_minor: int
    currency: str
    description: str | None
    customer_ref: str | None
    payer_language: str | None
    psp_retries: bool | None
    has_mandate: bool | None
    cycle_end: datetime | None
    superseded_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CaseRef(Read):
    id: UUID
    state: str


class Obligation(ObligationLine):
    """One debt, with every PSP object that stands for it and every try to collect it."""

    refs: list[PspRef]
    doors: list[Door]
    attempts: list[Attempt]
    failures: list[Failure]
    case: CaseRef | None


class Case(Read):
    """One recovery, with all that led to where it stands."""

    id: UUID
    state: str
    obligation_id: UUID
    connection_id: UUID
    policy_version_id: UUID
    recovered_by: str | None
    recovered_minor: int
    reversed_minor: int
    close_reason: str | None
    decide_at: datetime | None
    asked_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    updated_at: datetime
    tags: list[str] = Field(description="the words that rules put onto it")
    offered_psp: str | None = Field(description="another PSP that a rule offers to the payer")
    obligation: ObligationLine
    attempts: list[Attempt]
    failures: list[Failure]
    decisions: list[Decision]


class Replayed(Read):
    """An answer as it was stored, and as it comes out of the same inputs now."""

    stored: Any
    again: Any
    same: bool


class Explanation(Read):
    """Why an attempt was made. `decision` is null where nobody here decided it, `evidence` and
    `verdict` where nothing was sent."""

    attempt_id: UUID
    obligation_id: UUID
    actor: str
    state: str
    amount_minor: int
    currency: str
    scheduled_at: datetime | None
    submitted_at: datetime | None
    policy_version: int | None
    decided_at: datetime | None
    known: Any = Field(description="the case as it was seen when it was decided")
    decision_limits: Whose | None = Field(
        description="whose limits the decision is made again by: its own, or, of one that was made"
        " before decisions kept theirs, the attempt's or today's, which may differ"
    )
    decision: Replayed | None
    evidence: Any = Field(description="facts, limits with their sources, and the verdict on them")
    verdict: Replayed | None
    same: bool

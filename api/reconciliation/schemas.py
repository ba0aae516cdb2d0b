"""What the API says of reconciliation. Money is minor units of the named currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.review import Action, RepairState
from tinko_pipelines.core.reconciliation.settling import SettlementState
from tinko_pipelines.core.reconciliation.vocabulary import (
    FindingKind,
    FindingState,
    Leg,
    Repair,
    Severity,
)

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Owner = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DayLine(Read):
    """One connection's day in one currency: `ledger_minor` = `matched_minor` + `findings_minor`,
    and `psp_minor` = `matched_minor` + `psp_findings_minor`."""

    day: date
    connection_id: UUID
    psp: Psp
    currency: str
    ledger_minor: int
    psp_minor: int
    matched_minor: int
    findings_minor: int
    psp_findings_minor: int
    settled_minor: int
    fee_minor: int = Field(description="includes the tax")
    tax_minor: int
    ledger_count: int
    psp_count: int
    findings_count: int
    reconciled_at: datetime


class DayList(BaseModel):
    items: list[DayLine]


class SettlementLine(Read):
    """Where the money of one recovery is, and why it is there. `amount_minor` is what the payer
    paid, of `currency`; `gross_minor` to `net_minor` are what the PSP settles of it, of
    `settled_currency`, at `exchange_rate` where that is another."""

    case_id: UUID
    obligation_id: UUID
    connection_id: UUID
    state: SettlementState
    reason: str
    payment_id: str | None
    amount_minor: int
    currency: str
    due_on: date | None = Field(description="by when it should be in a payout")
    late_days: int | None = Field(description="days past `due_on`, of what is overdue")
    payout_id: str | None
    utr: str | None = Field(description="the bank's own reference of the payout")
    gross_minor: int | None
    fee_minor: int | None = Field(description="includes the tax")
    tax_minor: int | None
    net_minor: int | None
    settled_currency: str | None
    exchange_rate: str | None
    settled_at: datetime | None
    updated_at: datetime


class SettlementPage(BaseModel):
    items: list[SettlementLine]
    next_cursor: str | None


class FindingLine(Read):
    """`amount_minor` is what is at stake; a finding of the ledger itself says it in `proposal`."""

    id: UUID
    kind: FindingKind
    label: str
    severity: Severity
    state: FindingState
    leg: Leg | None = Field(description="null for what the ledger found by itself")
    connection_id: UUID | None
    psp: Psp | None
    subject_id: str | None
    payment_id: str | None
    obligation_id: UUID | None
    amount_minor: int | None
    currency: str | None
    day: date | None
    age_days: int
    owner: str | None
    note: str | None
    repair: Repair
    repair_state: RepairState | None
    created_at: datetime
    last_seen_at: datetime | None
    closed_at: datetime | None
    updated_at: datetime


class FindingPage(BaseModel):
    """`next_cursor` is the `cursor` of the next page; null on the last one."""

    items: list[FindingLine]
    next_cursor: str | None


class Event(Read):
    action: Action
    from_state: FindingState | None
    to_state: FindingState | None
    by: str
    note: str | None
    detail: Any
    at: datetime


class Finding(FindingLine):
    """One finding, with what each side says and all that was done about it."""

    meaning: str
    evidence: Any
    proposal: Any
    repair_by: str | None
    may_become: list[FindingState]
    history: list[Event]


class StateIn(BaseModel):
    """What somebody says of a finding, and why."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["explained", "accepted", "open"]
    note: Note


class OwnerIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    owner: Owner


class RepairOut(BaseModel):
    """What was asked for. It is applied by the worker, once, and told in the history."""

    repair: Repair
    repair_state: RepairState

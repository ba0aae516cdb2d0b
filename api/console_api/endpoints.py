"""/v1/overview and /v1/connections."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping

from api.console_api import repository
from api.dependencies import Tenant

router = APIRouter(prefix="/v1", tags=["organisation"])


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class MoneyLine(Read):
    """Minor units of `currency`: in running cases, back and kept, and given up."""

    currency: str
    at_risk_minor: int
    recovered_minor: int
    lost_minor: int


class Overview(Read):
    obligations: int
    failures: int
    cases: dict[str, int]
    attempts: dict[str, dict[str, int]]
    money: list[MoneyLine]
    inbox_pending: int
    inbox_quarantined: int
    findings: int


class ConnectionLine(Read):
    id: UUID
    psp: str
    account_id: str
    livemode: bool
    label: str
    status: str
    retry_owner: str
    created_at: datetime
    updated_at: datetime


class ConnectionList(BaseModel):
    items: list[ConnectionLine]


@router.get("/overview", response_model=Overview)
def read_overview(connection: Tenant) -> dict[str, Any]:
    """How the organisation stands: counts by state, and money per currency."""
    return repository.overview(connection)


@router.get("/connections", response_model=ConnectionList)
def list_connections(connection: Tenant) -> dict[str, list[RowMapping]]:
    """The organisation's PSP connections; never their secrets."""
    return {"items": repository.connections(connection)}

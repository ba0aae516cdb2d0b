"""/v1/cases, /v1/obligations, and why an attempt was made."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from api.dependencies import Tenant
from api.payments import repository
from api.payments.schemas import Case, CasePage, Explanation, Obligation
from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.ledger.states import CaseState
from tinko_pipelines.core.recovery.explain import as_document, explain_attempt

router = APIRouter(prefix="/v1", tags=["payments"])


@router.get("/cases", response_model=CasePage)
def list_cases(
    connection: Tenant,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    state: CaseState | None = None,
) -> dict[str, Any]:
    """The organisation's cases, newest first."""
    before = None if cursor is None else _read_cursor(cursor)
    found = repository.cases_page(connection, limit + 1, before, state)
    more = len(found) > limit
    items = found[:limit]
    return {"items": items, "next_cursor": _cursor(items[-1]["id"]) if more else None}


@router.get("/cases/{case_id}", response_model=Case)
def read_case(connection: Tenant, case_id: UUID) -> dict[str, Any]:
    """One case, with its obligation, attempts, failures and decisions."""
    return repository.case(connection, case_id)


@router.get("/obligations/{obligation_id}", response_model=Obligation)
def read_obligation(connection: Tenant, obligation_id: UUID) -> dict[str, Any]:
    """One debt, with every PSP object that stands for it and every try to collect it."""
    return repository.obligation(connection, obligation_id)


@router.get("/attempts/{attempt_id}/explanation", response_model=Explanation)
def explain(connection: Tenant, attempt_id: UUID) -> dict[str, Any]:
    """What an attempt was decided and allowed on, and whether the same inputs still give the same
    answers, byte for byte."""
    return as_document(explain_attempt(connection, attempt_id))


def _cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def _read_cursor(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise InvalidInput("cursor: not one of ours") from None

"""/v1/reconciliation: days, findings, what people say of them, repairs, the report."""

from __future__ import annotations

import base64
import binascii
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from api.dependencies import ServicesOf, Tenant, require_key
from api.reconciliation import repository
from api.reconciliation.schemas import (
    DayList,
    Finding,
    FindingPage,
    OwnerIn,
    RepairOut,
    SettlementPage,
    StateIn,
)
from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation import charting, report, review
from tinko_pipelines.core.reconciliation.review import RepairState
from tinko_pipelines.core.reconciliation.settling import SettlementState
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind, FindingState, Severity
from tinko_pipelines.core.tenants.api_keys import KeyOwner

router = APIRouter(prefix="/v1/reconciliation", tags=["reconciliation"])
MOST_DAYS = 366  # of one report


def writer(owner: Annotated[KeyOwner, Depends(require_key)]) -> str:
    """Who changes a finding."""
    return f"key:{owner.key_id}"


Writer = Annotated[str, Depends(writer)]
Currency = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$")]
First = Annotated[date | None, Query(alias="from", description="first day, UTC")]
Last = Annotated[date | None, Query(alias="to", description="last day, UTC")]


@router.get("/days", response_model=DayList)
def list_days(
    connection: Tenant,
    first: First = None,
    last: Last = None,
    psp: Psp | None = None,
    currency: Currency = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Each day's money per connection and currency, newest first."""
    wanted = {"first": first, "last": last, "psp": psp, "currency": currency, "limit": limit}
    return {"items": repository.days(connection, wanted)}


@router.get("/settlements", response_model=SettlementPage)
def list_settlements(
    connection: Tenant,
    services: ServicesOf,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    state: SettlementState | None = None,
    connection_id: UUID | None = None,
    currency: Currency = None,
) -> dict[str, Any]:
    """Where the money of each recovery is: in which payout, or why in none yet; newest first."""
    wanted = {
        "before": None if cursor is None else _read_cursor(cursor),
        "state": state,
        "connection_id": connection_id,
        "currency": currency,
        "limit": limit + 1,
    }
    found = repository.settlements_page(connection, wanted, services.clock.now())
    items, more = found[:limit], len(found) > limit
    return {"items": items, "next_cursor": _cursor(items[-1]["case_id"]) if more else None}


@router.get("/findings", response_model=FindingPage)
def list_findings(
    connection: Tenant,
    services: ServicesOf,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    kind: FindingKind | None = None,
    state: FindingState | None = None,
    severity: Severity | None = None,
    psp: Psp | None = None,
    connection_id: UUID | None = None,
    currency: Currency = None,
    owner: str | None = None,
    first: First = None,
    last: Last = None,
) -> dict[str, Any]:
    """The organisation's findings, newest first."""
    wanted = {
        "before": None if cursor is None else _read_cursor(cursor),
        "kind": kind,
        "state": state,
        "severity": severity,
        "psp": psp,
        "connection_id": connection_id,
        "currency": currency,
        "owner": owner,
        "first": first,
        "last": last,
        "limit": limit + 1,
    }
    found = repository.findings_page(connection, wanted, services.clock.now())
    items, more = found[:limit], len(found) > limit
    return {"items": items, "next_cursor": _cursor(items[-1]["id"]) if more else None}


@router.get("/findings/{finding_id}", response_model=Finding)
def read_finding(connection: Tenant, services: ServicesOf, finding_id: UUID) -> dict[str, Any]:
    """One finding: evidence from both sides, what is proposed, and its history."""
    return repository.finding(connection, finding_id, services.clock.now())


@router.post("/findings/{finding_id}/state", response_model=Finding)
def say_of_finding(
    connection: Tenant, services: ServicesOf, by: Writer, finding_id: UUID, said: StateIn
) -> dict[str, Any]:
    """Explain, accept or open a finding again, saying why. Only reconciliation says `fixed`."""
    now = services.clock.now()
    review.say(connection, finding_id, FindingState(said.state), said.note, by, now)
    return repository.finding(connection, finding_id, now)


@router.post("/findings/{finding_id}/owner", response_model=Finding)
def assign_finding(
    connection: Tenant, services: ServicesOf, by: Writer, finding_id: UUID, given: OwnerIn
) -> dict[str, Any]:
    """Make a finding somebody's."""
    now = services.clock.now()
    review.assign(connection, finding_id, given.owner, by, now)
    return repository.finding(connection, finding_id, now)


@router.post(
    "/findings/{finding_id}/repair",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=RepairOut,
)
def repair_finding(
    connection: Tenant, services: ServicesOf, by: Writer, finding_id: UUID
) -> RepairOut:
    """Ask for the proposed repair; asking again changes nothing. A conflict where none is
    proposed, or nothing is wrong any more."""
    repair = review.request_repair(connection, finding_id, by, services.clock.now())
    return RepairOut(repair=repair, repair_state=RepairState.REQUESTED)


@router.get(
    "/report",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "text/csv": {}}}},
)
def download_report(
    connection: Tenant,
    services: ServicesOf,
    first: First = None,
    last: Last = None,
    form: Annotated[Literal["html", "csv"], Query(alias="format")] = "html",
    psp: Psp | None = None,
) -> Response:
    """The report of some days, by default of yesterday, made now from what is known now."""
    now = services.clock.now()
    until = last or first or now.date() - timedelta(days=1)
    since = first or until
    if not since <= until <= since + timedelta(days=MOST_DAYS):
        raise InvalidInput(f"from, to: a report is of 1 to {MOST_DAYS} days, in their order")
    told = report.read(connection, since, until, now, psp)
    name = f'attachment; filename="reconciliation-{told.name}.{form}"'
    body = report.as_csv(told)
    if form == "html":
        body = report.as_html(told, charting.svg(told.days))
    return Response(
        body,
        media_type=f"text/{form}; charset=utf-8",
        headers={"Content-Disposition": name, "X-Content-Type-Options": "nosniff"},
    )


def _cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def _read_cursor(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise InvalidInput("cursor: not one of ours") from None

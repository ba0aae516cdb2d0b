"""/v1/quarantine: what was set aside, and letting it back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.bodies import bounded
from api.dependencies import ServicesOf, Tenant, require_key
from api.quarantine import schemas
from tinko_pipelines.core.quality.model import QuarantineState, Source
from tinko_pipelines.core.quality.quarantine import Which, held
from tinko_pipelines.core.quality.replaying import TENANTS, let_back
from tinko_pipelines.core.tenants.api_keys import KeyOwner

MAX_BODY = 64 * 1024

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"], route_class=bounded(MAX_BODY))

Owner = Annotated[KeyOwner, Depends(require_key)]


@router.get("")
def list_entries(
    connection: Tenant,
    state: QuarantineState = QuarantineState.QUARANTINED,
    source: Source | None = None,
    reason: Annotated[str | None, Query(description="held by this check", max_length=100)] = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> schemas.Entries:
    """The organisation's rows that were set aside, newest first."""
    rows = held(
        connection, state=state, source=source, reason=reason, before=before, limit=limit + 1
    )
    items = [schemas.Entry.model_validate(dict(row)) for row in rows[:limit]]
    return schemas.Entries(items=items, next=items[-1].id if len(rows) > limit else None)


@router.post("/replay")
def replay_entries(
    connection: Tenant, owner: Owner, services: ServicesOf, asked: schemas.ReplayRequest
) -> schemas.Replayed:
    """Let rows back the way they came; what is refused again is held again."""
    which = Which(tuple(asked.ids), asked.reason)
    by = f"key:{owner.key_id}"
    count = let_back(connection, which, services.clock.now(), by, TENANTS)
    return schemas.Replayed(replayed=count)


@router.post("/{entry_id}/replay")
def replay_entry(
    connection: Tenant, owner: Owner, services: ServicesOf, entry_id: UUID
) -> schemas.Replayed:
    """Let one row back. One that is not held (any more) is not found."""
    which = Which((entry_id,))
    by = f"key:{owner.key_id}"
    count = let_back(connection, which, services.clock.now(), by, TENANTS)
    return schemas.Replayed(replayed=count)

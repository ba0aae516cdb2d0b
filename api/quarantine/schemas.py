"""What the API tells of the quarantine. Instants are business time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tinko_pipelines.core.quality.model import QuarantineState, Source


class Entry(BaseModel):
    """One row that was set aside. `reasons` are the checks that refused it, by name; `debt_id` is
    the obligation that is held back from analytics with it."""

    id: UUID
    source: Source
    frame: str
    key: str
    debt_id: UUID | None
    reasons: list[str]
    detail: str
    payload: dict[str, Any]
    state: QuarantineState
    times: int = Field(description="how often it was refused")
    first_seen: datetime
    last_seen: datetime
    decided_at: datetime | None
    decided_by: str | None


class Entries(BaseModel):
    """Newest first. `next`: the `before` of the following page, null on the last."""

    items: list[Entry]
    next: UUID | None


class ReplayRequest(BaseModel):
    """Entries by id, or all that one check holds."""

    model_config = ConfigDict(extra="forbid")

    ids: list[UUID] = Field(default_factory=list, max_length=1000)
    reason: str | None = Field(None, max_length=100)


class Replayed(BaseModel):
    replayed: int

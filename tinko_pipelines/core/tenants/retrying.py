"""Who retries the failures of a connection: us, or its PSP with us watching (rule 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import UnknownConnection
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.tenants.connections import check_retry_owner


@dataclass(frozen=True, slots=True)
class RetryOwner:
    """Who retries now, who did before, and how many planned retries of ours that ended."""

    psp: Psp
    owner: str
    before: str
    cancelled: int


def set_retry_owner(
    connection: Connection, connection_id: UUID, owner: str, at: datetime
) -> RetryOwner:
    """Say who retries, from this transaction on; the caller commits. `at` is business time.

    Given to the PSP, no retry of ours that is planned is made, and one that is claimed is refused
    before it is sent; either way every case under way is decided anew. The change stays in
    state_history. Saying what is so already changes nothing. Raises InvalidInput for an owner that
    is none, UnknownConnection where none of this id is active.
    """
    check_retry_owner(owner)
    named = {"id": connection_id, "at": at}
    found = connection.execute(query("tenants", "lock_retry_owner"), named).one_or_none()
    if found is None:
        raise UnknownConnection(f"no active connection has the id {connection_id}")
    if found.retry_owner == owner:
        return RetryOwner(Psp(found.psp), owner, owner, 0)
    said = named | {"owner": owner, "before": found.retry_owner, "org_id": found.org_id}
    connection.execute(query("tenants", "set_retry_owner"), said)
    connection.execute(query("tenants", "lock_debts_under_way"), named)
    cancelled = 0
    if owner == "psp":
        cancelled = connection.execute(query("tenants", "cancel_retries"), named).rowcount
    connection.execute(query("tenants", "decide_anew"), named)
    return RetryOwner(Psp(found.psp), owner, found.retry_owner, cancelled)

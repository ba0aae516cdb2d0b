"""A debt as its PSP showed it just now, and whether the ledger has learnt more since."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.types import Observation, Ref
from tinko_pipelines.core.recovery.permission import BRIEFLY, Permission

Refs = Mapping[uuid.UUID, tuple[Ref, ...]]  # of one debt, by the connection they are at


def is_mentioned(connection: Connection, refs: Refs, subscription: str | None = None) -> bool:
    """Whether an event that is not worked off yet speaks of any of these objects, or of the
    subscription that made the debt (rule 8)."""
    made_by = [subscription] if subscription else []
    return any(
        connection.scalar(
            query("inbox", "mentions"),
            {"connection_id": one, "object_ids": [*made_by, *(ref.object_id for ref in its)]},
        )
        for one, its in refs.items()
    )


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was read, and the mandate that the ledger knew of before the PSP was asked."""

    seen: Observation
    mandate_ref: str | None
    has_mandate: bool | None

    def overtaken(
        self, connection: Connection, obligation_id: uuid.UUID, now: datetime
    ) -> Permission | None:
        """The refusal where the mandate was lost, replaced or restored in the ledger since: what
        was read may be older than that, and is not written over it. Locks the debt."""
        debt = connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id}).one()
        if (debt.mandate_ref, debt.has_mandate) == (self.mandate_ref, self.has_mandate):
            return None
        if debt.has_mandate is False:
            return Permission(False, "mandate.none")
        return Permission(False, "mandate.changed", now + BRIEFLY)

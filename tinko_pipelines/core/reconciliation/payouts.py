"""How payouts stand, where the money of one that came back is now, and what is paid by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.settlement import PayoutStatus

MOST_PAYOUTS = 10  # that one after the other failed to carry the same money
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
CAME_BACK = frozenset({PayoutStatus.FAILED, PayoutStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Payouts:
    """How payouts stand, by id, and in which the money of a failed one left again."""

    status: Mapping[str, PayoutStatus]
    again: Mapping[str, str]
    utr: Mapping[str, str | None]

    def carrying(self, payout_id: str) -> str:
        """The payout that carries the money of `payout_id` now."""
        for _ in range(MOST_PAYOUTS):
            if self.status.get(payout_id) not in CAME_BACK:
                break
            after = self.again.get(payout_id)
            if after is None:
                break
            payout_id = after
        return payout_id


def read_payouts(
    connection: Connection, connections: Sequence[uuid.UUID], payout_ids: Iterable[str]
) -> dict[uuid.UUID, Payouts]:
    """How those payouts stand, and those that carried their money after them, by connection."""
    status: dict[uuid.UUID, dict[str, PayoutStatus]] = {one: {} for one in connections}
    again: dict[uuid.UUID, dict[str, str]] = {one: {} for one in connections}
    utr: dict[uuid.UUID, dict[str, str | None]] = {one: {} for one in connections}
    wanted = set(payout_ids)
    while wanted:
        rows = connection.execute(
            query("reconciliation", "payouts_of"),
            {"connection_ids": list(connections), "payout_ids": sorted(wanted)},
        ).all()
        after = set()
        for row in rows:
            status[row.connection_id][row.payout_id] = PayoutStatus(row.status)
            utr[row.connection_id][row.payout_id] = row.utr
            if row.again is not None:
                again[row.connection_id][row.payout_id] = row.again
                after.add(row.again)
        known = {one for by in status.values() for one in by}
        wanted = after - known - wanted
    return {one: Payouts(status[one], again[one], utr[one]) for one in connections}


def by_hand_until(
    connection: Connection, connections: Sequence[uuid.UUID]
) -> dict[uuid.UUID, datetime]:
    """Of connections whose merchant has paid out by hand: what was available until then is his to
    pay out, or gone with such a payout, whose lines no PSP lists.

    That is all of it where the last payout was by hand, and else what was available by the last
    such payout: what the PSP pays out by itself since then is to be in a payout in time.
    """
    rows = connection.execute(
        query("reconciliation", "paid_out"), {"connection_ids": list(connections)}
    )
    return {
        row.connection_id: row.by_hand
        if row.by_itself is not None and row.by_itself > row.by_hand
        else FOREVER
        for row in rows
        if row.by_hand is not None
    }

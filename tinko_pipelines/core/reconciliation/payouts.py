"""How payouts stand, where the money of one that came back is now, and what is paid by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.settlement import PayoutInterval, PayoutStatus

MOST_PAYOUTS = 10  # that one after the other failed to carry the same money
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
AGAIN = timedelta(days=31)
# between two payouts of the PSP, beyond the terms of one a day
GATHERED: Mapping[PayoutInterval, timedelta] = {
    PayoutInterval.DAILY: timedelta(0),
    PayoutInterval.WEEKLY: timedelta(days=7),
    PayoutInterval.MONTHLY: timedelta(days=31),
    PayoutInterval.MANUAL: timedelta(0),
}
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


@dataclass(frozen=True, slots=True)
class Custom:
    """How a merchant is paid out. What was available `by_hand_until` then is his own to pay out, or
    gone with such a payout, whose lines no PSP lists; the rest the PSP gathers for `gathers`."""

    by_hand_until: datetime | None = None
    gathers: timedelta = timedelta(0)


def custom(
    interval: PayoutInterval | None, by_hand: datetime | None, by_itself: datetime | None
) -> Custom:
    """By the PSP's word, `interval`, where it says; and by the last payout there was `by_hand`, and
    the last that the PSP made `by_itself`. Pure.

    On a manual schedule all of the balance is the merchant's to pay out, before the first payout
    too. On another one only what was available by the last payout by hand may have gone with it.
    Where the PSP does not say, somebody who has paid out by hand, and was not paid out otherwise
    since, does so again within `AGAIN`: one such payout explains no more than that.
    """
    if interval is PayoutInterval.MANUAL:
        return Custom(FOREVER)
    gathers = GATHERED[interval] if interval is not None else timedelta(0)
    if by_hand is None or interval is not None or (by_itself is not None and by_itself > by_hand):
        return Custom(by_hand, gathers)
    return Custom(by_hand + AGAIN)


def customs(connection: Connection, connections: Sequence[uuid.UUID]) -> dict[uuid.UUID, Custom]:
    """How the merchant of each connection is paid out."""
    rows = connection.execute(
        query("reconciliation", "paid_out"), {"connection_ids": list(connections)}
    )
    return {
        row.connection_id: custom(
            None if row.payout_interval is None else PayoutInterval(row.payout_interval),
            row.by_hand,
            row.by_itself,
        )
        for row in rows
    }

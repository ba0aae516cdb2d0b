"""Which PSPs a payer may choose between (rule 7): the debt's own, and one that a rule offered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.psp.currencies import takes
from tinko_pipelines.core.psp.types import DoorKind, Psp

LATE_AUTHORISATION = timedelta(days=5)  # limits.yaml, razorpay.late_authorisation
# doors that cannot be closed without giving up the debt: a voided invoice makes its subscription
# good again, unpaid, and a subscription's cycle is Razorpay's to collect (rule 3)
STAYING = frozenset({DoorKind.INVOICE, DoorKind.SUBSCRIPTION_CYCLE})


@dataclass(frozen=True, slots=True)
class Way:
    """One PSP at which a debt can be paid, `blocked_until` a bank has had its time with an earlier
    try at another one (rule 6). `connection_id` is None for the debt's own."""

    psp: Psp
    connection_id: uuid.UUID | None = None
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """The debt's own PSP, and the other one where it is offered."""

    home: Way
    other: Way | None = None

    @property
    def any_open(self) -> bool:
        """Whether the debt may be paid anywhere now."""
        return any(one is not None and one.blocked_until is None for one in (self.home, self.other))

    def to(self, psp: Psp | None) -> Way | None:
        """The way to the PSP that a payer chose, its own where none was; None: not offered."""
        if psp is None or psp is self.home.psp:
            return self.home
        return self.other if self.other is not None and self.other.psp is psp else None


def find_ways(
    connection: Connection,
    obligation_id: uuid.UUID,
    home_id: uuid.UUID,
    home: Psp,
    now: datetime,
) -> Ways:
    """The ways to pay a debt that is at home at the connection `home_id`, by the ledger alone."""
    wanted = {"obligation_id": obligation_id}
    late = {
        row.connection_id: row.failed_at
        for row in connection.execute(query("payer", "late_failures"), wanted)
    }
    ways = Ways(Way(home, blocked_until=blocked_until(late, home_id, now)))
    row = connection.execute(
        query("payer", "offer"), wanted | {"staying": [one.value for one in STAYING]}
    ).one_or_none()
    if row is None or row.stays or not takes(Psp(row.offered_psp), row.currency):
        return ways
    until = blocked_until(late, row.other_id, now)
    return Ways(ways.home, Way(Psp(row.offered_psp), row.other_id, until))


def blocked_until(
    late: Mapping[uuid.UUID, datetime], connection_id: uuid.UUID, now: datetime
) -> datetime | None:
    """Until when nothing new may be opened at a connection because a try at another one, timed out
    at the instants `late`, may yet succeed; None where nothing forbids it. Pure."""
    ends = [at + LATE_AUTHORISATION for one, at in late.items() if one != connection_id]
    return max((end for end in ends if end > now), default=None)

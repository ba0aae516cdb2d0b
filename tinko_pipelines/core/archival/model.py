"""The words of archival, and its figures with their sources."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound, TinkoError
from tinko_pipelines.core.ids import id_floor

# A capture may be disputed for 120 days, counted from a delivery that may itself come late, and
# for no longer than 540 days from processing (Visa Core Rules 11; Mastercard Chargeback Guide, for
# services that were not provided). UPI's and the wallets' windows are shorter.
DISPUTE_WINDOW = timedelta(days=540)
# a month that was brought back is being looked at: it stays this long
RESTORED_STAYS = timedelta(days=30)


class ArchiveState(StrEnum):
    """Where a month of a table is on its way out."""

    EXPORTING = "exporting"
    VERIFIED = "verified"  # in S3, read back, manifest written
    DETACHED = "detached"
    DROPPED = "dropped"
    DISCARDED = "discarded"  # dropped without an archive, as explicitly allowed
    RESTORED = "restored"


# the partition's rows are not in the ledger any more
GONE = frozenset({ArchiveState.DETACHED, ArchiveState.DROPPED, ArchiveState.DISCARDED})
# between the verified manifest and the drop
ON_ITS_WAY = frozenset({ArchiveState.VERIFIED, ArchiveState.DETACHED})


class Hold(StrEnum):
    """Why a month stays, as the plan says it."""

    YOUNG = "young"
    NEXT = "next"
    RESTORED = "restored"
    NO_STORE = "no_store"
    UNRESOLVED = "unresolved"
    UNCLASSIFIED = "unclassified"
    UNPROCESSED = "unprocessed"
    QUARANTINED = "quarantined"
    OPEN_DEBT = "open_debt"
    OPEN_CASE = "open_case"
    LOCKED = "locked"
    OPEN_FINDING = "open_finding"
    DISPUTABLE = "disputable"
    PENDING_MESSAGE = "pending_message"
    UNCARRIED = "uncarried"


WHY: dict[Hold, str] = {
    Hold.YOUNG: "younger than PARTITION_RETENTION_DAYS",
    Hold.NEXT: "this month or a later one",
    Hold.RESTORED: f"was brought back less than {RESTORED_STAYS.days} days ago",
    Hold.NO_STORE: "no S3_BUCKET is set, and dropping without an archive is not allowed",
    Hold.UNRESOLVED: "attempts whose outcome is not known yet",
    Hold.UNCLASSIFIED: "failed attempts that are not classified yet",
    Hold.UNPROCESSED: "events that are not worked off yet",
    Hold.QUARANTINED: "quarantined events that wait for a person",
    Hold.OPEN_DEBT: "rows of debts that are still open",
    Hold.OPEN_CASE: "rows of cases that are still open or disputed",
    Hold.LOCKED: "rows of debts that are locked",
    Hold.OPEN_FINDING: "rows of debts with an open finding",
    Hold.DISPUTABLE: f"rows of debts with a capture of the last {DISPUTE_WINDOW.days} days,"
    " which may still be disputed",
    Hold.PENDING_MESSAGE: "deliveries of messages that are not final",
    Hold.UNCARRIED: "rows that the analytics sink has not carried yet",
}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One month of one partitioned table."""

    relation: str
    month: Month

    @classmethod
    def parse(cls, relation: str, month: str) -> Target:
        """`attempts`, `2025-01`. Raises InvalidInput."""
        if relation not in PARTITIONED:
            raise InvalidInput(f"{relation} is no partitioned table: {', '.join(PARTITIONED)} are")
        return cls(relation, read_month(month))

    @property
    def partition(self) -> str:
        return self.month.partition(self.relation)

    @property
    def low(self) -> uuid.UUID:
        return id_floor(self.month.start)

    @property
    def high(self) -> uuid.UUID:
        return id_floor(self.month.plus(1).start)

    def __str__(self) -> str:
        return f"{self.relation} {self.month}"


def read_month(text: str) -> Month:
    """`2025-01` as a month. Raises InvalidInput."""
    year, _, month = text.partition("-")
    if not (len(year) == 4 and len(month) == 2 and (year + month).isdecimal()):
        raise InvalidInput(f"{text} is no month: write it as 2025-01")
    if not 1 <= int(month) <= 12:
        raise InvalidInput(f"{text} is no month: there are twelve")
    return Month(int(year), int(month))


@dataclass(frozen=True, slots=True)
class Record:
    """A row of `archives`."""

    target: Target
    state: ArchiveState
    rows: int | None = None
    bytes: int | None = None
    manifest_key: str | None = None
    manifest_sha256: str | None = None
    restored_wall: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A month as it stands: `attached` says whether its partition is in the ledger, `bytes` what
    it takes of the disk with its indexes, `holds` how many rows each reason keeps here."""

    target: Target
    attached: bool
    rows: int
    bytes: int
    record: Record | None = None
    holds: dict[Hold, int] = field(default_factory=dict)


class ArchiveBusy(Conflict):
    code, title = "archive_busy", "Another archival is running"


class ArchiveNotVerified(TinkoError):
    """What was read back is not what the database holds. The partition stands untouched."""

    code, status, title = "archive_not_verified", 500, "The archive does not match the database"


class ArchiveStoreError(TinkoError):
    code, status, title = "archive_store", 502, "The archive's store did not do what was asked"


class Archived(NotFound):
    """It was here, and is in the archive now. The member `month` names where."""

    code, title = "archived", "This was moved to the archive"

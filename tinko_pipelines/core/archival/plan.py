"""What is to happen to each month, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from tinko_pipelines.core.archival.model import (
    RESTORED_STAYS,
    WHY,
    ArchiveState,
    Hold,
    Standing,
    Target,
)
from tinko_pipelines.core.db.partitions import month_of

# AWS S3 Standard, us-east-1, the first 50 TB (aws.amazon.com/s3/pricing, 2026-11)
USD_PER_GB_MONTH = Decimal("0.023")
_GIGABYTE = 1_000_000_000
# Parquet's share of what a partition with its indexes takes in Postgres, as `make bench
# NAME=archive` has it
_SHARE = 0.15


class Action(StrEnum):
    ARCHIVE = "archive"
    RESUME = "resume"  # a run was broken off behind the verified manifest
    DISCARD = "discard"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Step:
    """One month: `holds` are rows or debts by reason; `archive_bytes` is what it takes in the
    bucket, an estimate unless it lies there."""

    target: Target
    action: Action
    rows: int
    bytes: int
    archive_bytes: int
    holds: Mapping[Hold, int]

    @property
    def usd_per_month(self) -> Decimal:
        return cost(self.archive_bytes)

    @property
    def reasons(self) -> list[str]:
        """Why it stays, for people."""
        return [f"{count} {WHY[one]}" if count else WHY[one] for one, count in self.holds.items()]


@dataclass(frozen=True, slots=True)
class Policy:
    """`now` is business time, `wall` the wall; `has_store`: a bucket is set; `may_discard`:
    dropping without one is explicitly allowed."""

    now: datetime
    wall: datetime
    retention: timedelta
    has_store: bool
    may_discard: bool = False


def is_old(target: Target, policy: Policy) -> bool:
    """Whether all of the month is older than the retention."""
    return target.month.plus(1).start + policy.retention <= policy.now


def plan(months: Iterable[Standing], policy: Policy) -> list[Step]:
    """A step for each month, oldest first."""
    return [_step(one, policy) for one in sorted(months, key=lambda one: _order(one.target))]


def _order(target: Target) -> tuple[str, str]:
    return str(target.month), target.relation


def _step(one: Standing, policy: Policy) -> Step:
    action, holds = _action(one, policy)
    record = one.record
    known = record.bytes if record is not None and record.bytes is not None else None
    estimate = int(one.bytes * _SHARE) if known is None else known
    return Step(one.target, action, one.rows, one.bytes, estimate, holds)


def _action(one: Standing, policy: Policy) -> tuple[Action, Mapping[Hold, int]]:
    state = one.record.state if one.record is not None else None
    if not one.attached:
        # rows that are neither here nor dropped: nothing is more urgent
        return Action.RESUME, {}
    holds = dict(one.holds)
    if one.target.month >= month_of(policy.now):
        holds = {Hold.NEXT: 0}
    elif not is_old(one.target, policy):
        holds = {Hold.YOUNG: 0}
    elif state is ArchiveState.RESTORED and _restored_lately(one, policy):
        holds = {Hold.RESTORED: 0, **holds}
    if not policy.has_store and not policy.may_discard and not holds:
        holds = {Hold.NO_STORE: 0}
    if holds:
        return Action.HOLD, holds
    if not policy.has_store:
        return Action.DISCARD, {}
    return (Action.RESUME if state is ArchiveState.VERIFIED else Action.ARCHIVE), {}


def _restored_lately(one: Standing, policy: Policy) -> bool:
    at = one.record.restored_wall if one.record is not None else None
    return at is not None and at + RESTORED_STAYS > policy.wall


def cost(archive_bytes: int) -> Decimal:
    """US dollars a month for so many bytes in the bucket, to the hundredth of a cent."""
    exact = Decimal(archive_bytes) / _GIGABYTE * USD_PER_GB_MONTH
    return exact.quantize(Decimal("0.0001"))

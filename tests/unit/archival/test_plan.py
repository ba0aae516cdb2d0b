"""What the plan lets go, and what it keeps and why."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tinko_pipelines.core.archival.model import (
    WHY,
    ArchiveState,
    Hold,
    Record,
    Standing,
    Target,
    read_month,
)
from tinko_pipelines.core.archival.plan import Action, Policy, cost, plan
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.errors import InvalidInput

NOW = datetime(2026, 9, 7, 6, tzinfo=UTC)
OLD, YOUNG = Month(2025, 1), Month(2026, 1)


def policy(**more):
    values = {"now": NOW, "wall": NOW, "retention": timedelta(days=365), "has_store": True}
    return Policy(**values | more)


def standing(month=OLD, state=None, *, attached=True, holds=None, restored=None):
    target = Target("attempts", month)
    record = None if state is None else Record(target, state, restored_wall=restored)
    return Standing(target, attached, 1000, 1_000_000, record, holds or {})


def step(one, **more):
    (found,) = plan([one], policy(**more))
    return found


def test_a_month_leaves_when_its_last_day_is_older_than_the_retention():
    last = NOW - timedelta(days=365)
    assert step(standing(Month(2025, 9))).holds == {Hold.YOUNG: 0}
    assert step(standing(Month(2025, 8))).action is Action.ARCHIVE
    assert step(standing(Month(2025, 8)), now=last.replace(year=2026, day=1)).holds == {}
    just_before = datetime(2026, 9, 1, tzinfo=UTC) - timedelta(seconds=1)
    assert step(standing(Month(2025, 8)), now=just_before).holds == {Hold.YOUNG: 0}


def test_this_month_and_those_to_come_never_leave():
    for month in (Month(2026, 9), Month(2026, 12)):
        assert step(standing(month), retention=timedelta(0)).holds == {Hold.NEXT: 0}


@pytest.mark.parametrize("reason", [one for one in Hold if one not in (Hold.YOUNG, Hold.NEXT)])
def test_any_reason_holds_a_month_and_is_said(reason):
    found = step(standing(holds={reason: 3}))
    assert found.action is Action.HOLD
    assert found.reasons == [f"3 {WHY[reason]}"]


def test_a_verified_month_goes_on_and_one_that_stands_apart_is_finished_first():
    assert step(standing(state=ArchiveState.VERIFIED)).action is Action.RESUME
    # it is in nobody's ledger: no reason keeps it there
    apart = standing(state=ArchiveState.DETACHED, attached=False)
    assert step(apart).action is Action.RESUME
    assert step(standing(state=ArchiveState.EXPORTING)).action is Action.ARCHIVE
    assert step(standing(state=ArchiveState.VERIFIED, holds={Hold.OPEN_CASE: 1})).holds


def test_what_was_brought_back_stays_a_while():
    lately = standing(state=ArchiveState.RESTORED, restored=NOW - timedelta(days=29))
    long_ago = standing(state=ArchiveState.RESTORED, restored=NOW - timedelta(days=31))
    assert Hold.RESTORED in step(lately).holds
    assert step(long_ago).action is Action.ARCHIVE


def test_without_a_bucket_nothing_leaves_unless_it_is_allowed():
    assert step(standing(), has_store=False).holds == {Hold.NO_STORE: 0}
    assert step(standing(), has_store=False, may_discard=True).action is Action.DISCARD
    # allowed or not, a bucket is used where there is one, and what is open stays
    assert step(standing(), may_discard=True).action is Action.ARCHIVE
    busy = standing(holds={Hold.LOCKED: 1})
    assert step(busy, has_store=False, may_discard=True).action is Action.HOLD


def test_every_reason_has_its_words():
    assert set(WHY) == set(Hold)


def test_what_it_costs():
    assert cost(1_000_000_000) == Decimal("0.0230")
    assert cost(0) == 0
    known = Standing(
        Target("attempts", OLD), True, 5, 9_000_000, Record(Target("attempts", OLD),
        ArchiveState.VERIFIED, bytes=2_000_000_000)
    )  # fmt: skip
    assert step(known).usd_per_month == Decimal("0.0460")


def test_months_are_read_as_they_are_written():
    assert str(read_month("2025-01")) == "2025-01"
    for wrong in ("2025-13", "2025-1", "25-01", "2025/01", "", "2025-00"):
        with pytest.raises(InvalidInput):
            read_month(wrong)
    with pytest.raises(InvalidInput, match="no partitioned table"):
        Target.parse("obligations", "2025-01")

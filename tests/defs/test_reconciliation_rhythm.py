"""Days as they ring: what happens to a day long after its window finds its way into its books."""

from datetime import timedelta

import pytest

from tests.defs.reconciliation_stage import NEXT, ring, stage  # noqa: F401 (fixture)
from tests.integration.ledger.aftermath_world import NOW, charge
from tests.integration.reconciliation.books_stage import CAPTURED, DAY, line, payout, record
from tinko_pipelines.core.psp.operations import RefundStatus
from tinko_pipelines.core.psp.records import PspRecord, RecordKind
from tinko_pipelines.core.psp.settlement import LineKind
from tinko_pipelines.core.psp.types import DisputeStatus, PaymentStatus, Ref, RefKind

FAILED = record("ch_1", PaymentStatus.FAILED, at=NOW)
S = PaymentStatus


def after(days):
    return CAPTURED + timedelta(days=days)


def around(days):
    """The days that a listing `days` after the capture closes."""
    last = after(days).date()
    return [DAY, NEXT, *(last - timedelta(days=one) for one in range(10))]


@pytest.fixture
def settled(stage):  # noqa: F811
    """A capture that settled without a fault, and rang for three weeks."""
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    for days in (2, 9, 22):
        ring(stage, after(days))
    assert stage.findings() == []
    assert stage.rows("select day from unreconciled_days where day <= :day", day=NEXT) == []
    return stage


def test_a_refund_of_a_day_that_was_done_with(settled):
    settled.clock.instant = after(46)
    refund = PspRecord(
        RecordKind.REFUND, "re_1", "ch_2", RefundStatus.SUCCEEDED, 300, "USD", after(46)
    )
    settled.listed(record(refunded=300), refund, days=around(46))
    ring(settled, after(47))
    ledger = ("refund_not_reflected", "ledger", "ch_2", 300)
    assert settled.findings() == [(*ledger, "open")]
    # nothing changes any more; but by now its line is late
    settled.clock.instant = after(58)
    settled.listed(days=around(58))
    ring(settled, after(59))
    lines = ("refund_not_reflected", "settlement", "re_1", 300)
    assert settled.findings() == [(*ledger, "open"), (*lines, "open")]
    # the ledger hears of it, then the balance
    settled.say(charge("ch_2", hours=24, refunded=300))
    ring(settled, after(62))
    assert settled.findings() == [(*ledger, "fixed"), (*lines, "open")]
    settled.listed(lines=[line("re_1", None, kind=LineKind.REFUND, payment_id="ch_2", gross=-300,
                               fee=0, net=-300, created_at=after(62))])  # fmt: skip
    ring(settled, after(65))
    assert settled.findings() == [(*ledger, "fixed"), (*lines, "fixed")]


def test_a_dispute_of_a_day_that_was_done_with(settled):
    settled.clock.instant = after(50)
    dispute = PspRecord(
        RecordKind.DISPUTE, "dp_1", "ch_2", DisputeStatus.OPEN, 1000, "USD", after(50)
    )
    settled.listed(dispute, days=around(50))
    ring(settled, after(51))
    assert settled.findings() == [("dispute_not_reflected", "ledger", "dp_1", 1000, "open")]
    # the ledger's word stamps no row of the books
    settled.dispute("open")
    ring(settled, after(60))
    assert settled.findings() == [("dispute_not_reflected", "ledger", "dp_1", 1000, "fixed")]


def test_a_debit_that_succeeds_weeks_later_is_in_the_books_of_its_day(stage):  # noqa: F811
    refs = (Ref(RefKind.INVOICE, "in_7"),)
    stage.say(charge("ch_7", S.PENDING, hours=24, amount=500), refs=refs, due=500)
    stage.listed(FAILED, record(), record("ch_7", S.PENDING, amount=500), lines=[line()],
                 payouts=[payout()])  # fmt: skip
    ring(stage, after(2))
    booked = "select ledger_minor, psp_minor from reconciled_days where day = :day"
    assert stage.rows(booked, day=NEXT) == [(1000, 1000)]
    stage.clock.instant = after(47)
    stage.say(charge("ch_7", hours=24, amount=500), refs=refs, due=500)
    ring(stage, after(48))
    assert stage.rows(booked, day=NEXT) == [(1500, 1000)]
    assert [one[0] for one in stage.findings()] == ["status"]
    stage.listed(record("ch_7", amount=500), days=around(48))
    ring(stage, after(60))
    assert stage.rows(booked, day=NEXT) == [(1500, 1500)]


def test_a_day_costs_nothing_until_something_happens_to_it(settled):
    ring(settled, after(40))
    was = settled.rows("select reconciled_at from reconciled_days where day = :day", day=NEXT)
    assert was < [(after(30),)]
    settled.say(charge("ch_2", hours=24, refunded=10))
    ring(settled, after(41))
    now = settled.rows("select reconciled_at from reconciled_days where day = :day", day=NEXT)
    assert now == [(after(41),)]

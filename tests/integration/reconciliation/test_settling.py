"""A recovery is settled by a line of its winning charge in a paid payout, and by nothing else."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.integration.ledger.aftermath_world import charge
from tests.integration.reconciliation.books_stage import CAPTURED, LATER, line, payout, record
from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.psp.types import PaymentStatus, Ref, RefKind
from tinko_pipelines.core.reconciliation.settle import settlement_counts
from tinko_pipelines.core.reconciliation.settling import EXPLAINED, REASONS, SettlementState


@pytest.fixture
def stage(stage):
    stage.recovered()
    stage.clock.instant = LATER
    return stage


def test_a_line_of_the_winning_charge_in_a_paid_payout_settles(stage):
    stage.listed(record(), lines=[line()], payouts=[payout(utr="U1")])
    assert stage.settle() == {"settled": 1, "newly_settled": 1}
    assert stage.case()[0] == "settled"
    assert stage.settlement() == ("settled", "ch_2", "txn_ch_2", "po_1", "USD", "USD", None)
    assert stage.rows("select gross_minor, fee_minor, net_minor, utr from settlements") == [
        (1000, 59, 941, "U1")
    ]
    # again changes nothing, and leaves one step of history
    assert stage.settle() == {}
    assert stage.steps()[-2:] == ["recovered", "settled"]


def test_what_the_psp_says_later_of_settled_money_arrives(stage):
    stage.listed(record(), lines=[line()], payouts=[payout()])
    stage.settle()
    assert stage.settle() == {}
    money = "select utr, fee_minor, net_minor, state from settlements"
    assert stage.rows(money) == [(None, 59, 941, "settled")]
    stage.listed(payouts=[payout(utr="U1")])
    assert stage.settle() == {"restated": 1}
    assert stage.rows(money) == [("U1", 59, 941, "settled")]
    stage.listed(lines=[line(fee=61, net=939)])
    assert stage.settle() == {"restated": 1}
    assert stage.rows(money) == [("U1", 61, 939, "settled")]
    assert stage.settle() == {}


@pytest.mark.parametrize(
    ("lines", "payouts", "state"),
    [
        ([], [], "overdue"),
        ([line("ch_9")], [payout()], "overdue"),
        ([line(kind=LineKind.REFUND)], [payout()], "overdue"),
        ([line(payout=None)], [], "overdue"),
        ([line(payout_status=PayoutStatus.PENDING)], [payout(status=PayoutStatus.PENDING)],
         "payout_pending"),
        ([line(payout_status=PayoutStatus.FAILED)], [payout(status=PayoutStatus.FAILED)],
         "payout_failed"),
        ([line(payout=None, on_hold=True)], [], "on_hold"),
        ([line(on_hold=True)], [payout()], "on_hold"),
        ([line(payout=None)], [payout("po_9", itemised=False)], "available"),
    ],
)  # fmt: skip
def test_what_does_not_settle_says_why(stage, lines, payouts, state):
    stage.listed(record(), lines=lines, payouts=payouts)
    assert stage.settle() == {state: 1}
    assert stage.case()[0] == "recovered"
    assert stage.rows("select state, reason from settlements") == [
        (state, REASONS[SettlementState(state)])
    ]
    assert settlement_counts(stage.engine) == {state: 1}


def test_what_is_not_due_yet_is_explained_and_what_was_never_listed_is_not_late(stage):
    assert stage.settle() == {"not_due": 1}
    stage.clock.instant = CAPTURED + timedelta(days=1)
    stage.listed(record())
    assert stage.settle() == {"not_due": 1}
    assert SettlementState.NOT_DUE in EXPLAINED
    assert SettlementState.OVERDUE not in EXPLAINED


def test_a_failed_payout_undoes_it_until_the_money_leaves_again(stage):
    stage.listed(record(), lines=[line()], payouts=[payout()])
    stage.settle()
    stage.listed(lines=[line(payout_status=PayoutStatus.FAILED)],
                 payouts=[payout(status=PayoutStatus.FAILED)])  # fmt: skip
    assert stage.settle() == {"payout_failed": 2, "undone": 1}
    assert stage.case()[0] == "recovered"
    again = line("po_1", "po_2", line_id="txn_back", kind=LineKind.PAYOUT_FAILURE, payment_id=None)
    stage.listed(lines=[again], payouts=[payout("po_2", PayoutStatus.PENDING)])
    assert stage.settle() == {"payout_pending": 1}
    stage.listed(payouts=[payout("po_2")])
    assert stage.settle() == {"settled": 1, "newly_settled": 1}
    assert stage.settlement()[3] == "po_2"
    assert stage.steps()[-3:] == ["settled", "recovered", "settled"]


def test_both_currencies_and_the_rate_are_kept(stage):
    abroad = line(currency="EUR", exchange_rate=Decimal("0.91234567"), gross=912, fee=53, net=859)
    stage.listed(record(), lines=[abroad], payouts=[payout(amount=859)])
    stage.settle()
    assert stage.settlement()[4:] == ("USD", "EUR", "0.91234567")


def test_refunds_and_lost_disputes_reverse_what_was_settled(stage):
    stage.listed(record(), lines=[line()], payouts=[payout()])
    stage.settle()
    stage.dispute("open")
    assert stage.case()[0] == "disputed"
    assert stage.settle() == {}
    stage.dispute("lost")
    assert stage.case() == ("reversed", 1000, 1000)
    stage.dispute("won")
    assert stage.case()[0] == "recovered"
    assert stage.settle()["newly_settled"] == 1
    stage.say(charge("ch_2", hours=24, refunded=1000))
    assert stage.case() == ("reversed", 1000, 1000)


def test_a_debt_that_was_paid_outside_of_any_charge_is_explained(stage):
    stage.say(
        charge("ch_9", status=PaymentStatus.FAILED, hours=1),
        refs=(Ref(RefKind.INVOICE, "in_other"),),
    )
    stage.work()
    stage.say(refs=(Ref(RefKind.INVOICE, "in_other"),), paid=1000)
    stage.listed(record(), lines=[line()], payouts=[payout()])
    assert stage.settle() == {"settled": 1, "newly_settled": 1, "no_charge": 1}


def test_every_recovery_is_linked_or_ageing_in_pages(stage):
    for number in range(5):
        refs = (Ref(RefKind.INVOICE, f"in_n{number}"),)
        stage.say(charge(f"ch_f{number}", PaymentStatus.FAILED), refs=refs)
        stage.work()
        stage.say(charge(f"ch_s{number}", hours=24), refs=refs)
    stage.listed(record("ch_s1"), lines=[line("ch_s1")], payouts=[payout()])
    assert stage.settle() == {"settled": 1, "newly_settled": 1, "overdue": 5}
    assert settlement_counts(stage.engine) == {"settled": 1, "overdue": 5}

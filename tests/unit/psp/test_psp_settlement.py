"""A payout's lines in our words: signs, fees, taxes, other currencies, money held back."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tinko_pipelines.core.psp.razorpay import settlement as razorpay
from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.psp.stripe import settlement as stripe


def transaction(**changes):
    return {
        "id": "txn_1", "object": "balance_transaction", "amount": 10_000, "fee": 472,
        "net": 9528, "currency": "usd", "created": 1_780_000_000, "available_on": 1_780_172_800,
        "exchange_rate": None, "reporting_category": "charge", "type": "charge",
        "source": "ch_1Tinko",
        "fee_details": [{"type": "stripe_fee", "amount": 400}, {"type": "tax", "amount": 72}],
        **changes,
    }  # fmt: skip


def row(**changes):
    return {
        "entity_id": "pay_Tinko1", "type": "payment", "debit": 0, "credit": 97_640,
        "amount": 100_000, "currency": "INR", "fee": 2360, "tax": 360, "on_hold": False,
        "settled": True, "created_at": 1_780_000_000, "settled_at": 1_780_172_800,
        "settlement_id": "setl_1", "settlement_utr": None, "payment_id": None, "dispute_id": None,
        **changes,
    }  # fmt: skip


def test_a_stripe_charge_with_its_fee_and_tax():
    line = stripe.line(transaction())
    assert (line.gross, line.fee, line.tax, line.net) == (10_000, 472, 72, 9528)
    assert (line.source_id, line.payment_id) == ("ch_1Tinko", "ch_1Tinko")
    assert line.available_on == datetime.fromtimestamp(1_780_172_800, UTC)
    assert (line.payout_id, line.payout_status, line.settled_at) == (None, None, None)


def test_money_of_another_currency_says_at_what_rate_exactly():
    line = stripe.line(transaction(currency="eur", exchange_rate=0.91234567))
    assert (line.currency, line.exchange_rate) == ("EUR", Decimal("0.91234567"))


@pytest.mark.parametrize(
    ("changes", "kind", "payment"),
    [
        ({"reporting_category": "refund", "type": "refund", "amount": -500, "net": -500, "fee": 0,
          "source": {"id": "re_1", "charge": "ch_9"}}, LineKind.REFUND, "ch_9"),
        ({"reporting_category": "dispute", "type": "adjustment",
          "source": {"id": "du_1", "charge": {"id": "ch_8"}}}, LineKind.DISPUTE, "ch_8"),
        ({"reporting_category": "dispute_reversal", "source": None}, LineKind.DISPUTE_REVERSAL,
         None),
        ({"reporting_category": "payout_reversal", "type": "payout_failure", "source": "po_1"},
         LineKind.PAYOUT_FAILURE, None),
        ({"reporting_category": "payout", "type": "payout_cancel", "source": "po_1"},
         LineKind.PAYOUT_FAILURE, None),
        ({"reporting_category": "a_new_one", "source": "x_1"}, LineKind.OTHER, None),
    ],
)  # fmt: skip
def test_stripes_categories(changes, kind, payment):
    line = stripe.line(transaction(**changes))
    assert (line.kind, line.payment_id) == (kind, payment)


@pytest.mark.parametrize(
    ("status", "ours"),
    [("paid", PayoutStatus.PAID), ("in_transit", PayoutStatus.PENDING),
     ("pending", PayoutStatus.PENDING), ("failed", PayoutStatus.FAILED),
     ("canceled", PayoutStatus.CANCELLED)],
)  # fmt: skip
def test_a_stripe_payout_and_its_lines_stand_alike(status, ours):
    body = {"id": "po_1", "amount": 9528, "currency": "usd", "created": 1_780_200_000,
            "status": status, "automatic": True, "reconciliation_status": "completed",
            "trace_id": {"status": "supported", "value": "T1"}}  # fmt: skip
    payout = stripe.payout(body)
    assert (payout.status, payout.utr, payout.itemised, payout.final) == (ours, "T1", True, True)
    line = stripe.line(transaction(), payout)
    assert (line.payout_id, line.payout_status, line.utr) == ("po_1", ours, "T1")
    assert line.settled_at == payout.created_at


def test_a_manual_payout_lists_no_lines_and_an_open_one_is_not_final():
    body = {"id": "po_1", "status": "paid", "automatic": False,
            "reconciliation_status": "not_applicable"}  # fmt: skip
    assert not stripe.payout(body).itemised
    opened = stripe.payout({**body, "automatic": True, "reconciliation_status": "in_progress"})
    assert not opened.final


def test_a_razorpay_payment_whose_fee_includes_its_tax():
    line = razorpay.line(row(), {"setl_1": PayoutStatus.PAID})
    assert (line.gross, line.fee, line.tax, line.net) == (100_000, 2360, 360, 97_640)
    assert (line.payment_id, line.payout_status, line.utr) == (
        "pay_Tinko1", PayoutStatus.PAID, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kind", "net"),
    [
        ({"type": "refund", "entity_id": "rfnd_1", "payment_id": "pay_Tinko1", "credit": 0,
          "debit": 5000, "fee": 0, "tax": 0}, LineKind.REFUND, -5000),
        ({"type": "adjustment", "entity_id": "adj_1", "payment_id": "pay_Tinko1",
          "dispute_id": "disp_1", "credit": 0, "debit": 700, "fee": 0}, LineKind.DISPUTE, -700),
        ({"type": "adjustment", "entity_id": "adj_2", "payment_id": "pay_Tinko1",
          "dispute_id": "disp_1", "credit": 700, "fee": 0}, LineKind.DISPUTE_REVERSAL, 700),
        ({"type": "adjustment", "entity_id": "adj_3", "payment_id": "pay_Tinko1", "credit": 0,
          "debit": 9, "fee": 0}, LineKind.ADJUSTMENT, -9),
        ({"type": "reserve", "payment_id": "pay_Tinko1"}, LineKind.OTHER, 97_640),
    ],
)  # fmt: skip
def test_razorpays_rows(changes, kind, net):
    line = razorpay.line(row(**changes), {})
    assert (line.kind, line.net, line.payment_id) == (kind, net, "pay_Tinko1")
    assert line.net == line.gross - line.fee


def test_what_razorpay_holds_back_is_in_no_payout():
    line = razorpay.line(row(on_hold=True, settlement_id=None, settled_at=None), {})
    assert line.on_hold
    assert (line.payout_id, line.payout_status, line.settled_at) == (None, None, None)

"""What one listed object becomes, where a listing goes on, and what silence of webhooks means."""

import uuid
from datetime import UTC, datetime

import pytest

from tinko_pipelines.core.ingestion.frames import (
    PSP_RECORDS,
    SCHEMAS,
    Whose,
    payouts_frame,
    records_frame,
)
from tinko_pipelines.core.ingestion.load import load
from tinko_pipelines.core.ingestion.watch import Hearing, WebhookView
from tinko_pipelines.core.psp.paging import from_stream
from tinko_pipelines.core.psp.razorpay import listing as razorpay
from tinko_pipelines.core.psp.records import VOCABULARY, RecordKind
from tinko_pipelines.core.psp.stripe import listing as stripe
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.psp.webhook_state import WebhookState, state_of, webhook_path

AT = 1_780_000_000
MADE = datetime.fromtimestamp(AT, UTC)
WHOSE = Whose(uuid.UUID(int=1), uuid.UUID(int=2), Psp.STRIPE)


def charge(**changes):
    return {
        "id": "ch_1", "object": "charge", "amount": 900, "amount_captured": 900,
        "amount_refunded": 100, "captured": True, "currency": "usd", "created": AT,
        "status": "succeeded", "payment_method_details": {"type": "card", "card": {}}, **changes,
    }  # fmt: skip


def payment(**changes):
    return {
        "id": "pay_1", "entity": "payment", "amount": 900, "amount_refunded": 0, "currency": "INR",
        "created_at": AT, "status": "captured", "method": "upi", "fee": 24, "tax": 4, **changes,
    }  # fmt: skip


def test_a_stripe_charge():
    # an expanded balance transaction is the settlement line, and no second word on its fee
    one = stripe.record(charge(balance_transaction={"id": "txn_1", "fee": 56}))
    assert (one.kind, one.object_id, one.payment_id) == (RecordKind.PAYMENT, "ch_1", "ch_1")
    assert (one.status, one.amount, one.refunded, one.fee, one.tax) == (
        "succeeded", 900, 100, None, None,
    )  # fmt: skip
    assert (one.currency, one.method, one.created_at, one.captured) == ("USD", "card", MADE, True)
    held = stripe.record(charge(captured=False))
    assert (held.status, held.captured) == ("authorized", False)


def test_a_razorpay_payment_whose_fee_includes_its_tax():
    one = razorpay.record(payment())
    assert (one.status, one.amount, one.fee, one.tax, one.method) == (
        "succeeded",
        900,
        24,
        4,
        "upi",
    )
    # it registers a mandate, and is no money
    assert razorpay.record(payment(amount=0)) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"object": "refund", "id": "re_1", "charge": "ch_1", "amount": 5, "currency": "usd",
          "created": AT, "status": "canceled"}, ("refund", "ch_1", "failed")),
        ({"object": "dispute", "id": "dp_1", "charge": "ch_1", "amount": 5, "currency": "usd",
          "created": AT, "status": "warning_closed"}, ("dispute", "ch_1", "won")),
        ({"entity": "refund", "id": "rfnd_1", "payment_id": "pay_1", "amount": 5,
          "created_at": AT, "status": "processed"}, ("refund", "pay_1", "succeeded")),
        ({"entity": "dispute", "id": "disp_1", "payment_id": "pay_1", "amount": 5,
          "created_at": AT, "status": "under_review"}, ("dispute", "pay_1", "open")),
    ],
)  # fmt: skip
def test_refunds_and_disputes_of_either_psp(body, expected):
    one = (stripe if "object" in body else razorpay).record(body)
    assert (one.kind, one.payment_id, one.status) == expected
    assert one.status in set(VOCABULARY[one.kind])
    assert (one.amount, one.created_at) == (5, MADE)


@pytest.mark.parametrize("body", [{"object": "invoice", "id": "in_1"}, {"object": "charge_x"}])
def test_other_objects_are_no_records(body):
    assert stripe.record(body) is None
    assert razorpay.record({"entity": body["object"]}) is None


def test_a_frame_has_its_tables_schema_whatever_it_holds():
    at = datetime(2026, 9, 2, tzinfo=UTC)
    frame = records_frame(WHOSE, [stripe.record(charge())], at)
    assert frame.schema == PSP_RECORDS
    (row,) = frame.to_dicts()
    assert (row["captured_at"], row["day"], row["listed_at"]) == (MADE, MADE.date(), at)
    assert records_frame(WHOSE, [], at).schema == PSP_RECORDS
    with pytest.raises(ValueError, match="payouts"):
        load(None, "payouts", frame)
    assert load(None, "payouts", payouts_frame(WHOSE, [], at)) == {}
    assert set(SCHEMAS) == {"psp_records", "settlement_lines", "payouts"}


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (None, [("a", None), ("b", None), ("c", None)]),
        ({"stream": "b", "after": 7}, [("b", 7), ("c", None)]),
        ({"stream": "gone", "after": 7}, [("a", None), ("b", None), ("c", None)]),
    ],
)
def test_a_listing_goes_on_in_the_stream_it_was_in(cursor, expected):
    assert list(from_stream("abc", cursor)) == expected


@pytest.mark.parametrize(
    ("webhooks", "healed", "unheard", "payments", "state", "expected"),
    [
        (5, 1, 0, 9, WebhookState.ON, Hearing.ALIVE),
        (5, 1, 1, 9, None, Hearing.ALIVE),
        (5, 9, 4, 9, WebhookState.ON, Hearing.ALIVE),  # strays
        (5, 9, 5, 9, WebhookState.ON, Hearing.SILENT),  # it fell silent a while ago
        (0, 0, 0, 0, None, Hearing.QUIET),
        (0, 0, 0, 9, WebhookState.ON, Hearing.QUIET),  # nothing that the ledger did not know
        (0, 4, 0, 0, WebhookState.ON, Hearing.QUIET),  # a back-fill of old days
        (0, 4, 0, 9, WebhookState.ON, Hearing.SILENT),
        (0, 4, 0, 9, None, Hearing.SILENT),
        (5, 4, 0, 9, WebhookState.OFF, Hearing.DISABLED),
        (0, 0, 0, 0, WebhookState.OFF, Hearing.DISABLED),
        (0, 0, 0, 0, WebhookState.MISSING, Hearing.MISSING),
        (0, 4, 0, 9, WebhookState.MISSING, Hearing.MISSING),
        (5, 0, 0, 9, WebhookState.MISSING, Hearing.ALIVE),  # passed on by the merchant's own
    ],
)
def test_what_silence_means(webhooks, healed, unheard, payments, state, expected):
    one = uuid.UUID(int=3)
    view = WebhookView(one, one, Psp.RAZORPAY, webhooks, healed, unheard, payments, None, state)
    assert view.hearing is expected
    assert view.missed_share == pytest.approx(healed / max(1, healed + webhooks))


@pytest.mark.parametrize("psp", Psp)
def test_only_the_webhook_that_names_our_address_is_ours(psp):
    path = webhook_path(psp, uuid.UUID(int=3))
    other = webhook_path(psp, uuid.UUID(int=4))
    said = lambda *rows: state_of(rows, path)  # noqa: E731
    assert said() is said((f"https://tinko.example{other}", True)) is WebhookState.MISSING
    assert said(("https://tinko.example", True)) is WebhookState.MISSING
    ours = f"https://tinko.example/hooks{path}/"
    assert said((ours, False), (f"https://tinko.example{other}", True)) is WebhookState.OFF
    assert said((ours, False), (ours, True)) is WebhookState.ON

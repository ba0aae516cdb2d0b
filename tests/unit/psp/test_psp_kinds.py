"""Every kind of event is either read or listed as saying nothing of a debt."""

import pytest

from tests.unit.psp.psp_payloads import razorpay_events, stripe_event, stripe_object
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.razorpay import kinds as razorpay
from tinko_pipelines.core.psp.stripe import kinds as stripe
from tinko_pipelines.core.psp.types import Psp

LABELS = [label for label, _ in razorpay_events()]
READER = registry.reader(Psp.RAZORPAY)

_NAMED = """
charge.succeeded charge.failed charge.pending charge.captured charge.refunded charge.refund.updated
charge.dispute.created charge.dispute.closed charge.dispute.funds_withdrawn
payment_intent.created payment_intent.succeeded payment_intent.payment_failed
payment_intent.canceled payment_intent.requires_action payment_intent.processing
invoice.created invoice.finalized invoice.paid invoice.payment_succeeded invoice.payment_failed
invoice.payment_action_required invoice.voided invoice.marked_uncollectible invoice.updated
invoice_payment.paid checkout.session.completed checkout.session.expired
checkout.session.async_payment_succeeded checkout.session.async_payment_failed
refund.created refund.updated refund.failed customer.subscription.deleted
payout.created payout.paid payout.failed payout.reconciliation_completed
"""
STRIPE_NAMED = _NAMED.split()


@pytest.mark.parametrize(("label", "body"), razorpay_events(), ids=LABELS)
def test_each_razorpay_kind_is_read_or_listed_as_ignored(label, body):
    kind = body["event"]
    assert (kind in razorpay.OBSERVED) != (kind in razorpay.IGNORED)
    seen = READER.observe_event(body)
    if kind in razorpay.IGNORED:
        assert seen.is_empty
        return
    payload = body["payload"]
    amounts = [one["entity"].get("amount") for one in payload.values() if isinstance(one, dict)]
    registers_a_mandate = all(amount in (0, None) for amount in amounts) and 0 in amounts
    assert seen.is_empty == registers_a_mandate


@pytest.mark.parametrize(("label", "body"), razorpay_events(), ids=LABELS)
def test_each_razorpay_envelope_is_read(label, body):
    parsed = READER.parse_event(body, {"X-Razorpay-Event-Id": "Ev1"})
    assert parsed.event_id == "Ev1"
    assert parsed.account_id == body["account_id"]
    assert parsed.livemode is None
    ids = {
        one["entity"]["id"]
        for name, one in body["payload"].items()
        if isinstance(one, dict) and name not in razorpay_unlinked()
    }
    known = {found if "_" in found else f"order_{found}" for found in ids}
    assert known <= set(parsed.object_ids)
    says_no_time = body["event"] == "token.service_provider_token.activated"
    assert (parsed.created_at.year == 1970) == says_no_time


def razorpay_unlinked():
    """Entities that stand for no debt and are no door: their ids are of no use to rule 8."""
    return {"payment.downtime", "notification", "service_provider_token"}


def test_the_56_samples_cover_all_kinds_that_are_listed():
    seen = {body["event"] for _, body in razorpay_events()}
    assert len(razorpay_events()) == 56
    listed = set(razorpay.OBSERVED) | razorpay.IGNORED
    # kinds Razorpay documents without a sample
    assert listed - seen == {"payment.pending", "payment_link.partially_paid"}


@pytest.mark.parametrize("kind", STRIPE_NAMED)
def test_each_stripe_kind_is_read_or_listed_as_ignored(kind):
    assert (kind in stripe.OBSERVED) != (kind in stripe.IGNORED)


def test_no_kind_is_both_read_and_ignored():
    assert not set(stripe.OBSERVED) & stripe.IGNORED
    assert not set(razorpay.OBSERVED) & razorpay.IGNORED


@pytest.mark.parametrize("kind", sorted(stripe.OBSERVED))
def test_each_observed_stripe_kind_says_something(kind):
    about = {
        "charge": "charge",
        "payment_intent": "payment_intent",
        "invoice": "invoice",
        "checkout": "checkout.session",
        "refund": "refund",
        "customer": "subscription",
        "payment_method": "payment_method",
    }
    name = kind.split(".")[0]
    if kind.startswith("charge.dispute"):
        body = stripe_object("dispute")
    elif kind == "charge.refund.updated":
        body = stripe_object("refund")
    elif name == "invoice_payment":
        body = {"id": "inpay_1Tinko", "object": name, "invoice": "in_1Tinko", "currency": "usd",
                "payment": {"type": "payment_intent", "payment_intent": "pi_1Tinko"}}  # fmt: skip
    elif name == "mandate":
        body = {"id": "mandate_1", "status": "inactive", "payment_method": "pm_1"}
    elif name == "customer":
        body = stripe_object("subscription", latest_invoice="in_1Tinko")
    else:
        body = stripe_object(about[name])
    assert not registry.reader(Psp.STRIPE).observe_event(stripe_event(kind, body)).is_empty


@pytest.mark.parametrize("psp", list(Psp))
def test_an_unknown_kind_says_nothing_and_breaks_nothing(psp):
    body = {"type": "planet.aligned", "event": "planet.aligned", "data": {"object": {"id": "x"}},
            "payload": {"planet": {"entity": {"id": "x"}}}}  # fmt: skip
    assert registry.reader(psp).observe_event(body).is_empty
    assert registry.reader(psp).observe_object({"object": "planet", "id": "x"}).is_empty


@pytest.mark.parametrize("kind", ["token.resumed", "token.confirmed"])
def test_a_token_in_force_again_restores_its_mandate(kind):
    body = {"event": kind, "created_at": 1_780_000_000,
            "payload": {"token": {"entity": {"id": "token_Tinko000000001"}}}}  # fmt: skip
    seen = READER.observe_event(body)
    assert (seen.mandate_restored, seen.mandate_lost) == ("token_Tinko000000001", None)
    assert not seen.is_empty


@pytest.mark.parametrize(
    ("status", "lost", "restored"),
    [("inactive", "pm_1", None), ("active", None, "pm_1"), ("pending", None, None)],
)
def test_a_stripe_mandate_as_it_stands(status, lost, restored):
    body = {"id": "mandate_1", "status": status, "payment_method": "pm_1"}
    seen = registry.reader(Psp.STRIPE).observe_event(stripe_event("mandate.updated", body))
    assert (seen.mandate_lost, seen.mandate_restored) == (lost, restored)

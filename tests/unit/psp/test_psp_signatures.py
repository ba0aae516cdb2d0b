"""Webhook signatures over the raw body, by each PSP's own rule."""

import hashlib
import hmac
import time

import pytest

from tests.unit.psp.psp_payloads import razorpay_event, stripe_event, stripe_object
from tinko_pipelines.core.errors import InvalidInput, SignatureInvalid, SignatureStale
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import Psp

STRIPE, RAZORPAY = registry.reader(Psp.STRIPE), registry.reader(Psp.RAZORPAY)
RAW = '{"id":"evt_1","note":"₹ and ü"}'.encode()


def stripe_header(secret, raw=RAW, at=None):
    at = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={signed}"}


def razorpay_header(secret, raw=RAW):
    return {"x-razorpay-signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def test_either_secret_of_a_rotation_verifies():
    for secret in ("whsec_old", "whsec_new"):
        STRIPE.verify_webhook(RAW, stripe_header(secret), ("whsec_new", "whsec_old"))
        RAZORPAY.verify_webhook(RAW, razorpay_header(secret), ("whsec_new", "whsec_old"))


def test_several_stripe_signatures_in_one_header():
    good = stripe_header("s2")["Stripe-Signature"]
    at, v1 = good.split(",")
    STRIPE.verify_webhook(RAW, {"stripe-signature": f"{at},v1=00,{v1},v0=11"}, ("s2",))


@pytest.mark.parametrize("age", [301, 86_400])
def test_an_old_stripe_signature_is_stale_and_not_invalid(age):
    headers = stripe_header("s", at=int(time.time()) - age)
    with pytest.raises(SignatureStale):
        STRIPE.verify_webhook(RAW, headers, ("other", "s"))
    with pytest.raises(SignatureInvalid):
        STRIPE.verify_webhook(RAW, headers, ("other",))


def test_a_changed_body_a_wrong_secret_and_no_secret_are_refused():
    for reader, headers in ((STRIPE, stripe_header("s")), (RAZORPAY, razorpay_header("s"))):
        for raw, secrets in ((RAW + b" ", ("s",)), (RAW, ("t",)), (RAW, ())):
            with pytest.raises(SignatureInvalid):
                reader.verify_webhook(raw, headers, secrets)


def test_an_empty_secret_signs_nothing():
    with pytest.raises(SignatureInvalid):
        STRIPE.verify_webhook(RAW, stripe_header(""), ("",))
    with pytest.raises(SignatureInvalid):
        RAZORPAY.verify_webhook(RAW, razorpay_header(""), ("",))


@pytest.mark.parametrize("value", ["", "nonsense", "t=x,v1=y", "t=1", "v1=é", "ü"])
def test_a_malformed_header_is_invalid_and_breaks_nothing(value):
    for reader, name in ((STRIPE, "stripe-signature"), (RAZORPAY, "x-razorpay-signature")):
        with pytest.raises(SignatureInvalid):
            reader.verify_webhook(RAW, {name: value}, ("s",))


def test_a_body_that_is_no_text_is_invalid():
    raw = b"\xff\xfe{}"
    for reader, headers in (
        (STRIPE, stripe_header("s", raw)),
        (RAZORPAY, razorpay_header("s", raw)),
    ):
        with pytest.raises(SignatureInvalid):
            reader.verify_webhook(raw, headers, ("s",))


def test_the_envelope_of_stripe():
    about = stripe_object("charge", payment_intent="pi_1TinkoTinko", customer="cus_9TinkoTinko")
    parsed = STRIPE.parse_event(stripe_event("charge.failed", about, livemode=True), {})
    assert (parsed.event_type, parsed.livemode, parsed.account_id) == ("charge.failed", True, None)
    assert parsed.created_at.timestamp() == 1760000500
    assert {about["id"], "pi_1TinkoTinko", "cus_9TinkoTinko"} <= set(parsed.object_ids)
    assert parsed.object_ids == tuple(sorted(set(parsed.object_ids)))


def test_a_checkout_session_is_found_under_its_whole_id():
    about = stripe_object("checkout.session")
    assert about["id"].startswith("cs_test_")
    parsed = STRIPE.parse_event(stripe_event("checkout.session.completed", about), {})
    assert about["id"] in parsed.object_ids


def test_a_razorpay_event_without_its_header_is_known_by_its_body():
    body = razorpay_event("payment.failed")
    one, same = (RAZORPAY.parse_event(dict(body), {}).event_id for _ in range(2))
    other = RAZORPAY.parse_event(body | {"created_at": body["created_at"] + 1}, {}).event_id
    assert one == same != other


def test_a_subscription_event_names_its_cycle():
    body = razorpay_event("subscription.pending")
    found = body["payload"]["subscription"]["entity"]
    parsed = RAZORPAY.parse_event(body, {})
    assert f"{found['id']}:{found['current_start']}" in parsed.object_ids


@pytest.mark.parametrize("body", [{}, {"id": "x"}, {"event": "a.b"}, {"type": "a", "data": []}])
def test_what_is_no_event_is_refused(body):
    for reader in (STRIPE, RAZORPAY):
        with pytest.raises(InvalidInput):
            reader.parse_event(body, {})

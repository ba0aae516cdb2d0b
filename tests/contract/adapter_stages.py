"""The same debts at either PSP: what the contract suite needs to ask both adapters one question.

Debts are made with the official SDKs, as a merchant's own integration would make them.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import razorpay
import stripe

from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.operations import NoticeRequest, PaymentRequest
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    Credentials,
    DoorKind,
    PaymentStatus,
    Psp,
    Ref,
    RefKind,
)
from tinko_pipelines.core.settings import Settings

AMOUNT = 250_000
BACK = "https://shop.example.com/back"


@dataclass(frozen=True)
class Debt:
    """One debt whose first attempt failed for lack of funds. `good` would pay it."""

    ref: Ref
    door_kind: DoorKind
    failed_id: str
    failed_body: dict
    customer: str
    good: str
    method: str
    currency: str

    def request(self, stage, attempt, **changes):
        made = ChargeRequest(
            attempt_id=attempt,
            idempotency_key=f"tinko-{attempt}",
            door_kind=self.door_kind,
            door_id=self.ref.object_id,
            amount=AMOUNT,
            currency=self.currency,
            payment_method_ref=self.good,
            customer_ref=self.customer,
            method=self.method,
            email="someone@example.com",
            phone="+919812300001",
            submitted_at=stage.now(),
            known_payments=(self.failed_id,),
        )
        return replace(made, **changes)


class Stage:
    """An account of the test's own at one PSP, its SDK, and our adapter for it."""

    psp: Psp

    def __init__(self, sandbox, name):
        self.sandbox = sandbox
        self.account = sandbox.ask("POST", "accounts", psp=self.psp.value, account_id=name)
        self.base = f"{sandbox.url}/{self.psp.value}"
        self.credentials = self.keys()
        self.adapter = self.adapter_with(self.credentials)
        self.reader = registry.reader(self.psp)

    def adapter_with(self, credentials, **settings):
        return registry.adapter(uuid.uuid4(), self.psp, credentials, Settings(**settings))

    def now(self):
        return datetime.fromisoformat(self.sandbox.ask("GET", "world")["now"])

    def advance(self, **span):
        self.sandbox.ask("POST", "advance", to=(self.now() + timedelta(**span)).isoformat())

    def faults(self, **script):
        self.sandbox.ask("PUT", "faults", **script)

    def settled(self, request, outcome):
        """How an attempt ended, once its PSP had the time it takes."""
        if outcome.status is PaymentStatus.PENDING:
            self.advance(days=5)
            outcome = self.adapter.find_attempt(request)
        newest = max(
            outcome.observation.payments, key=lambda one: (one.occurred_at, one.updated_at)
        )
        return next(one for one in self.adapter.read((Ref(RefKind.PAYMENT, newest.object_id),))
                    .payments if one.object_id == newest.object_id)  # fmt: skip

    def paid(self, attempt=None, instrument=None):
        """A payment of ours that went through."""
        debt = self.failing_debt()
        request = debt.request(self, attempt or str(uuid.uuid4()))
        if instrument:
            request = replace(request, payment_method_ref=self.instrument(debt, instrument))
        payment = self.settled(request, self.adapter.charge(request))
        assert payment.status is PaymentStatus.SUCCEEDED
        return payment


class StripeStage(Stage):
    psp = Psp.STRIPE

    def keys(self):
        self.sdk = stripe.StripeClient(
            self.account["secret_key"], base_addresses={"api": self.base}, max_network_retries=0
        )
        return Credentials(self.account["secret_key"], base_url=self.base)

    def wrong_keys(self):
        return Credentials("sk_test_wrong", base_url=self.base)

    def customer(self):
        v1 = self.sdk.v1
        made = v1.customers.create({"email": "someone@example.com"})
        bad = v1.payment_methods.attach(
            "pm_card_chargeDeclinedInsufficientFunds", {"customer": made.id}
        )
        good = v1.payment_methods.attach("pm_card_visa", {"customer": made.id})
        return made.id, bad.id, good.id

    def failing_debt(self):
        """An open invoice whose first charge failed."""
        v1 = self.sdk.v1
        customer, bad, good = self.customer()
        v1.customers.update(customer, {"invoice_settings": {"default_payment_method": bad}})
        v1.invoice_items.create(
            {"customer": customer, "amount": AMOUNT, "currency": "usd", "description": "March"}
        )
        made = v1.invoices.create({"customer": customer, "auto_advance": False})
        v1.invoices.finalize_invoice(made.id)
        try:
            v1.invoices.pay(made.id)
        except stripe.CardError as declined:
            failed = v1.charges.retrieve(declined.json_body["error"]["charge"]).to_dict()
        return Debt(Ref(RefKind.INVOICE, made.id), DoorKind.INVOICE, failed["id"], failed,
                    customer, good, "card", "USD")  # fmt: skip

    def failing_intent(self, currency="usd"):
        """A bare PaymentIntent whose first charge failed."""
        v1 = self.sdk.v1
        customer, bad, good = self.customer()
        try:
            v1.payment_intents.create(
                {"amount": AMOUNT, "currency": currency, "customer": customer, "off_session": True,
                 "payment_method": bad, "confirm": True, "description": "March"}
            )  # fmt: skip
        except stripe.CardError as declined:
            error = declined.json_body["error"]
        failed = v1.charges.retrieve(error["charge"]).to_dict()
        ref = Ref(RefKind.PAYMENT_INTENT, error["payment_intent"]["id"])
        return Debt(ref, DoorKind.PAYMENT_INTENT, failed["id"], failed, customer, good, "card",
                    currency.upper())  # fmt: skip

    def bad_instrument(self, debt):
        return self.instrument(debt, "chargeDeclinedLostCard")

    def instrument(self, debt, word):
        card = {"refund fails": "refundFail"}.get(word, word)
        return self.sdk.v1.payment_methods.attach(f"pm_card_{card}", {"customer": debt.customer}).id

    def held(self):
        """An authorised payment that waits to be captured."""
        debt = self.failing_intent()
        attempt = str(uuid.uuid4())
        made = self.adapter.create_payment(
            PaymentRequest(attempt, f"make-{attempt}", AMOUNT, "USD", debt.customer, capture=False)
        )
        request = debt.request(self, attempt, door_id=made.observation.doors[0].object_id)
        return self.settled(request, self.adapter.charge(request))

    def payments_made(self):
        return [one.id for one in self.sdk.v1.charges.list({"limit": 100}).data]


class RazorpayStage(Stage):
    psp = Psp.RAZORPAY
    frequency = "as_presented"  # of the mandates that are made

    def keys(self):
        key = (self.account["key_id"], self.account["key_secret"])
        self.sdk = razorpay.Client(auth=key, base_url=self.base)
        return Credentials(*key, base_url=self.base)

    def wrong_keys(self):
        return Credentials("rzp_test_wrong", "wrong", base_url=self.base)

    def token(self, customer, word, method="upi"):
        made = self.sdk.token.create(
            {"customer_id": customer, "method": method, "vpa": f"{word}@razorpay",
             "frequency": self.frequency}
        )  # fmt: skip
        return made["id"]

    def failing_debt(self, method="upi", notify=True):
        """An order with a pre-debit notice, whose debit failed."""
        person = f"{uuid.uuid4().hex[:12]}@example.com"
        customer = self.sdk.customer.create(
            {"name": "Asha Rao", "email": person, "contact": "+919812300001"}
        )["id"]
        bad = self.token(customer, "insufficient_funds", method)
        good = self.token(customer, "success", method)
        order = {"amount": AMOUNT, "currency": "INR", "payment_capture": True}
        if notify:
            order["notification"] = {"token_id": bad}
        made = self.sdk.order.create(order)
        paid = self.sdk.payment.createRecurring(
            {"email": person, "contact": "+919812300001", "amount": AMOUNT, "currency": "INR",
             "order_id": made["id"], "customer_id": customer, "token": bad, "recurring": True}
        )  # fmt: skip
        self.advance(days=5)
        failed = self.sdk.payment.fetch(paid["razorpay_payment_id"])
        for _ in range(5):  # a debit on business days, told of a day ahead, may meet two weekends
            if failed["status"] != "created":
                break
            self.advance(days=1)
            failed = self.sdk.payment.fetch(paid["razorpay_payment_id"])
        assert failed["status"] == "failed"
        return Debt(Ref(RefKind.ORDER, made["id"]), DoorKind.ORDER, failed["id"], failed,
                    customer, good, method, "INR")  # fmt: skip

    def bad_instrument(self, debt):
        return self.token(debt.customer, "closed", debt.method)

    def instrument(self, debt, word):
        return self.token(debt.customer, word.replace(" ", "_"), debt.method)

    def notice(self, debt, attempt, **changes):
        made = NoticeRequest(attempt, debt.ref.object_id, AMOUNT, "INR", debt.good, debt.method)
        return replace(made, **changes)

    def held(self):
        """An authorised payment that waits to be captured."""
        debt, attempt = self.failing_debt(), str(uuid.uuid4())
        told = self.adapter.notify(self.notice(debt, attempt, capture=False))
        request = debt.request(self, attempt, prepared=told.door.object_id)
        self.adapter.charge(request)
        self.advance(days=2)  # not so long that the authorisation lapses
        return self.settled(request, self.adapter.find_attempt(request))

    def payments_made(self):
        return [one["id"] for one in self.sdk.payment.all({"count": 100})["items"]]


STAGES = {"stripe": StripeStage, "razorpay": RazorpayStage}
LONG_AGO = datetime(2026, 1, 5, 6, tzinfo=UTC)

"""The API's writes. There is no idempotency header: the same call twice does it twice."""

from __future__ import annotations

import hmac
from typing import Any

from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import entities, fields
from tinko_pipelines.sandbox.razorpay.bank import TEST_WORDS, Bank
from tinko_pipelines.sandbox.razorpay.entities import public
from tinko_pipelines.sandbox.razorpay.gateway import ApiError, Call, Work, no_such_id
from tinko_pipelines.sandbox.razorpay.links import Links
from tinko_pipelines.sandbox.razorpay.mandates import Mandates
from tinko_pipelines.sandbox.razorpay.orders import Orders
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.razorpay.reads import Reads
from tinko_pipelines.sandbox.razorpay.refunds import Refunds
from tinko_pipelines.sandbox.store import Doc

_FALSE = (False, 0, "0", "false", "manual")


class Writes:
    """POST, PATCH, PUT and DELETE handlers. ApiError means that nothing happened."""

    def __init__(
        self, bank: Bank, reads: Reads, mandates: Mandates, orders: Orders, payments: Payments,
        links: Links, refunds: Refunds,
    ) -> None:  # fmt: skip
        self._bank, self._reads, self._mandates = bank, reads, mandates
        self._orders, self._payments, self._links = orders, payments, links
        self._refunds = refunds

    def routes(self) -> list[tuple[str, str, Work, bool]]:
        """(method, path, handler, whether it moves money)"""
        return [
            ("POST", "payments/create/recurring", self.create_recurring, True),
            ("POST", "payments/{id}/capture", self.capture, True),
            ("POST", "payments/{id}/refund", self.refund_of, True),
            ("POST", "refunds", self.refund, True),
            ("POST", "orders", self.create_order, False),
            ("PATCH", "orders/{id}", self.edit_order, False),
            ("POST", "customers", self.create_customer, False),
            ("POST", "tokens", self.create_test_token, False),
            ("PUT", "customers/{id}/tokens/{token}/cancel", self.cancel_token, False),
            ("DELETE", "customers/{id}/tokens/{token}", self.delete_token, False),
            ("POST", "payment_links/{id}/cancel", self.cancel_link, False),
            ("POST", "payment_links", self.create_link, False),
        ]

    # --- orders and payments -----------------------------------------------------------------

    def create_order(self, call: Call) -> Doc:
        body, token = call.body, None
        amount, currency = fields.amount(body), fields.currency(body)
        sent = fields.mapping(body, "notification")
        if sent:
            token = self._bank.get(b.TOKEN, fields.text(sent, "token_id"), call.account)
            if token is None:
                raise no_such_id()
        holder = token["_customer"] if token else body.get("customer_id")
        payer = self._bank.payer_of(holder)
        parent = f"{call.account['id']}/{token['id'] if token else holder or 'api'}"
        capture = fields.mapping(body, "payment").get("capture", body.get("payment_capture"))
        order = self._orders.make(
            call.account, amount, currency, parent=parent,
            ordinal=self._bank.count_up(parent, "order"), payer=payer.id if payer else "",
            notify=token, payment_after=fields.number(sent, "payment_after"),
            auto_capture=capture not in _FALSE, receipt=body.get("receipt"),
            notes=fields.notes(body), customer_id=body.get("customer_id"),
            token=fields.mapping(body, "token") or None,
        )  # fmt: skip
        return public(order)

    def edit_order(self, call: Call) -> Doc:
        order = self._reads.need(call, b.ORDER)
        order["notes"] = fields.notes(call.body)
        return public(self._bank.put(b.ORDER, order))

    def create_recurring(self, call: Call) -> Doc:
        """Charge a token. Answered with a payment id at once; the bank decides later."""
        body, account = call.body, call.account
        for name in ("email", "contact", "currency", "order_id", "customer_id", "token"):
            fields.text(body, name)
        order = self._bank.get(b.ORDER, body["order_id"], account)
        token = self._bank.get(b.TOKEN, body["token"], account)
        if order is None or token is None or token["_customer"] != body["customer_id"]:
            raise no_such_id()
        about = {"order_id": order["id"]}
        if body.get("recurring") in (None, *_FALSE):
            raise ApiError("The recurring field is required.", field="recurring", metadata=about)
        if order["status"] == "paid":
            raise ApiError("Payment already done for this order.", reason="order_already_paid",
                           metadata=about)  # fmt: skip
        if fields.amount(body) != order["amount_due"]:
            raise ApiError("Your payment amount is different from your order amount.",
                           reason="order_amount_mismatch", field="amount",
                           metadata=about)  # fmt: skip
        status = token["recurring_details"]["status"]
        if status != "confirmed":
            raise ApiError(f"The token is not in the confirmed state: it is {status}.",
                           reason="invalid_request", field="token", metadata=about)  # fmt: skip
        payment = self._orders.debit(
            account, order, token, actor="tinko", notes=fields.notes(body),
            email=body["email"], contact=str(body["contact"]),
            description=body.get("description"),
        )  # fmt: skip
        said = f"{order['id']}|{payment['id']}".encode()
        secret = account["key_secret"].encode()
        return {"razorpay_payment_id": payment["id"], "razorpay_order_id": order["id"],
                "razorpay_signature": hmac.new(secret, said, "sha256").hexdigest()}  # fmt: skip

    def capture(self, call: Call) -> Doc:
        payment = self._reads.need(call, b.PAYMENT)
        if payment["status"] == "captured":
            raise ApiError("This payment has already been captured", step="payment_capture")
        if payment["status"] != "authorized":
            raise ApiError("Only payments which have been authorized and not yet captured can be "
                           "captured", step="payment_capture")  # fmt: skip
        if fields.amount(call.body) != payment["amount"]:
            raise ApiError("Capture amount must be equal to the amount authorized",
                           step="payment_capture", field="amount")  # fmt: skip
        order = self._bank.need(b.ORDER, payment["order_id"])
        if order["status"] == "paid":
            raise ApiError("Payment already done for this order.", reason="order_already_paid")
        self._payments.capture(payment, order)
        return public(payment)

    def refund_of(self, call: Call) -> Doc:
        return self._refund_once(call, self._reads.need(call, b.PAYMENT))

    def refund(self, call: Call) -> Doc:
        payment = self._bank.get(b.PAYMENT, fields.text(call.body, "payment_id"), call.account)
        if payment is None:
            raise no_such_id()
        return self._refund_once(call, payment)

    def _refund_once(self, call: Call, payment: Doc) -> Doc:
        """The same key gives the same refund, and other parameters under it an error."""
        if not call.refund_key:
            return self._refund(payment, call.body)
        store, id_ = self._bank.engine.store, f"{call.account['id']}/{call.refund_key}"
        asked = {"payment": payment["id"], "body": call.body}
        kept = store.get("rzp_refund_key", id_)
        if kept is not None and kept["asked"] != asked:
            raise ApiError("Different request body for the same idempotency key.")
        if kept is not None:
            return public(self._bank.need(b.REFUND, kept["refund"]))
        made = self._refund(payment, call.body)
        store.put("rzp_refund_key", {"id": id_, "asked": asked, "refund": made["id"]})
        return made

    def _refund(self, payment: Doc, body: Doc) -> Doc:
        left = payment["amount"] - payment["amount_refunded"]
        amount: Any = left if body.get("amount") is None else body["amount"]
        if not payment["captured"]:
            raise ApiError("The payment status should be captured for action to be taken")
        if left == 0:
            raise ApiError("The payment has been fully refunded already")
        if not isinstance(amount, int) or not 0 < amount <= left:
            raise ApiError("The total refund amount is greater than the refund payment amount",
                           field="amount", reason="invalid_amount")  # fmt: skip
        doc = self._refunds.refund(payment, amount, body.get("receipt"), fields.notes(body))
        return public(doc)

    # --- customers and tokens ----------------------------------------------------------------

    def create_customer(self, call: Call) -> Doc:
        body = call.body
        email, contact = str(body.get("email") or ""), str(body.get("contact") or "")
        key = f"{call.account['id']}/{email}/{contact}"
        payer = self._bank.payer_by_email(email)
        known = [self._bank.new_id("cust_", key, "customer")]
        if payer is not None:
            known.append(self._bank.new_id("cust_", call.account["id"], payer.id))
        for id_ in known:
            found = self._bank.get(b.CUSTOMER, id_, call.account)
            if found is not None and str(body.get("fail_existing", "1")) == "0":
                return public(found)
            if found is not None:
                raise ApiError("Customer already exists for the merchant")
        doc = entities.customer(known[0], str(body.get("name") or ""), email, contact,
                                self._bank.engine.now, fields.notes(body))  # fmt: skip
        if payer is not None:
            self._bank.engine.ledger.tie(doc["id"], payer=payer.id)
        return public(self._bank.put(b.CUSTOMER, doc, call.account))

    def create_test_token(self, call: Call) -> Doc:
        """A token for tests: `{customer_id, method, vpa: "<word>@razorpay", frequency}`.

        The word is `success`, `failure`, or a neutral code of the sandbox's payers; it is what
        comes of every debit, whatever the method.
        """
        holder = self._bank.get(b.CUSTOMER, fields.text(call.body, "customer_id"), call.account)
        if holder is None:
            raise no_such_id()
        method, word = fields.text(call.body, "method"), fields.text(call.body, "vpa")
        code = TEST_WORDS.get(word.partition("@")[0])
        if method not in ("card", "upi", "emandate") or code is None:
            raise ApiError("Invalid VPA. Please enter a valid Virtual Payment Address",
                           reason="invalid_vpa", source="customer", field="vpa")  # fmt: skip
        often = str(call.body.get("frequency") or "as_presented")
        made = self._mandates.test_token(call.account, holder, method, code, often)
        if word.startswith("refund_fails@"):
            made["_refund_fails"] = True
            self._bank.put(b.TOKEN, made)
        return public(made)

    def cancel_token(self, call: Call) -> Doc:
        token = self._reads.need_token(call)
        self._mandates.set_status(token, "cancelled")
        return {"status": token["recurring_details"]["status"]}

    def delete_token(self, call: Call) -> Doc:
        token = self._reads.need_token(call)
        self._mandates.set_status(token, "cancelled")
        self._bank.engine.store.delete(b.TOKEN, token["id"])
        return {"deleted": True}

    # --- payment links -----------------------------------------------------------------------

    def create_link(self, call: Call) -> Doc:
        body = {**call.body, "amount": fields.amount(call.body),
                "currency": fields.currency({"currency": "INR", **call.body})}  # fmt: skip
        fields.mapping(body, "customer")
        reference = body.get("reference_id")
        known = self._bank.engine.store.newest(call.account["id"], b.LINK)
        if reference and any(link["reference_id"] == reference for link in known):
            raise ApiError(f"payment link with given reference_id ({reference}) already exists",
                           field="reference_id")  # fmt: skip
        expires = fields.number(body, "expire_by")
        if expires and expires < self._bank.engine.now + 15 * 60:
            raise ApiError("expire_by should be at least 15 minutes after current time",
                           field="expire_by")  # fmt: skip
        return public(self._links.open(call.account, body))

    def cancel_link(self, call: Call) -> Doc:
        link = self._reads.need(call, b.LINK)
        if link["status"] != "created":
            raise ApiError(f"Payment Link cannot be cancelled: it is {link['status']}")
        self._links.close(link, "cancelled")
        return public(link)

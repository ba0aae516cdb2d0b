"""Invoices: finalized with one PaymentIntent, paid, voided."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.desk import Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import declined, invalid
from tinko_pipelines.sandbox.stripe.forms import flag, integer, table, text
from tinko_pipelines.sandbox.stripe.intents import Intents
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.payments import Payments
from tinko_pipelines.sandbox.stripe.smart_retries import SmartRetries


class Invoices:
    """The invoice endpoints, and what a charge of its PaymentIntent means for an invoice."""

    def __init__(self, desk: Desk, methods: Methods, intents: Intents, payments: Payments) -> None:
        self._desk, self._methods = desk, methods
        self._intents, self._payments = intents, payments
        payments.on_success.append(self._paid)
        payments.on_failure.append(self._failed)
        self._retries = SmartRetries(desk, self)

    def create(self, account: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        """A draft. Pending invoice items of the customer become its lines."""
        desk = self._desk
        customer = desk.need(account, text(params, "customer"), "cus", "customer")
        items = [
            item for item in desk.engine.store.all("stripe.item")
            if item["customer"] == customer["id"] and not item["invoice"]
        ]  # fmt: skip
        amount = sum(item["amount"] for item in items)
        currency = (params.get("currency") or (items[0]["currency"] if items else "usd")).lower()
        made = self.draft(
            account, customer, amount, currency, auto_advance=flag(params, "auto_advance"),
            metadata=table(params, "metadata"), description=params.get("description") or None,
        )  # fmt: skip
        for item in items:
            item["invoice"] = made["id"]
            desk.engine.store.put("stripe.item", item)
        return made

    def draft(self, account: Doc, customer: Doc, amount: int, currency: str, **of: Any) -> Doc:
        desk = self._desk
        id_ = desk.new_id("in_", customer["id"], "invoice")
        made = shapes.invoice(id_, desk.now, amount, currency, customer=customer["id"],
                              customer_email=customer["email"], customer_name=customer["name"],
                              customer_phone=customer["phone"], **of)  # fmt: skip
        self._set_amount(made, amount)
        return desk.save(account, made)

    def _set_amount(self, made: Doc, amount: int) -> None:
        for name in ("amount_due", "amount_remaining", "subtotal", "subtotal_excluding_tax",
                     "total", "total_excluding_tax"):  # fmt: skip
            made[name] = amount
        made["lines"]["data"] = [{
            "id": f"il_{made['id'][3:]}", "object": "line_item", "amount": amount,
            "currency": made["currency"], "description": made["description"], "invoice": made["id"],
            "livemode": False, "metadata": {}, "quantity": 1, "subtotal": amount,
            "period": {"start": made["created"], "end": made["created"]}, "parent": None,
        }]  # fmt: skip

    def create_item(self, account: Doc, params: dict[str, Any]) -> Doc:
        """An invoice item: onto a draft, or pending for the customer's next invoice."""
        desk = self._desk
        customer = desk.need(account, text(params, "customer"), "cus", "customer")
        item = {
            "id": desk.new_id("ii_", customer["id"], "item"), "object": "invoiceitem",
            "amount": integer(params, "amount"), "currency": text(params, "currency").lower(),
            "customer": customer["id"], "date": desk.now, "created": desk.now,
            "description": params.get("description") or None, "invoice": None, "livemode": False,
            "metadata": table(params, "metadata"),
        }  # fmt: skip
        if params.get("invoice"):
            bill = desk.need(account, params["invoice"], "in", "invoice")
            if bill["status"] != "draft":
                raise invalid("You can only add items to a draft invoice.",
                              code="invoice_not_editable")  # fmt: skip
            item["invoice"] = bill["id"]
            self._set_amount(bill, bill["amount_due"] + item["amount"])
            desk.save(account, bill)
        return desk.engine.store.put("stripe.item", item, account=account["id"])

    def finalize(self, account: Doc, made: Doc, cause: Cause, debt: str | None = None) -> Doc:
        """Open a draft: number, hosted page, PaymentIntent, and the row that joins the two."""
        desk = self._desk
        if made["status"] != "draft":
            raise invalid("This invoice is already finalized, you can't re-finalize it.",
                          code="invoice_not_editable")  # fmt: skip
        number = desk.nth(account["id"], "invoice number") + 1
        made.update(status="open", number=f"SBX-{number:05d}", effective_at=desk.now)
        made["status_transitions"]["finalized_at"] = desk.now
        secret = desk.engine.key("invoice", made["id"], length=16)
        made["hosted_invoice_url"] = desk.url(f"/hosted/stripe/invoice/{made['id']}", s=secret)
        desk.tie(made["id"], secret=secret)
        intent = self._intents.make(
            account, made["amount_due"], made["currency"], parent=made["id"], debt=debt,
            cause=cause, announce=False, customer=made["customer"],
            description=f"Payment for Invoice {made['number']}",
            setup_future_usage="off_session", metadata={},
        )  # fmt: skip
        owner = "psp" if made["auto_advance"] else "merchant"
        desk.tie(intent["id"], invoice=made["id"], owner=owner)
        join = shapes.invoice_payment(
            desk.engine.draws.object_id("inpay_", made["id"], "payment"), desk.now, made,
            intent["id"],
        )  # fmt: skip
        desk.save(account, join)
        desk.tie(made["id"], intent=intent["id"], join=join["id"], debt=debt)
        desk.save(account, made)
        desk.emit(account, "invoice.finalized", made, cause)
        desk.emit(account, "payment_intent.created", intent, cause)
        return made

    def intent_of(self, account: Doc, made: Doc) -> Doc | None:
        return self._desk.find(account, self._desk.tied(made["id"], "intent"))

    def pay(self, account: Doc, made: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        """Charge an open invoice off-session. Raises StripeError 402 when it is declined."""
        if made["status"] == "draft":
            self.finalize(account, made, cause)
        if made["status"] != "open":
            state = made["status"]
            raise invalid(f"Invoice is already {state}" if state == "paid" else
                          f"You can't pay an invoice that is {state}.")  # fmt: skip
        if flag(params, "paid_out_of_band"):
            return self._close(account, made, "paid", cause)
        chosen = params.get("payment_method") or self.default_method(account, made)
        if not chosen:
            raise invalid("There is no `default_payment_method` set on this Customer or Invoice. "
                          "Please provide one.")  # fmt: skip
        method = self._methods.resolve(account, chosen, made["id"])
        charge = self.attempt(account, made, method, actor="tinko", cause=cause)
        if charge["status"] == "failed":
            intent = self.intent_of(account, made)
            raise declined(intent or {})
        return made

    def default_method(self, account: Doc, made: Doc) -> str | None:
        customer = self._desk.find(account, made["customer"]) or {}
        settings = customer.get("invoice_settings") or {}
        chosen: str | None = made["default_payment_method"] or settings.get(
            "default_payment_method"
        )
        return chosen

    def attempt(
        self, account: Doc, made: Doc, method: Doc, *, actor: str, cause: Cause,
        present: bool = False,
    ) -> Doc:  # fmt: skip
        """One charge of an open invoice, by whomever."""
        intent = self.intent_of(account, made)
        if intent is None:
            raise invalid("This invoice has no payment.")
        if not made["attempted"] or actor == "psp":
            made["attempt_count"] += 1
        made["attempted"] = True
        return self._payments.charge(
            account, intent, method, present=present, actor=actor, cause=cause
        )

    def _paid(self, account: Doc, intent: Doc, charge: Doc, cause: Cause) -> None:
        made = self._desk.find(account, self._desk.tied(intent["id"], "invoice"))
        if made is None or made["status"] == "paid":
            return
        made.update(amount_paid=charge["amount"], amount_remaining=0)
        self._close(account, made, "paid", cause)

    def _failed(self, account: Doc, intent: Doc, charge: Doc, cause: Cause) -> None:
        desk = self._desk
        made = desk.find(account, desk.tied(intent["id"], "invoice"))
        if made is None:
            return
        # one retry is planned at a time: a payer's own failure in between plans no other
        planned = (made["next_payment_attempt"] or 0) > desk.now
        if made["auto_advance"] and not planned:
            country = charge["payment_method_details"]["card"]["country"]
            self._retries.plan(account, made, country)
        desk.save(account, made)
        desk.emit(account, "invoice.payment_failed", made, cause)

    def void(self, account: Doc, made: Doc, cause: Cause) -> Doc:
        return self._give_up(account, made, "void", cause)

    def mark_uncollectible(self, account: Doc, made: Doc, cause: Cause) -> Doc:
        return self._give_up(account, made, "uncollectible", cause)

    def _give_up(self, account: Doc, made: Doc, status: str, cause: Cause) -> Doc:
        if made["status"] not in ("open", "uncollectible"):
            raise invalid(f"You can only pass in open invoices. This invoice is {made['status']}.")
        intent = self.intent_of(account, made)
        if status == "void" and intent is not None:
            self._payments.cancel(account, intent, "void_invoice", cause)
        return self._close(account, made, status, cause)

    def _close(self, account: Doc, made: Doc, status: str, cause: Cause) -> Doc:
        desk = self._desk
        event, mark = {"paid": ("invoice.paid", "paid_at"),
                       "void": ("invoice.voided", "voided_at"),
                       "uncollectible": ("invoice.marked_uncollectible", "marked_uncollectible_at"),
                       }[status]  # fmt: skip
        made.update(status=status, next_payment_attempt=None)
        made["status_transitions"][mark] = desk.now
        join = desk.find(account, desk.tied(made["id"], "join"))
        if join is not None and status != "uncollectible":
            paid = status == "paid"
            join["status"] = "paid" if paid else "canceled"
            join["amount_paid"] = made["amount_paid"] if paid else None
            join["status_transitions"]["paid_at" if paid else "canceled_at"] = desk.now
            desk.save(account, join)
        desk.save(account, made)
        desk.emit(account, event, made, cause)
        return made

    def update(self, account: Doc, made: Doc, params: dict[str, Any]) -> Doc:
        """`auto_advance`, `default_payment_method`, `metadata`."""
        if "auto_advance" in params:
            made["auto_advance"] = flag(params, "auto_advance")
        if params.get("default_payment_method"):
            method = self._methods.resolve(account, params["default_payment_method"], made["id"])
            made["default_payment_method"] = method["id"]
        made["metadata"].update(table(params, "metadata"))
        return self._desk.save(account, made)

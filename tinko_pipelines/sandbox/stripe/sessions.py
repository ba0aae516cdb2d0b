"""Checkout Sessions: opened, paid on their hosted page, completed, expired."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.rhythms import DAY
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import invalid
from tinko_pipelines.sandbox.stripe.forms import integer, rows, table, text
from tinko_pipelines.sandbox.stripe.intents import Intents
from tinko_pipelines.sandbox.stripe.payments import Payments


class Sessions:
    """The Checkout Session endpoints. A session's PaymentIntent is made at its first payment."""

    def __init__(self, desk: Desk, intents: Intents, payments: Payments) -> None:
        self._desk, self._intents, self._payments = desk, intents, payments
        payments.on_success.append(self._completed)
        desk.engine.on("stripe.expire_session", self._expire_due)

    def create(self, account: Doc, params: dict[str, Any]) -> Doc:
        desk = self._desk
        if params.get("mode", "payment") != "payment":
            raise invalid("The sandbox knows mode=payment only.", param="mode")
        amount, currency = line_amounts(params)
        customer_id = params.get("customer") or None
        if customer_id:
            desk.need(account, customer_id, "cus", "customer")
        expires_at = integer(params, "expires_at", desk.now + DAY)
        made = self.open(
            account, amount, currency, parent=customer_id or account["id"], customer=customer_id,
            customer_email=params.get("customer_email") or None, expires_at=expires_at,
            success_url=params.get("success_url") or None,
            cancel_url=params.get("cancel_url") or None,
            client_reference_id=params.get("client_reference_id") or None,
            metadata=table(params, "metadata"), locale=params.get("locale") or None,
        )  # fmt: skip
        data = table(params, "payment_intent_data")
        plan = {"id": made["id"], "metadata": table(data, "metadata"),
                "description": data.get("description") or None}  # fmt: skip
        desk.engine.store.put("stripe.session_plan", plan)
        payer = desk.payer_of(customer_id, made["customer_email"])
        desk.engine.door(account, made["id"], payer, amount, currency)
        return made

    def open(self, account: Doc, amount: int, currency: str, *, parent: str, **of: Any) -> Doc:
        """A new open session with its page."""
        desk = self._desk
        id_ = desk.new_id("cs_test_", parent, "session")
        made = shapes.session(id_, desk.now, amount, currency, **of)
        made["url"] = desk.url(f"/hosted/stripe/session/{id_}")
        desk.engine.at(
            made["expires_at"], "stripe.expire_session", account=account["id"], session=id_
        )
        return desk.save(account, made)

    def intent(self, account: Doc, made: Doc) -> Doc:
        """The session's PaymentIntent, made when the payer first submits the page."""
        desk = self._desk
        found = desk.find(account, made["payment_intent"])
        if found is not None:
            return found
        plan = desk.engine.store.get("stripe.session_plan", made["id"]) or {}
        found = self._intents.make(
            account, made["amount_total"], made["currency"], parent=made["id"], cause=AUTOMATIC,
            debt=desk.tied(made["id"], "debt"), customer=made["customer"],
            metadata=plan.get("metadata") or {}, description=plan.get("description"),
            receipt_email=made["customer_email"],
        )  # fmt: skip
        made["payment_intent"] = found["id"]
        desk.tie(found["id"], session=made["id"])
        desk.save(account, made)
        return found

    def _completed(self, account: Doc, intent: Doc, charge: Doc, cause: Cause) -> None:
        desk = self._desk
        made = desk.find(account, desk.tied(intent["id"], "session"))
        if made is None or made["status"] != "open":
            return
        who = charge["billing_details"]
        made.update(
            status="complete", payment_status="paid", url=None,
            customer_details={"address": who["address"], "business_name": None,
                              "email": who["email"], "individual_name": None,
                              "name": who["name"], "phone": who["phone"], "tax_exempt": "none",
                              "tax_ids": []},
        )  # fmt: skip
        desk.save(account, made)
        desk.emit(account, "checkout.session.completed", made, cause)

    def expire(self, account: Doc, made: Doc, cause: Cause) -> Doc:
        """Close an open session; its PaymentIntent is cancelled with it."""
        desk = self._desk
        if made["status"] != "open":
            raise invalid(
                f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
                f"Session has a status of `{made['status']}`."
            )
        made.update(status="expired", url=None)
        desk.save(account, made)
        intent = desk.find(account, made["payment_intent"])
        if intent is not None:
            self._payments.cancel(account, intent, "expired", cause)
        desk.emit(account, "checkout.session.expired", made, cause)
        return made

    def _expire_due(self, args: dict[str, Any]) -> None:
        account = self._desk.engine.store.get("account", args["account"])
        made = self._desk.find(account, args["session"]) if account else None
        if account is not None and made is not None and made["status"] == "open":
            self.expire(account, made, AUTOMATIC)


def line_amounts(params: dict[str, Any]) -> tuple[int, str]:
    """Sum and currency of `line_items` with inline prices. Raises StripeError without any."""
    total, currency = 0, ""
    for number, line in enumerate(rows(params, "line_items")):
        price = line.get("price_data") or {}
        if "unit_amount" not in price:
            raise invalid("The sandbox takes line items with price_data[unit_amount] only.",
                          param=f"line_items[{number}][price_data]")  # fmt: skip
        total += integer(price, "unit_amount") * integer(line, "quantity", 1, least=1)
        currency = text(price, "currency").lower()
    if not currency:
        raise invalid("You must pass line_items.", code="parameter_missing", param="line_items")
    return total, currency

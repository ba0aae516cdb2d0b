"""PaymentIntents over the API: create, confirm, capture, cancel, update."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import AUTH_REQUIRED
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.desk import Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import declined, invalid, missing, unexpected_state
from tinko_pipelines.sandbox.stripe.forms import flag, integer, table, text
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.payments import Payments

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


class Intents:
    """The PaymentIntent endpoints. Whoever calls over the API is Tinko in the ledger."""

    def __init__(self, desk: Desk, methods: Methods, payments: Payments) -> None:
        self._desk, self._methods, self._payments = desk, methods, payments

    def make(
        self, account: Doc, amount: int, currency: str, *, parent: str, debt: str | None = None,
        cause: Cause, announce: bool = True, **of: Any,
    ) -> Doc:  # fmt: skip
        """A new intent, tied to its debt when that is known."""
        desk = self._desk
        id_ = desk.new_id("pi_", parent, "intent")
        made = shapes.payment_intent(id_, desk.now, amount, currency.lower(), **of)
        made["client_secret"] = f"{id_}_secret_{desk.engine.key('client', id_, length=24)}"
        desk.save(account, made)
        if debt:
            desk.tie(id_, debt=debt)
        if announce:
            desk.emit(account, "payment_intent.created", made, cause)
        return made

    def create(self, account: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        desk = self._desk
        amount, currency = integer(params, "amount", least=1), text(params, "currency").lower()
        customer_id = params.get("customer") or None
        if customer_id:
            desk.need(account, customer_id, "cus", "customer")
        of: dict[str, Any] = {
            "customer": customer_id,
            "description": params.get("description") or None,
            "metadata": table(params, "metadata"),
            "receipt_email": params.get("receipt_email") or None,
            "setup_future_usage": params.get("setup_future_usage") or None,
            "capture_method": params.get("capture_method", "automatic"),
        }
        if "automatic_payment_methods" in params:
            of["automatic_payment_methods"] = {"allow_redirects": "always", "enabled": True}
        made = self.make(
            account, amount, currency, parent=customer_id or account["id"], cause=cause, **of
        )
        if params.get("payment_method"):
            method = self._methods.resolve(account, params["payment_method"], made["id"])
            made["payment_method"], made["status"] = method["id"], "requires_confirmation"
            desk.save(account, made)
        return self.confirm(account, made, params, cause) if flag(params, "confirm") else made

    def update(self, account: Doc, intent: Doc, params: dict[str, Any]) -> Doc:
        intent["metadata"].update(table(params, "metadata"))
        if "description" in params:
            intent["description"] = params["description"] or None
        if params.get("payment_method"):
            if intent["status"] not in _CONFIRMABLE:
                raise unexpected_state("This PaymentIntent can no longer be changed.", intent)
            method = self._methods.resolve(account, params["payment_method"], intent["id"])
            intent["payment_method"], intent["status"] = method["id"], "requires_confirmation"
        return self._desk.save(account, intent)

    def confirm(self, account: Doc, intent: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        """Charge with the given or kept method. Raises StripeError 402 when it is declined."""
        desk = self._desk
        if desk.tied(intent["id"], "session"):
            raise unexpected_state("This PaymentIntent was created by Checkout.", intent)
        if intent["status"] not in _CONFIRMABLE:
            raise unexpected_state(
                f"This PaymentIntent's status is {intent['status']}: it cannot be confirmed.",
                intent,
            )
        chosen = params.get("payment_method") or intent["payment_method"]
        if not chosen:
            raise missing("payment_method")
        method = self._methods.resolve(account, chosen, intent["id"])
        if method["customer"] and method["customer"] != intent["customer"]:
            raise invalid("The PaymentMethod belongs to another customer.", param="payment_method")
        off_session = params.get("off_session") in ("true", "one_off", "recurring")
        if not off_session and self._wants_payer(method, intent["amount"]):
            url = desk.url(
                f"/hosted/stripe/pi/{intent['id']}", client_secret=intent["client_secret"]
            )
            intent.update(
                payment_method=method["id"], status="requires_action",
                next_action={"type": "redirect_to_url",
                             "redirect_to_url": {"url": url,
                                                 "return_url": params.get("return_url") or None}},
            )  # fmt: skip
            desk.save(account, intent)
            desk.emit(account, "payment_intent.requires_action", intent, cause)
            return intent
        made = self._payments.charge(
            account, intent, method, present=False, actor="tinko", cause=cause
        )
        if made["status"] == "failed":
            raise declined(intent)
        return intent

    def _wants_payer(self, method: Doc, amount: int) -> bool:
        card = self._methods.instrument(method)
        payers = self._desk.engine.payers
        return payers.would_succeed(card, amount, self._desk.now).code == AUTH_REQUIRED

    def capture(self, account: Doc, intent: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        if intent["status"] != "requires_capture":
            raise unexpected_state(
                f"This PaymentIntent could not be captured: its status is {intent['status']}.",
                intent,
            )
        held = self._desk.need(account, intent["latest_charge"], "ch")
        amount = integer(params, "amount_to_capture", intent["amount"], least=1)
        if amount > intent["amount"]:
            raise invalid("The amount to capture is greater than the amount authorized.",
                          code="amount_too_large", param="amount_to_capture")  # fmt: skip
        ledger = self._desk.engine.ledger
        ledger.end(held["id"], "succeeded", at=self._desk.now, captured=amount)
        self._payments.captured(account, intent, held, amount, cause)
        return intent

    def cancel(self, account: Doc, intent: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        desk = self._desk
        for owner, way in (
            ("session", "expire the Checkout Session"),
            ("invoice", "void the invoice"),
        ):
            if desk.tied(intent["id"], owner):
                raise invalid(f"You cannot cancel this PaymentIntent directly: {way} instead.",
                              code="payment_intent_unexpected_state",
                              payment_intent=intent)  # fmt: skip
        if intent["status"] in ("succeeded", "canceled"):
            raise unexpected_state(
                f"This PaymentIntent is {intent['status']}: it cannot be canceled.", intent
            )
        reason = params.get("cancellation_reason") or None
        self._payments.cancel(account, intent, reason, cause)
        return intent

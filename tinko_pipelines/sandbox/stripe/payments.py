"""One charge on a PaymentIntent and everything that follows from how it ends."""

from __future__ import annotations

from collections.abc import Callable

from tinko_pipelines.sandbox.ledger import AUTHORIZED, FAILED, SUCCEEDED
from tinko_pipelines.sandbox.payers import MADE_UP, Instrument, Outcome
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.codes import TIMED_ADVICE, Decline, decline_of, network_advice
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, Cause, Desk
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.settlement import Settlement

Follow = Callable[[Doc, Doc, Doc, Cause], None]  # account, intent, charge, cause


class Payments:
    """Charges PaymentIntents. Invoices and sessions say what follows (`on_success`, …)."""

    def __init__(self, desk: Desk, methods: Methods, settlement: Settlement) -> None:
        self._desk, self._methods, self._settlement = desk, methods, settlement
        self.on_success: list[Follow] = []
        self.on_failure: list[Follow] = []

    def charge(
        self, account: Doc, intent: Doc, method: Doc, *, present: bool, actor: str, cause: Cause
    ) -> Doc:
        """Charge the whole intent once; the charge says how it ended.

        `present`: the payer is on a hosted page. A failure leaves the intent
        `requires_payment_method`, without its method and with `last_payment_error`.
        """
        desk = self._desk
        card = self._methods.instrument(method)
        outcome = desk.engine.payers.would_succeed(card, intent["amount"], desk.now, present)
        id_ = desk.new_id("ch_", intent["id"], "charge")
        made = shapes.charge(id_, desk.now, intent, method, present)
        intent["latest_charge"], intent["next_action"] = id_, None
        intent["payment_method"] = method["id"]
        decline = None if outcome.ok else decline_of(outcome)
        advice = self._advice(id_, decline, card.network) if decline else None
        manual = intent["capture_method"] == "manual"
        state = FAILED if decline else AUTHORIZED if manual else SUCCEEDED
        desk.engine.ledger.attempt(
            id_, debt=self._debt(account, intent), account=account["id"], actor=actor, at=desk.now,
            amount=intent["amount"], currency=intent["currency"], instrument=card.fingerprint,
            network=card.network, state=state, code=decline.decline_code if decline else None,
            made_up=bool(outcome.code and outcome.code.startswith(MADE_UP)),
            owner=desk.tied(intent["id"], "owner") or "merchant",
            facts=_facts(card, decline, advice),
        )  # fmt: skip
        if decline:
            self._failed(account, intent, made, method, decline, advice, cause)
        else:
            self._authorized(made, outcome)
            if manual:
                intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
                desk.save(account, made)
                desk.save(account, intent)
                desk.emit(account, "payment_intent.amount_capturable_updated", intent, cause)
            else:
                self.captured(account, intent, made, intent["amount"], cause)
        return made

    def _advice(self, charge_id: str, decline: Decline, network: str) -> str | None:
        """Mastercard's advice; in some worlds it says how long "later" is."""
        engine, said = self._desk.engine, network_advice(decline, network)
        if said == "02" and engine.draws.chance(
            engine.world.timed_advice, charge_id, "timed advice"
        ):
            return engine.draws.choice(TIMED_ADVICE, charge_id, "which advice")
        return said

    def _debt(self, account: Doc, intent: Doc) -> str:
        known = self._desk.tied(intent["id"], "debt")
        if known is not None:
            return known
        payer = self._desk.payer_of(intent["customer"], intent["receipt_email"])
        return self._desk.engine.door(
            account, intent["id"], payer, intent["amount"], intent["currency"]
        )

    def _failed(
        self, account: Doc, intent: Doc, made: Doc, method: Doc, decline: Decline,
        advice: str | None, cause: Cause,
    ) -> None:  # fmt: skip
        desk = self._desk
        codes = {"advice_code": decline.advice, "network_advice_code": advice,
                 "network_decline_code": decline.network}  # fmt: skip
        made.update(
            failure_code=decline.code, failure_message=decline.message,
            outcome={**codes, "network_status": "declined_by_network", "type": "issuer_declined",
                     "reason": decline.decline_code, "risk_level": "normal",
                     "seller_message": "The bank did not return any further details."},
        )  # fmt: skip
        intent["status"], intent["payment_method"] = "requires_payment_method", None
        intent["last_payment_error"] = {
            "type": "card_error", "code": decline.code, "decline_code": decline.decline_code,
            "message": decline.message, "charge": made["id"], "payment_method": dict(method),
            "doc_url": f"https://stripe.com/docs/error-codes/{decline.code}", **codes,
        }  # fmt: skip
        desk.save(account, made)
        desk.save(account, intent)
        desk.emit(account, "charge.failed", made, cause)
        desk.emit(account, "payment_intent.payment_failed", intent, cause)
        for follow in self.on_failure:
            follow(account, intent, made, cause)

    def _authorized(self, made: Doc, outcome: Outcome) -> None:
        made.update(
            paid=True, status="succeeded",
            outcome={"advice_code": None, "network_advice_code": None,
                     "network_decline_code": None, "network_status": "approved_by_network",
                     "reason": None, "risk_level": "normal", "risk_score": int(outcome.luck * 40),
                     "seller_message": "Payment complete.", "type": "authorized"},
        )  # fmt: skip
        card = made["payment_method_details"]["card"]
        number = self._desk.engine.draws.number(made["id"], "authorization")
        card["authorization_code"] = f"{number % 10**6:06d}"
        card["network_transaction_id"] = f"{number % 10**15:015d}"

    def captured(self, account: Doc, intent: Doc, made: Doc, amount: int, cause: Cause) -> None:
        """The money of a charge comes in: booked, told, and passed on to invoice or session."""
        desk = self._desk
        fee = self._settlement.fee(amount, made["currency"])
        line = self._settlement.book(account, made, amount, "charge", fee)
        made.update(captured=True, amount_captured=amount, balance_transaction=line["id"])
        made["receipt_url"] = desk.url(f"/hosted/stripe/receipt/{made['id']}")
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0,
                      last_payment_error=None)  # fmt: skip
        desk.save(account, made)
        desk.save(account, intent)
        desk.emit(account, "charge.succeeded", made, cause)
        desk.emit(account, "payment_intent.succeeded", intent, cause)
        for follow in self.on_success:
            follow(account, intent, made, cause)

    def cancel(
        self, account: Doc, intent: Doc, reason: str | None, cause: Cause = AUTOMATIC
    ) -> None:
        """Close an intent for good; an authorisation on it is released."""
        desk = self._desk
        if intent["status"] in ("succeeded", "canceled"):
            return
        if intent["status"] == "requires_capture":
            held = desk.need(account, intent["latest_charge"], "ch")
            held.update(refunded=True, amount_refunded=held["amount"])
            desk.save(account, held)
            desk.engine.ledger.end(held["id"], "canceled", at=desk.now)
        intent.update(status="canceled", canceled_at=desk.now, cancellation_reason=reason,
                      amount_capturable=0, next_action=None)  # fmt: skip
        desk.save(account, intent)
        desk.emit(account, "payment_intent.canceled", intent, cause)


def _facts(card: Instrument, decline: Decline | None, advice: str | None) -> dict[str, str]:
    """Marks of a charge for `violations.py`: where its card is from, and what the network said."""
    said = {
        "country": card.country,
        "decline": decline and decline.network,
        "advice": advice,
        "never": "1" if decline and decline.never else None,
    }
    return {name: value for name, value in said.items() if value}

"""Money that goes back: refunds the merchant makes, and the few charges that are disputed."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.rhythms import DAY
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import invalid
from tinko_pipelines.sandbox.stripe.forms import integer, table
from tinko_pipelines.sandbox.stripe.payments import Payments
from tinko_pipelines.sandbox.stripe.settlement import Settlement

_DISPUTE_FEE = 1500
_LOST = 0.6
# docs.stripe.com/testing: a card whose refunds succeed, and fail a while later
_REFUND_FAILS, _FAILS_AFTER = "test_refundFail", 3600


class Refunds:
    """Refunds over the API."""

    def __init__(self, desk: Desk, settlement: Settlement) -> None:
        self._desk, self._settlement = desk, settlement
        desk.engine.on("stripe.refund_fails", self._fail)

    def create(self, account: Doc, params: dict[str, Any], cause: Cause) -> Doc:
        """Refund a charge, in full or `amount` of it. Raises StripeError when too much."""
        desk = self._desk
        paid = self._charge(account, params)
        left = paid["amount_captured"] - paid["amount_refunded"]
        if left <= 0:
            raise invalid(f"Charge {paid['id']} has already been refunded.",
                          code="charge_already_refunded")  # fmt: skip
        amount = integer(params, "amount", left, least=1)
        if amount > left:
            raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge "
                          f"({left})", param="amount")  # fmt: skip
        made = shapes.refund(
            desk.new_id("re_", paid["id"], "refund"), desk.now, paid, amount,
            reason=params.get("reason") or None, metadata=table(params, "metadata"),
        )  # fmt: skip
        line = self._settlement.book(account, made, -amount, "refund")
        made["balance_transaction"] = line["id"]
        paid["amount_refunded"] += amount
        paid["refunded"] = paid["amount_refunded"] == paid["amount_captured"]
        desk.save(account, made)
        desk.save(account, paid)
        desk.engine.ledger.refund(paid["id"], amount)
        desk.emit(account, "refund.created", made, cause)
        desk.emit(account, "charge.refunded", paid, cause)
        if desk.tied(paid["payment_method"], "instrument") == _REFUND_FAILS:
            desk.engine.at(desk.now + _FAILS_AFTER, "stripe.refund_fails", account=account["id"],
                           refund=made["id"])  # fmt: skip
        return made

    def _fail(self, args: dict[str, Any]) -> None:
        """The card's bank would not take it: the money is back on the balance."""
        desk = self._desk
        account = desk.engine.store.get("account", args["account"])
        if account is None:
            return
        made = desk.need(account, args["refund"], "re")
        paid = desk.need(account, made["charge"], "ch")
        line = self._settlement.book(account, made, made["amount"], "refund_failure")
        made.update(status="failed", failure_reason="expired_or_canceled_card",
                    failure_balance_transaction=line["id"])  # fmt: skip
        paid["amount_refunded"] -= made["amount"]
        paid["refunded"] = False
        desk.save(account, made)
        desk.save(account, paid)
        desk.engine.ledger.refund(paid["id"], -made["amount"])
        desk.emit(account, "refund.failed", made)
        desk.emit(account, "charge.refund.updated", made)

    def _charge(self, account: Doc, params: dict[str, Any]) -> Doc:
        if params.get("charge"):
            return self._desk.need(account, params["charge"], "ch", "charge")
        if not params.get("payment_intent"):
            raise invalid("One of the following params should be provided for this request: "
                          "payment_intent or charge.", code="parameter_missing")  # fmt: skip
        intent = self._desk.need(account, params["payment_intent"], "pi", "payment_intent")
        if intent["status"] != "succeeded":
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        return self._desk.need(account, intent["latest_charge"], "ch")


class Disputes:
    """A few captures are disputed a week later, and closed a week after that."""

    def __init__(self, desk: Desk, settlement: Settlement, payments: Payments) -> None:
        self._desk, self._settlement = desk, settlement
        payments.on_success.append(self._maybe)
        desk.engine.on("stripe.dispute", self._open)
        desk.engine.on("stripe.dispute_closes", self._close)

    def _maybe(self, account: Doc, intent: Doc, charge: Doc, cause: Cause) -> None:
        engine = self._desk.engine
        debt = self._desk.tied(intent["id"], "debt") or ""
        # a debt of the world only: what a test pays over the API is never disputed by chance
        if debt.startswith("debt_pi") or debt.startswith("debt_cs"):
            return
        if engine.draws.chance(engine.world.disputes, charge["id"], "disputed"):
            days = engine.draws.between(4, 11, charge["id"], "disputed after")
            engine.at(engine.now + days * DAY, "stripe.dispute", account=account["id"],
                      charge=charge["id"])  # fmt: skip

    def _open(self, args: dict[str, Any]) -> None:
        desk = self._desk
        account = desk.engine.store.get("account", args["account"])
        charge = desk.find(account, args["charge"]) if account else None
        if account is None or charge is None or charge["amount_refunded"]:
            return
        made = shapes.dispute(desk.new_id("dp_", charge["id"], "dispute"), desk.now, charge)
        line = self._settlement.book(account, made, -charge["amount"], "adjustment", _DISPUTE_FEE,
                                     category="dispute")  # fmt: skip
        made["balance_transactions"] = [dict(line)]
        charge["disputed"] = True
        desk.save(account, charge)
        desk.save(account, made)
        desk.emit(account, "charge.dispute.created", made)
        desk.emit(account, "charge.dispute.funds_withdrawn", made)
        desk.engine.at(desk.now + 6 * DAY, "stripe.dispute_closes", **args, dispute=made["id"])

    def _close(self, args: dict[str, Any]) -> None:
        desk = self._desk
        account = desk.engine.store.get("account", args["account"])
        if account is None:
            return
        made = desk.need(account, args["dispute"], "dp")
        lost = desk.engine.draws.chance(_LOST, made["id"], "lost")
        made["status"] = "lost" if lost else "won"
        if not lost:
            line = self._settlement.book(account, made, made["amount"], "adjustment",
                                         category="dispute_reversal")  # fmt: skip
            made["balance_transactions"].append(dict(line))
        desk.save(account, made)
        desk.emit(account, "charge.dispute.closed", made, AUTOMATIC)

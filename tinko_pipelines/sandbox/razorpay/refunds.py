"""Money that goes back to a payer, and the few refunds that their bank will not take."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import HOUR
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.settlements import Settlements
from tinko_pipelines.sandbox.store import Doc


class Refunds:
    """Refunds a merchant makes, or Razorpay by itself for a second payment on one order."""

    def __init__(self, bank: Bank, settlements: Settlements) -> None:
        self._bank, self._engine, self._settlements = bank, bank.engine, settlements
        bank.engine.on("razorpay.refund_fails", self._fail)

    def refund(self, payment: Doc, amount: int, receipt: str | None, notes: Any) -> Doc:
        """Give back part or all of a captured payment; the caller has checked the amount."""
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        token = self._bank.get(b.TOKEN, payment["token_id"])
        if token is not None and token.get("_refund_fails"):
            doc = self.give_back(account, payment, amount, receipt, notes, status="pending")
            self._engine.at(self._engine.now + HOUR, "razorpay.refund_fails", refund=doc["id"])
            return doc
        doc = self.give_back(account, payment, amount, receipt, notes)
        self._settlements.refund(account, doc, payment)
        return doc

    def _fail(self, args: dict[str, Any]) -> None:
        """The payer's bank would not take it: the money stays with the merchant."""
        refund = self._bank.need(b.REFUND, args["refund"])
        payment = self._bank.need(b.PAYMENT, refund["payment_id"])
        refund["status"] = "failed"
        payment["amount_refunded"] -= refund["amount"]
        payment["refund_status"] = "partial" if payment["amount_refunded"] else None
        payment["status"] = "captured"
        self._bank.put(b.REFUND, refund)
        self._bank.put(b.PAYMENT, payment)
        self._engine.ledger.refund(payment["id"], -refund["amount"])
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        self._bank.emit(account, "refund.failed", refund=refund, payment=payment)

    def give_back(
        self, account: Doc, payment: Doc, amount: int, receipt: str | None, notes: Any,
        status: str = "processed",
    ) -> Doc:  # fmt: skip
        """The refund itself; one that Razorpay makes by itself settles nothing."""
        ordinal = self._bank.count_up(payment["id"], "refund")
        id_ = self._bank.new_id("rfnd_", payment["id"], "refund", ordinal)
        now = self._engine.now
        doc = entities.refund(id_, payment, amount, now, receipt=receipt, notes=notes)
        doc["status"] = status
        self._bank.put(b.REFUND, doc, account)
        payment["amount_refunded"] += amount
        whole = payment["amount_refunded"] >= payment["amount"]
        payment["refund_status"] = "full" if whole else "partial"
        if whole:
            payment["status"] = "refunded"
        self._bank.put(b.PAYMENT, payment)
        self._engine.ledger.refund(payment["id"], amount)
        self._bank.emit(account, "refund.created", refund=doc, payment=payment)
        if status == "processed":
            self._bank.emit(account, "refund.processed", refund=doc, payment=payment)
        return doc

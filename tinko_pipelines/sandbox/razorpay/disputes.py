"""A few captures of the world are disputed days later, and won or lost six days after that."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import DAY
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.razorpay.settlements import Settlements
from tinko_pipelines.sandbox.store import Doc

_LOST = 0.6


class Disputes:
    """Opens and closes disputes. Money goes back only when one is lost, by an adjustment."""

    def __init__(self, bank: Bank, payments: Payments, settlements: Settlements) -> None:
        self._bank, self._engine, self._settlements = bank, bank.engine, settlements
        payments.captured.append(self._maybe)
        bank.engine.on("razorpay.dispute", self._open)
        bank.engine.on("razorpay.dispute_closes", self._close)

    def _maybe(self, payment: Doc, order: Doc) -> None:
        engine, id_ = self._engine, payment["id"]
        # what a test pays over the API is never disputed by chance
        if engine.ledger.debt(payment["_debt"])["kind"] == "adhoc":
            return
        if engine.draws.chance(engine.world.disputes, id_, "disputed"):
            days = engine.draws.between(4, 11, id_, "disputed after")
            engine.at(engine.now + days * DAY, "razorpay.dispute", payment=id_)

    def _open(self, args: dict[str, Any]) -> None:
        payment = self._bank.need(b.PAYMENT, args["payment"])
        if payment["amount_refunded"]:
            return
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        id_ = self._bank.new_id("disp_", payment["id"], "dispute")
        doc = self._bank.put(b.DISPUTE, entities.dispute(id_, payment, self._engine.now), account)
        self._bank.emit(account, "payment.dispute.created", payment=payment, dispute=doc)
        self._engine.at(self._engine.now + 6 * DAY, "razorpay.dispute_closes", dispute=id_)

    def _close(self, args: dict[str, Any]) -> None:
        doc = self._bank.need(b.DISPUTE, args["dispute"])
        account = self._bank.account_of(b.DISPUTE, doc["id"])
        payment = self._bank.need(b.PAYMENT, doc["payment_id"])
        lost = self._engine.draws.chance(_LOST, doc["id"], "lost")
        doc["status"] = "lost" if lost else "won"
        if lost:
            doc["amount_deducted"] = doc["amount"]
            self._settlements.lost_dispute(account, doc, payment)
        self._bank.put(b.DISPUTE, doc)
        self._bank.emit(account, f"payment.dispute.{doc['status']}", payment=payment, dispute=doc)

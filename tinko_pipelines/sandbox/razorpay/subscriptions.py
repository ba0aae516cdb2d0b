"""Subscription cycles: Razorpay charges, retries at T+1, T+2 and T+3 days, and then halts.

Source: Razorpay's subscription states and retry docs. Nobody else can charge a cycle off-session;
the payer can pay its invoice on the subscription's own page.
"""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import DAY, HOUR, Payer
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.mandates import Mandates
from tinko_pipelines.sandbox.razorpay.orders import Orders
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.store import Doc

_RETRIES = 3
_ABOUT = "Recurring Payment via Subscription"


class Subscriptions:
    """Starts cycles and follows what becomes of their payments."""

    def __init__(self, bank: Bank, mandates: Mandates, orders: Orders, payments: Payments) -> None:
        self._bank, self._engine = bank, bank.engine
        self._mandates, self._orders, self._payments = mandates, orders, payments
        payments.captured.append(self._captured)
        payments.failed.append(self._failed)
        bank.engine.on("razorpay.cycle", self._again)

    def start_cycle(self, account: Doc, debt: Doc, payer: Payer) -> Doc:
        """One cycle falls due: invoice, order, and Razorpay's first charge of it."""
        engine, now = self._engine, self._engine.now
        token = self._mandates.token(account, payer, debt)
        id_ = self._bank.new_id("sub_", debt["id"], "subscription")
        invoice_id = self._bank.new_id("inv_", id_, "invoice")
        sub = entities.subscription(
            id_, self._bank.new_id("plan_", account["id"], "plan"), token["_customer"],
            token["method"], now, cycles_paid=engine.draws.between(1, 9, id_, "paid before"),
            url=f"{engine.base_url}/hosted/razorpay/s/{id_}",
        )  # fmt: skip
        sub.update(_token=token["id"], _invoice=invoice_id, _first_at=now)
        self._bank.put(b.SUBSCRIPTION, sub, account)
        order = self._orders.make(
            account, debt["amount"], debt["currency"], parent=id_, invoice=invoice_id,
            subscription=id_, payer=payer.id, debt=debt["id"],
        )  # fmt: skip
        page = f"{engine.base_url}/hosted/razorpay/i/{invoice_id}"
        invoice = entities.invoice(invoice_id, order, payer, sub, page, now)
        self._bank.put(b.INVOICE, invoice, account)
        return self._charge(account, order, token, "merchant")

    def _charge(self, account: Doc, order: Doc, token: Doc, actor: str) -> Doc:
        return self._payments.debit(account, order, token, actor=actor, ahead=False,
                                    description=_ABOUT)  # fmt: skip

    def _again(self, args: dict[str, Any]) -> None:
        order = self._bank.need(b.ORDER, args["order"])
        sub = self._bank.need(b.SUBSCRIPTION, order["_subscription"])
        token = self._bank.get(b.TOKEN, sub["_token"])
        if order["status"] != "paid" and sub["status"] == "pending" and token is not None:
            account = self._bank.account_of(b.ORDER, order["id"])
            self._charge(account, order, token, "psp")

    def _failed(self, payment: Doc, order: Doc) -> None:
        if order["_subscription"] is None or payment["_actor"] == "payer":
            return
        sub = self._bank.need(b.SUBSCRIPTION, order["_subscription"])
        if sub["status"] not in ("active", "pending") or order["status"] == "paid":
            return
        account = self._bank.account_of(b.SUBSCRIPTION, sub["id"])
        tries = sub["auth_attempts"] = sub["auth_attempts"] + 1
        if tries > _RETRIES:
            sub.update(status="halted", charge_at=sub["current_end"])
            self._bank.put(b.SUBSCRIPTION, sub)
            self._bank.emit(account, "subscription.halted", subscription=sub)
            return
        at = max(sub["_first_at"] + tries * DAY, self._engine.now + HOUR)
        was, sub["status"], sub["charge_at"] = sub["status"], "pending", at
        self._bank.put(b.SUBSCRIPTION, sub)
        self._engine.at(at, "razorpay.cycle", order=order["id"])
        if was == "active":
            self._bank.emit(account, "subscription.pending", subscription=sub)

    def _captured(self, payment: Doc, order: Doc) -> None:
        if order["_subscription"] is None:
            return
        account = self._bank.account_of(b.ORDER, order["id"])
        sub = self._bank.need(b.SUBSCRIPTION, order["_subscription"])
        invoice = self._bank.need(b.INVOICE, order["_invoice"])
        invoice.update(status="paid", payment_id=payment["id"], paid_at=self._engine.now,
                       amount_paid=invoice["amount"], amount_due=0)  # fmt: skip
        was = sub["status"]
        sub.update(status="active", auth_attempts=0, charge_at=sub["current_end"],
                   paid_count=sub["paid_count"] + 1,
                   remaining_count=max(0, sub["remaining_count"] - 1))  # fmt: skip
        self._bank.put(b.INVOICE, invoice)
        self._bank.put(b.SUBSCRIPTION, sub)
        if was != "active":
            self._bank.emit(account, "subscription.activated", subscription=sub)
        self._bank.emit(account, "subscription.charged", subscription=sub, payment=payment)
        self._bank.emit(account, "invoice.paid", payment=payment, order=order, invoice=invoice)

"""Orders: made with or without a pre-debit notification, and who retries what fails on them."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import HOUR
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import debits, entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.mandates import Mandates
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.store import Doc


class Orders:
    """Makes orders, and retries UPI debits of those that have no notification (three times)."""

    def __init__(self, bank: Bank, mandates: Mandates, payments: Payments) -> None:
        self._bank, self._engine = bank, bank.engine
        self._mandates, self._payments = mandates, payments
        payments.failed.append(self._failed)
        bank.engine.on("razorpay.retry", self._retry)

    def make(
        self, account: Doc, amount: int, currency: str, *, parent: str, ordinal: int = 0,
        payer: str = "", debt: str | None = None, notify: Doc | None = None,
        payment_after: int | None = None, invoice: str | None = None,
        subscription: str | None = None, link: str | None = None, auto_capture: bool = True,
        **shown: Any,
    ) -> Doc:  # fmt: skip
        """A new order. `notify`: the token whose payer is told ahead; `debt`: what it is for.

        With a payer and no debt, the world's debt of that payer and amount is what it is for.
        """
        engine = self._engine
        id_ = self._bank.new_id("order_", parent, "order", ordinal)
        if notify is not None:
            notice_id = self._bank.new_id("notification_", id_, "notification")
            shown["notification"] = {"token_id": notify["id"], "payment_after": payment_after,
                                     "id": notice_id}  # fmt: skip
        doc = entities.order(id_, amount, currency, engine.now, **shown)
        doc.update(
            _after=payment_after, _method=notify["method"] if notify else None, _invoice=invoice,
            _subscription=subscription, _link=link, _auto_capture=auto_capture, _retries=0,
            _token=None,
        )  # fmt: skip
        self._bank.put(b.ORDER, doc, account)
        if debt is not None:
            engine.ledger.tie(id_, debt=debt, payer=payer or None)
        elif payer:
            engine.door(account, id_, payer, amount, currency)
            engine.ledger.tie(id_, payer=payer)
        if notify is not None:
            self._mandates.announce(doc)
        return doc

    def debit(self, account: Doc, order: Doc, token: Doc, *, actor: str, **shown: Any) -> Doc:
        """`payments/create/recurring`: the notice, then the debit; without one, Razorpay's own.

        A UPI debit on an order without a notification is Razorpay's to retry.
        """
        if token["method"] == "upi" and "notification" not in order and order["_token"] is None:
            order.update(_token=token["id"], _retries=debits.UPI_RETRIES)
            self._bank.put(b.ORDER, order)
        return self._payments.debit(account, order, token, actor=actor, ahead=True, **shown)

    def _failed(self, payment: Doc, order: Doc) -> None:
        if order["_retries"] <= 0 or payment["_actor"] == "payer" or order["status"] == "paid":
            return
        order["_retries"] -= 1
        self._bank.put(b.ORDER, order)
        wait = self._engine.draws.between(2 * HOUR, 8 * HOUR, payment["id"], "retried after")
        at = debits.next_upi_window(self._engine.now + wait)
        self._engine.at(at, "razorpay.retry", order=order["id"])

    def _retry(self, args: dict[str, Any]) -> None:
        order = self._bank.need(b.ORDER, args["order"])
        token = self._bank.get(b.TOKEN, order["_token"])
        if order["status"] != "paid" and token is not None:
            account = self._bank.account_of(b.ORDER, order["id"])
            self._payments.debit(account, order, token, actor="psp", ahead=False)

"""Payment Links: made over the API, paid on their page, cancelled or expired."""

from __future__ import annotations

import hmac
from typing import Any

from tinko_pipelines.sandbox.payers import Payer
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.orders import Orders
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.store import Doc


class Links:
    """Opens links and follows what becomes of them."""

    def __init__(self, bank: Bank, orders: Orders, payments: Payments) -> None:
        self._bank, self._engine, self._orders = bank, bank.engine, orders
        payments.captured.append(self._captured)
        bank.engine.on("razorpay.link_expires", self._expire)

    def open(self, account: Doc, body: Doc) -> Doc:
        """A new link; `body` has been checked."""
        parent = body.get("reference_id") or (body.get("customer") or {}).get("email") or "link"
        parent = f"{account['id']}/{parent}"
        ordinal = self._bank.count_up(parent, "link")
        id_ = self._bank.new_id("plink_", parent, "link", ordinal)
        url = f"{self._engine.base_url}/hosted/razorpay/l/{id_}"
        doc = entities.payment_link(id_, body, url, self._engine.now)
        doc["_order"] = None
        self._bank.put(b.LINK, doc, account)
        payer = self.payer_of(doc)
        if payer is not None:
            self._engine.door(account, id_, payer.id, doc["amount"], doc["currency"])
        if doc["expire_by"]:
            self._engine.at(doc["expire_by"], "razorpay.link_expires", link=id_)
        return doc

    def payer_of(self, link: Doc) -> Payer | None:
        """The world's payer a link was made for, by its e-mail address."""
        return self._bank.payer_by_email((link["customer"] or {}).get("email"))

    def order_of(self, account: Doc, link: Doc) -> Doc:
        """The order behind a link, made when the payer first pays."""
        found = self._bank.get(b.ORDER, link["_order"])
        if found is not None:
            return found
        payer = self.payer_of(link)
        made = self._orders.make(
            account, link["amount"], link["currency"], parent=link["id"], link=link["id"],
            receipt=link["reference_id"] or None, payer=payer.id if payer else "",
            debt=self._engine.ledger.tied(link["id"], "debt"),
        )  # fmt: skip
        link["_order"] = link["order_id"] = made["id"]
        self._bank.put(b.LINK, link)
        return made

    def close(self, link: Doc, to: str) -> None:
        """Cancel or expire a link that is still open, and send the event."""
        now = self._engine.now
        link.update(status=to, updated_at=now)
        link["cancelled_at" if to == "cancelled" else "expired_at"] = now
        self._bank.put(b.LINK, link)
        account = self._bank.account_of(b.LINK, link["id"])
        self._bank.emit(account, f"payment_link.{to}", payment_link=link)

    def _expire(self, args: dict[str, Any]) -> None:
        link = self._bank.need(b.LINK, args["link"])
        if link["status"] == "created":
            self.close(link, "expired")

    def _captured(self, payment: Doc, order: Doc) -> None:
        link = self._bank.get(b.LINK, order["_link"])
        if link is None:
            return
        link.update(status="paid", amount_paid=order["amount_paid"], updated_at=self._engine.now)
        link["payments"] = [{"amount": payment["amount"], "created_at": payment["created_at"],
                             "method": payment["method"], "payment_id": payment["id"],
                             "plink_id": link["id"], "status": "captured"}]  # fmt: skip
        self._bank.put(b.LINK, link)
        account = self._bank.account_of(b.LINK, link["id"])
        self._bank.emit(account, "payment_link.paid", payment_link=link, order=order,
                        payment=payment)  # fmt: skip

    def callback(self, account: Doc, link: Doc, payment: Doc) -> dict[str, str]:
        """What the link's callback URL is told, signed with the account's key secret."""
        said = "|".join((link["id"], link["reference_id"], link["status"], payment["id"]))
        secret = account["key_secret"].encode()
        return {
            "razorpay_payment_id": payment["id"], "razorpay_payment_link_id": link["id"],
            "razorpay_payment_link_reference_id": link["reference_id"],
            "razorpay_payment_link_status": link["status"],
            "razorpay_signature": hmac.new(secret, said.encode(), "sha256").hexdigest(),
        }  # fmt: skip

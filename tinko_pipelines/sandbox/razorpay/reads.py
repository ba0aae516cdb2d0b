"""The API's reads: by id, and listings by `from`, `to`, `count` and `skip`, newest first."""

from __future__ import annotations

from itertools import islice
from typing import Any

from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import fields
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.entities import collection, public
from tinko_pipelines.sandbox.razorpay.gateway import ApiError, Call, Work, no_such_id
from tinko_pipelines.sandbox.razorpay.settlements import Settlements, month_or_day
from tinko_pipelines.sandbox.store import Doc

_RECON_MOST = 1000
# by kind: the members a listing can be narrowed by
_FILTERS = {
    b.ORDER: ("receipt",), b.SUBSCRIPTION: ("plan_id", "customer_id"), b.REFUND: ("payment_id",),
    b.INVOICE: ("subscription_id", "payment_id", "customer_id", "receipt", "type"),
    b.LINK: ("reference_id",),
}  # fmt: skip


class Reads:
    """GET handlers. Each raises ApiError for an id of nobody's, or somebody else's."""

    def __init__(self, bank: Bank, settlements: Settlements) -> None:
        self._bank, self._settlements = bank, settlements

    def routes(self) -> list[tuple[str, str, Work, bool]]:
        """(method, path, handler, whether it collects money)"""
        table: list[tuple[str, Work]] = []
        for name, kind in (
            ("orders", b.ORDER), ("payments", b.PAYMENT), ("customers", b.CUSTOMER),
            ("subscriptions", b.SUBSCRIPTION), ("invoices", b.INVOICE), ("refunds", b.REFUND),
            ("settlements", b.SETTLEMENT), ("payment_links", b.LINK),
            ("disputes", b.DISPUTE),
        ):  # fmt: skip
            table += [(f"{name}/{{id}}", self._one(kind)), (name, self._many(kind))]
        table = [
            ("settlements/recon/combined", self.recon),
            ("webhooks", self.webhooks),
            ("payments/{id}", self.payment),
            ("orders/{id}/payments", self.order_payments),
            ("payments/{id}/refunds/{refund}", self.payment_refund),
            ("payments/{id}/refunds", self.payment_refunds),
            ("payments/{id}/card", self.payment_card),
            ("customers/{id}/tokens/{token}", self.token),
            ("customers/{id}/tokens", self.tokens),
            *table,
        ]
        return [("GET", path, work, False) for path, work in table]

    def need(self, call: Call, kind: str, name: str = "id") -> Doc:
        """The account's own object of that id."""
        found = self._bank.get(kind, call.path[name], call.account)
        if found is None:
            raise no_such_id()
        return found

    def need_token(self, call: Call) -> Doc:
        """A token of that customer."""
        found = self._bank.get(b.TOKEN, call.path["token"], call.account)
        if found is None or found["_customer"] != call.path["id"]:
            raise no_such_id()
        return found

    def _one(self, kind: str) -> Work:
        return lambda call: public(self.need(call, kind))

    def _many(self, kind: str) -> Work:
        def work(call: Call) -> Doc:
            wanted = {
                name: call.query[name] for name in _FILTERS.get(kind, ()) if name in call.query
            }
            if kind == b.LINK:
                return {"payment_links": [public(doc) for doc in self._links(call, wanted)]}
            found = self._page(call, kind, wanted)
            return self._payments(call, found) if kind == b.PAYMENT else collection(found)

        return work

    def _links(self, call: Call, wanted: Doc) -> list[Doc]:
        if "payment_id" not in call.query:
            return self._page(call, b.LINK, wanted)
        payment = self._bank.get(b.PAYMENT, call.query["payment_id"], call.account)
        order = self._bank.get(b.ORDER, payment["order_id"]) if payment else None
        link = self._bank.get(b.LINK, order["_link"]) if order else None
        return [link] if link else []

    def _payments(self, call: Call, found: list[Doc]) -> Doc:
        """Payments show their card where `expand[]=card` asks for it."""
        if "card" in call.query.getlist("expand[]"):
            return collection(found)
        return collection([_without_card(doc) for doc in found])

    def payment(self, call: Call) -> Doc:
        found = self._payments(call, [self.need(call, b.PAYMENT)])["items"][0]
        return dict(found)

    def _page(self, call: Call, kind: str, wanted: Doc) -> list[Doc]:
        count, skip = fields.page(call.query)
        since, until = fields.number(call.query, "from"), fields.number(call.query, "to")
        found = self._bank.engine.store.newest(call.account["id"], kind, since, until)
        kept = (doc for doc in found if all(doc[name] == wanted[name] for name in wanted))
        return list(islice(kept, skip, skip + count))

    def _all(self, call: Call, kind: str, member: str, value: Any) -> list[Doc]:
        found = self._bank.engine.store.newest(call.account["id"], kind)
        return [doc for doc in found if doc[member] == value]

    def order_payments(self, call: Call) -> Doc:
        order = self.need(call, b.ORDER)
        made = (self._bank.get(b.PAYMENT, self._bank.new_id("pay_", order["id"], "payment", n))
                for n in range(order["attempts"]))  # fmt: skip
        return self._payments(call, [doc for doc in made if doc is not None][::-1])

    def payment_refunds(self, call: Call) -> Doc:
        count, skip = fields.page(call.query)
        found = self._all(call, b.REFUND, "payment_id", self.need(call, b.PAYMENT)["id"])
        return collection(found[skip : skip + count])

    def payment_refund(self, call: Call) -> Doc:
        refund = self.need(call, b.REFUND, "refund")
        if refund["payment_id"] != call.path["id"]:
            raise no_such_id()
        return public(refund)

    def payment_card(self, call: Call) -> Doc:
        card: Doc | None = self.need(call, b.PAYMENT).get("card")
        if card is None:
            raise ApiError("The payment was not made with a card")
        return card

    def tokens(self, call: Call) -> Doc:
        return collection(self._all(call, b.TOKEN, "_customer", self.need(call, b.CUSTOMER)["id"]))

    def token(self, call: Call) -> Doc:
        return public(self.need_token(call))

    def webhooks(self, call: Call) -> Doc:
        """The account's webhooks: the one that is delivered to, and what else it has."""
        account, others = call.account, call.account.get("other_webhooks", ())
        own = [(account["url"], not account.get("webhook_off"))] if account["url"] else []
        rows = [self._webhook(account, n, *one) for n, one in enumerate([*own, *others])]
        return collection(rows)

    def _webhook(self, account: Doc, number: int, url: str, active: bool) -> Doc:
        at = self._bank.engine.world.start
        return {
            "id": self._bank.new_id("wh_", account["id"], "webhook", number)[3:],
            "entity": "webhook",
            "url": url, "active": active, "secret_exists": True, "created_at": at,
            "disabled_at": 0 if active else self._bank.engine.now,
            "owner_id": account["account_id"],
            "owner_type": "merchant", "service": "api-test", "alert_email": "someone@example.com",
            "context": [], "events": [], "updated_at": at,
        }  # fmt: skip

    def recon(self, call: Call) -> Doc:
        """The lines of the settlements made in a month, or on one of its days (India's)."""
        count, skip = fields.page(call.query, _RECON_MOST)
        year, month = fields.number(call.query, "year"), fields.number(call.query, "month")
        if year is None or month is None:
            raise fields.required("year" if year is None else "month")
        try:
            since, until = month_or_day(year, month, fields.number(call.query, "day"))
        except ValueError:
            raise ApiError("The date is not valid.") from None
        lines = self._settlements.recon(call.account, since, until)
        return collection(lines[skip : skip + count])


def _without_card(payment: Doc) -> Doc:
    return {name: value for name, value in payment.items() if name != "card"}

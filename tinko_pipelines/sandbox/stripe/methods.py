"""Customers, payment methods, and the instruments behind them."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import Instrument, Payer
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.codes import BY_NUMBER, TEST_CARDS
from tinko_pipelines.sandbox.stripe.desk import Desk
from tinko_pipelines.sandbox.stripe.errors import invalid, missing, no_such


class Methods:
    """Makes and finds payment methods; knows which instrument each one charges."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def instrument(self, method: Doc) -> Instrument:
        """The instrument a payment method charges."""
        id_ = self._desk.tied(method["id"], "instrument") or ""
        if id_.startswith("test_"):
            return self.test_card(id_.removeprefix("test_"))
        return self._desk.engine.payers.instrument(id_)

    def test_card(self, suffix: str) -> Instrument:
        """One of Stripe's documented test cards. Raises KeyError for another."""
        number, network, country, code = TEST_CARDS[suffix]
        return self._desk.engine.payers.add_instrument(
            Instrument(
                id=f"test_{suffix}", payer="", method="card", network=network, issuer="TEST",
                country=country, funding="credit", last4=number[-4:], exp_month=12, exp_year=2034,
                fingerprint=f"test{suffix:.>12}"[-16:], grumpy=0.0, wants_auth=False,
                broken_at=None, broken_code="", fixed=code,
            )
        )  # fmt: skip

    def customer(self, account: Doc, payer: Payer, guest: bool) -> Doc:
        """The payer as the merchant's customer, made once.

        A guest pays in person and leaves no payment method; another has one stored as default.
        """
        desk = self._desk
        purpose = "guest" if guest else "customer"
        id_ = desk.engine.draws.object_id("cus_", f"{account['id']}/{payer.id}", purpose, length=14)
        found = desk.find(account, id_)
        if found is not None:
            return found
        made = shapes.customer(
            id_, desk.now, email=payer.email, name=payer.name, phone=payer.phone,
            preferred_locales=[payer.language],
        )  # fmt: skip
        desk.tie(id_, payer=payer.id)
        if not guest:
            method = self.of_payer(account, payer, 0, made)
            method["customer"] = id_
            made["invoice_settings"]["default_payment_method"] = method["id"]
        return desk.save(account, made)

    def of_payer(self, account: Doc, payer: Payer, number: int, customer: Doc | None) -> Doc:
        """The payment method of a payer's instrument, made once per customer."""
        desk = self._desk
        number = min(number, len(payer.instruments) - 1)
        parent = customer["id"] if customer else f"{account['id']}/{payer.id}"
        id_ = desk.engine.draws.object_id("pm_", parent, "method", number)
        found = desk.find(account, id_)
        if found is not None:
            return found
        card = payer.instruments[number]
        made = shapes.payment_method(id_, desk.now, card)
        made["billing_details"] = shapes.billing_details(payer.name, payer.email, payer.phone)
        desk.tie(id_, instrument=card.id)
        return desk.save(account, made)

    def of_test_card(self, account: Doc, suffix: str, parent: str) -> Doc:
        """A new payment method of a test card."""
        if suffix not in TEST_CARDS:
            raise no_such("token", f"tok_{suffix}", "card[token]")
        id_ = self._desk.new_id("pm_", parent, "test card")
        made = shapes.payment_method(id_, self._desk.now, self.test_card(suffix))
        self._desk.tie(id_, instrument=f"test_{suffix}")
        return self._desk.save(account, made)

    def resolve(self, account: Doc, id_: str, parent: str, param: str = "payment_method") -> Doc:
        """A payment method by id; `pm_card_…` makes a new one of that test card."""
        if id_.startswith("pm_card_"):
            return self.of_test_card(account, id_.removeprefix("pm_card_"), parent)
        return self._desk.need(account, id_, "pm", param)

    # --- the API ------------------------------------------------------------------------------

    def create_customer(self, account: Doc, params: dict[str, Any]) -> Doc:
        desk = self._desk
        made = shapes.customer(desk.new_id("cus_", account["id"], "api customer")[:18], desk.now)
        payer = desk.payer_of(None, params.get("email"))
        desk.tie(made["id"], payer=payer or None)
        wanted = params.get("payment_method")
        if wanted:
            method = self.resolve(account, wanted, made["id"])
            method["customer"] = made["id"]
            desk.save(account, method)
        return self.update_customer(account, made, params)

    def update_customer(self, account: Doc, made: Doc, params: dict[str, Any]) -> Doc:
        for name in ("email", "name", "phone", "description"):
            if name in params:
                made[name] = params[name] or None
        made["metadata"].update(params.get("metadata") or {})
        default = (params.get("invoice_settings") or {}).get("default_payment_method")
        if default:
            method = self.resolve(account, default, made["id"])
            if method["customer"] != made["id"]:
                raise invalid(
                    "The customer does not have a payment method with the ID "
                    f"{default}. The payment method must be attached to the customer.",
                    code="resource_missing",
                    param="invoice_settings[default_payment_method]",
                )
            made["invoice_settings"]["default_payment_method"] = method["id"]
        return self._desk.save(account, made)

    def create(self, account: Doc, params: dict[str, Any]) -> Doc:
        card = params.get("card") or {}
        suffix = str(card.get("token", "")).removeprefix("tok_")
        suffix = suffix or BY_NUMBER.get(str(card.get("number", "")), "")
        if params.get("type") != "card" or not suffix:
            raise missing("card[token]")
        return self.of_test_card(account, suffix, account["id"])

    def attach(self, account: Doc, id_: str, customer_id: str) -> Doc:
        customer = self._desk.need(account, customer_id, "cus", "customer")
        method = self.resolve(account, id_, customer["id"])
        if method["customer"] not in (None, customer["id"]):
            raise invalid(
                "The payment method you provided has already been attached to a customer."
            )
        method["customer"] = customer["id"]
        return self._desk.save(account, method)

    def detach(self, account: Doc, id_: str) -> Doc:
        method = self._desk.need(account, id_, "pm")
        method["customer"] = None
        return self._desk.save(account, method)

"""Customers, their tokens (mandates), and the pre-debit notices of orders."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox import faults
from tinko_pipelines.sandbox.payers import DAY, Instrument, Payer
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import debits, entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.store import Doc

_EVENT = {"cancelled": "token.cancelled", "paused": "token.paused", "confirmed": "token.resumed",
          "cancellation_initiated": "token.cancellation_initiated"}  # fmt: skip
# how often UPI mandates are debited; e-mandates and cards know only as_presented here
_UPI_FREQUENCIES = {"monthly": 0.5, "as_presented": 0.35, "weekly": 0.15}


class Mandates:
    """Opens customers and tokens for the world's payers, and lets payers end them."""

    def __init__(self, bank: Bank) -> None:
        self._bank, self._engine = bank, bank.engine
        bank.engine.on("razorpay.token", self._token_timer)
        bank.engine.on("razorpay.notice", self._notice_timer)

    def customer(self, account: Doc, payer: Payer) -> Doc:
        """The payer's customer object at that merchant, made once."""
        id_ = self._bank.new_id("cust_", account["id"], payer.id)
        found = self._bank.get(b.CUSTOMER, id_)
        if found is None:
            since = self._engine.world.start - 200 * DAY
            doc = entities.customer(id_, payer.name, payer.email, payer.phone, since)
            found = self._bank.put(b.CUSTOMER, doc, account)
            self._engine.ledger.tie(id_, payer=payer.id)
        return found

    def token(self, account: Doc, payer: Payer, debt: Doc) -> Doc:
        """The mandate under which a debt of the world is collected, registered long ago."""
        engine = self._engine
        instrument = engine.payers.instrument(debt["instrument"])
        holder = self.customer(account, payer)
        id_ = self._bank.new_id("token_", debt["id"], "token")
        since = debt["due"] - engine.draws.between(30, 180, id_, "age") * DAY
        secret = self._bank.new_id("", id_, "secret")
        often = "as_presented"
        if instrument.method == "upi":
            often = engine.draws.weighted(_UPI_FREQUENCIES, id_, "frequency")
        doc = entities.token(id_, secret, instrument, payer.name, payer.email, since, often)
        doc.update(_customer=holder["id"], _instrument=instrument.id, _fixed=None, _debt=debt["id"])
        self._bank.put(b.TOKEN, doc, account)
        engine.ledger.tie(id_, payer=payer.id, instrument=instrument.id)
        self._plan_endings(doc, instrument, debt)
        return doc

    def _plan_endings(self, token: Doc, instrument: Instrument, debt: Doc) -> None:
        engine = self._engine
        if instrument.broken_at is not None and instrument.broken_code == "revoked":
            if instrument.broken_at <= engine.now:
                token["recurring_details"]["status"] = "cancelled"
                return
            engine.at(instrument.broken_at, "razorpay.token", token=token["id"], to="cancelled")
        pause = self._bank.pause_of(debt["id"]) if instrument.method == "upi" else None
        if pause and pause[1] > engine.now:
            if pause[0] <= engine.now:
                token["recurring_details"]["status"] = "paused"
            else:
                engine.at(pause[0], "razorpay.token", token=token["id"], to="paused")
            engine.at(pause[1], "razorpay.token", token=token["id"], to="confirmed")

    def test_token(
        self, account: Doc, holder: Doc, method: str, code: str, frequency: str
    ) -> Doc:  # fmt: skip
        """A token whose debits always end in `code` ('' always succeeds), for tests."""
        ordinal = self._bank.count_up(holder["id"], "token")
        id_ = self._bank.new_id("token_", holder["id"], "token", ordinal)
        instrument = b.fixed_instrument(f"ins_{id_}", method, code)
        secret = self._bank.new_id("", id_, "secret")
        now = self._engine.now
        doc = entities.token(
            id_, secret, instrument, holder["name"], holder["email"] or "", now, frequency
        )  # fmt: skip
        doc.update(_customer=holder["id"], _instrument=instrument.id, _fixed=code, _debt=None)
        return self._bank.put(b.TOKEN, doc, account)

    def set_status(self, token: Doc, to: str) -> None:
        """Move a token's mandate and send the event; a cancelled one never comes back."""
        details = token["recurring_details"]
        if details["status"] in ("cancelled", to):
            return
        details["status"] = to
        self._bank.put(b.TOKEN, token)
        self._bank.emit(self._bank.account_of(b.TOKEN, token["id"]), _EVENT[to], token=token)

    def _token_timer(self, args: dict[str, Any]) -> None:
        token = self._bank.get(b.TOKEN, args["token"])
        if token is not None:
            self.set_status(token, args["to"])

    # --- notices -----------------------------------------------------------------------------

    def announce(self, order: Doc) -> None:
        """Send the pre-debit notice of an order made with a `notification`."""
        engine = self._engine
        token = self._bank.need(b.TOKEN, order["notification"]["token_id"])
        sure = token["_fixed"] is not None
        at, told = debits.notice(engine.draws, order["id"], order["created_at"], sure=sure)
        lost = engine.faults.strikes(
            faults.UNTOLD, "razorpay", "notice", at=engine.now, draws=engine.draws, charge=True
        )
        order["_notice"] = [at, told and lost is None]
        self._bank.put(b.ORDER, order)
        engine.at(at, "razorpay.notice", order=order["id"])

    def _notice_timer(self, args: dict[str, Any]) -> None:
        order = self._bank.need(b.ORDER, args["order"])
        at, told = order["_notice"]
        sent = order["notification"]
        if sent["payment_after"] is None and told:
            sent["payment_after"] = at + debits.after_default(order["_method"])
            self._bank.put(b.ORDER, order)
        entity = {"id": sent["id"], "entity": "notification", "order_id": order["id"],
                  "token_id": sent["token_id"], "delivered_at": at if told else None,
                  "status": "delivered" if told else "failed",
                  "payment_after": sent["payment_after"]}  # fmt: skip
        account = self._bank.account_of(b.ORDER, order["id"])
        what = "delivered" if told else "failed"
        self._bank.emit(account, f"order.notification.{what}", notification=entity)

"""The life of a payment: created, with the bank, failed or authorised, captured, refunded.

`captured` and `failed` are called after the events of a payment went out: links and subscriptions
hang on to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinko_pipelines.sandbox import faults
from tinko_pipelines.sandbox.ledger import AUTHORIZED, CANCELED, FAILED, PENDING, SUCCEEDED
from tinko_pipelines.sandbox.payers import DAY, HARD, Instrument, Outcome, Payer
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import debits, entities
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.reasons import LATE, MAY_BE_LATE, UNTOLD, failure
from tinko_pipelines.sandbox.razorpay.refunds import Refunds
from tinko_pipelines.sandbox.razorpay.settlements import Settlements
from tinko_pipelines.sandbox.store import Doc

Hook = Callable[[Doc, Doc], None]  # (payment, order)
_LAPSES_AFTER = 5 * DAY
_ERRORS = ("error_code", "error_description", "error_source", "error_step", "error_reason")


class Payments:
    """Makes payments and brings them to their end at the instants their timers say."""

    def __init__(self, bank: Bank, settlements: Settlements, refunds: Refunds) -> None:
        self._bank, self._engine, self._settlements = bank, bank.engine, settlements
        self._refunds = refunds
        self.captured: list[Hook] = []
        self.failed: list[Hook] = []
        bank.engine.on("razorpay.result", self._result)
        bank.engine.on("razorpay.late", self._late)
        bank.engine.on("razorpay.lapse", self._lapse)

    # --- making one --------------------------------------------------------------------------

    def debit(
        self, account: Doc, order: Doc, token: Doc, *, actor: str, ahead: bool, **shown: Any
    ) -> Doc:
        """Charge a token: a payment in status `created`, decided later at the bank.

        `ahead`: a pre-debit notice goes out first (the order's own, or Razorpay's); otherwise it
        was given long ago. `shown` are further members of the payment (notes, email, …).
        """
        engine, instrument = self._engine, self._bank.instrument_of(token)
        payer = self._bank.payer_of(token["_customer"])
        payment = self._make(
            account, order, instrument, actor, payer, token_id=token["id"],
            customer_id=token["_customer"], present=False, **shown,
        )  # fmt: skip
        if ahead:
            if "notification" in order:
                at, told = order["_notice"]
                noticed = (int(at), bool(told))
            else:
                sure = token["_fixed"] is not None
                noticed = debits.notice(engine.draws, order["id"], engine.now, sure=sure)
            plan = debits.after_notice(engine.draws, instrument.method, payment["id"], noticed,
                                       now=engine.now, after=order["_after"])  # fmt: skip
        else:
            plan = debits.at_once(engine.draws, instrument.method, payment["id"], engine.now)
        facts = {"executes_at": str(plan.debit_at), "token": token["id"],
                 "frequency": token["frequency"]}  # fmt: skip
        if ahead:
            facts["notice_at"] = str(plan.notice_at or "")
            if actor == "tinko" and self._untold(order, instrument, noticed):
                facts["untold"] = "yes"
        self._record(account, order, payment, instrument, actor, payer, facts)
        engine.at(plan.result_at, "razorpay.result", payment=payment["id"],
                  debit_at=plan.debit_at, told=plan.told)  # fmt: skip
        return payment

    def _untold(self, order: Doc, instrument: Instrument, noticed: tuple[int, bool]) -> bool:
        """Whether nobody told the payer: a bank announces no second debit of an e-mandate, and a
        notice that failed before the debit was asked for was there to be seen."""
        if "notification" not in order:
            return instrument.method == "emandate"
        at, told = noticed
        return not told and at <= self._engine.now

    def pay_present(
        self, account: Doc, order: Doc, instrument: Instrument, payer: Payer | None, **shown: Any
    ) -> Doc:
        """The payer pays an order on a page: decided at once."""
        payment = self._make(account, order, instrument, "payer", payer, present=True, **shown)
        self._record(account, order, payment, instrument, "payer", payer, {})
        now, amount = self._engine.now, payment["amount"]
        outcome = self._engine.payers.would_succeed(instrument, amount, now, present=True)
        self._decide(payment, order, outcome, now)
        return payment

    def _make(
        self, account: Doc, order: Doc, instrument: Instrument, actor: str,
        payer: Payer | None, **shown: Any,
    ) -> Doc:  # fmt: skip
        id_ = self._bank.new_id("pay_", order["id"], "payment", order["attempts"])
        order["attempts"] += 1
        if order["status"] == "created":
            order["status"] = "attempted"
        self._bank.put(b.ORDER, order)
        if payer is not None:
            shown = {"email": payer.email, "contact": payer.phone, "name": payer.name, **shown}
        doc = entities.payment(id_, order, instrument, self._engine.now,
                               invoice_id=order["_invoice"], **shown)  # fmt: skip
        doc.update(_instrument=instrument.id, _method=instrument.method, _actor=actor,
                   _debt=self.debt_of(account, order, payer), _failed_at=None)  # fmt: skip
        return self._bank.put(b.PAYMENT, doc, account)

    def debt_of(self, account: Doc, order: Doc, payer: Payer | None) -> str:
        """The debt an order is for: the world's, known by payer and amount, or one of its own."""
        found = self._engine.ledger.tied(order["id"], "debt")
        return found or self._engine.door(account, order["id"], payer.id if payer else "",
                                          order["amount"], order["currency"])  # fmt: skip

    def _record(
        self, account: Doc, order: Doc, payment: Doc, instrument: Instrument, actor: str,
        payer: Payer | None, facts: dict[str, str],
    ) -> None:  # fmt: skip
        debt = payment["_debt"]
        facts["country"] = instrument.country
        if actor == "tinko":
            waiting = self._unresolved(debt, payment)
            if waiting:
                facts["unresolved"] = waiting
        kind = self._bank.kind_of(self._engine.ledger.debt(debt))
        self._engine.ledger.attempt(
            payment["id"], debt=debt, account=account["id"], actor=actor, at=self._engine.now,
            amount=payment["amount"], currency=payment["currency"], instrument=instrument.id,
            method=instrument.method, network=instrument.network, state=PENDING,
            owner="psp" if kind in b.PSP_RETRIED else "merchant", facts=facts,
        )  # fmt: skip

    def _unresolved(self, debt: str, payment: Doc) -> str:
        """An earlier payment of the debt that is with the bank, or may still be authorised."""
        for row in self._engine.ledger.attempts(debt):
            other = self._bank.get(b.PAYMENT, row["id"])
            if other is None or other["id"] == payment["id"]:
                continue
            if other["status"] in ("created", "authorized"):
                return str(other["id"])
            late = other["status"] == "failed" and other["error_reason"] in MAY_BE_LATE
            recent = late and self._engine.now < other["_failed_at"] + debits.LATE_WITHIN
            if recent and other["order_id"] != payment["order_id"]:
                return str(other["id"])
        return ""

    # --- how it ends -------------------------------------------------------------------------

    def _result(self, args: dict[str, Any]) -> None:
        payment = self._bank.need(b.PAYMENT, args["payment"])
        order = self._bank.need(b.ORDER, payment["order_id"])
        token = self._bank.get(b.TOKEN, payment["token_id"])
        at = args["debit_at"]
        outcome = Outcome(False, "revoked")
        if token is not None and token["recurring_details"]["status"] != "cancelled":
            instrument = self._bank.instrument_of(token)
            outcome = self._bank.stored_outcome(token["_debt"], instrument, payment["amount"], at)
        if not args["told"]:
            outcome = Outcome(False, UNTOLD, outcome.luck)
        elif outcome.ok and self._comes_late(payment):
            outcome = Outcome(False, LATE, outcome.luck)
        self._decide(payment, order, outcome, at)

    def _comes_late(self, payment: Doc) -> bool:
        engine, what = self._engine, f"debit by {payment['_actor']}"
        struck = engine.faults.strikes(
            faults.LATE, "razorpay", what, at=engine.now, draws=engine.draws, charge=True
        )
        return struck is not None

    def _decide(self, payment: Doc, order: Doc, outcome: Outcome, at: int) -> None:
        if outcome.ok:
            self.authorize(payment, order)
            return
        code = str(outcome.code)
        why = failure(payment["_method"], code, outcome.luck)
        now = self._engine.now
        payment.update(status="failed", error_code=why.code, error_description=why.description,
                       error_source=why.source, error_step=why.step, error_reason=why.reason,
                       _failed_at=now)  # fmt: skip
        self._bank.put(b.PAYMENT, payment)
        self._engine.ledger.end(payment["id"], FAILED, at=now, code=why.reason,
                                made_up=why.made_up)  # fmt: skip
        if code in HARD:
            row = self._bank.need("attempt", payment["id"])
            row["facts"]["never"] = code
            self._engine.store.put("attempt", row)
        if why.reason in MAY_BE_LATE:
            late = debits.late_at(
                self._engine.draws, payment["_instrument"], at, certain=code == LATE
            )
            if late is not None:
                self._engine.at(max(late, now + 1), "razorpay.late", payment=payment["id"])
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        self._bank.emit(account, "payment.failed", payment=payment)
        for hook in self.failed:
            hook(payment, order)

    def authorize(self, payment: Doc, order: Doc) -> None:
        """The bank said yes: capture it, or give it back where the order is paid already."""
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        payment.update(status="authorized", **dict.fromkeys(_ERRORS))
        payment["acquirer_data"] = self._receipt(payment)
        self._bank.put(b.PAYMENT, payment)
        self._engine.ledger.end(payment["id"], AUTHORIZED, at=self._engine.now)
        self._bank.emit(account, "payment.authorized", payment=payment)
        if order["status"] == "paid":
            self._engine.ledger.end(payment["id"], SUCCEEDED, at=self._engine.now)
            self._refunds.give_back(account, payment, payment["amount"], None, None)
        elif order["_auto_capture"]:
            self.capture(payment, order)
        else:
            self._engine.at(self._engine.now + _LAPSES_AFTER, "razorpay.lapse",
                            payment=payment["id"])  # fmt: skip

    def _receipt(self, payment: Doc) -> Doc:
        number = f"{self._engine.draws.number(payment['id'], 'rrn') % 10**12:012d}"
        if payment["method"] == "card":
            return {"auth_code": number[:6], "rrn": number}
        name = "rrn" if payment["method"] == "upi" else "bank_transaction_id"
        return {name: number}

    def capture(self, payment: Doc, order: Doc) -> None:
        """Take the money of an authorised payment."""
        account = self._bank.account_of(b.PAYMENT, payment["id"])
        fee, tax = entities.fees(payment["amount"])
        payment.update(status="captured", captured=True, fee=fee, tax=tax)
        order["amount_paid"] += payment["amount"]
        order["amount_due"] = max(0, order["amount"] - order["amount_paid"])
        order["status"] = "paid" if order["amount_due"] == 0 else "attempted"
        self._bank.put(b.PAYMENT, payment)
        self._bank.put(b.ORDER, order)
        self._engine.ledger.end(payment["id"], SUCCEEDED, at=self._engine.now)
        self._settlements.payment(account, payment)
        self._bank.emit(account, "payment.captured", payment=payment)
        self._bank.emit(account, "order.paid", payment=payment, order=order)
        for hook in self.captured:
            hook(payment, order)

    def _late(self, args: dict[str, Any]) -> None:
        payment = self._bank.need(b.PAYMENT, args["payment"])
        if payment["status"] == "failed":
            self.authorize(payment, self._bank.need(b.ORDER, payment["order_id"]))

    def _lapse(self, args: dict[str, Any]) -> None:
        payment = self._bank.need(b.PAYMENT, args["payment"])
        if payment["status"] == "authorized":
            payment.update(status="refunded", refund_status="full",
                           amount_refunded=payment["amount"])  # fmt: skip
            self._bank.put(b.PAYMENT, payment)
            self._engine.ledger.end(payment["id"], CANCELED, at=self._engine.now)

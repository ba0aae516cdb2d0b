"""Payouts to the merchant: T+2 business days, the fee kept back, one settlement a day.

A batch {id, lines} collects what settles on one day; the day's timer turns it into a settlement,
whose lines are what `settlements/recon/combined` lists.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tinko_pipelines.sandbox.payers import DAY, HOUR
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay import debits
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.store import Doc

_NOON = 12 * HOUR


class Settlements:
    """Collects captures, refunds and adjustments, and pays them out."""

    def __init__(self, bank: Bank) -> None:
        self._bank, self._engine = bank, bank.engine
        bank.engine.on("razorpay.settle", self._settle)

    def payment(self, account: Doc, payment: Doc) -> None:
        """A captured payment will be paid out, less its fee (which includes the tax)."""
        fee, tax = payment["fee"], payment["tax"]
        credit = payment["amount"] - fee
        self._add(account, _line("payment", payment["id"], payment, payment["amount"],
                                 credit=credit, fee=fee, tax=tax))  # fmt: skip

    def refund(self, account: Doc, refund: Doc, payment: Doc) -> None:
        """A refund is taken from the next payout."""
        line = _line("refund", refund["id"], payment, refund["amount"], debit=refund["amount"])
        self._add(account, {**line, "payment_id": payment["id"],
                            "created_at": refund["created_at"]})  # fmt: skip

    def lost_dispute(self, account: Doc, dispute: Doc, payment: Doc) -> None:
        """A lost dispute is taken back by an adjustment."""
        id_ = self._bank.new_id("adj_", dispute["id"], "adjustment")
        line = _line("adjustment", id_, payment, dispute["amount"], debit=dispute["amount"])
        self._add(account, {**line, "payment_id": payment["id"], "dispute_id": dispute["id"],
                            "created_at": self._engine.now})  # fmt: skip

    def _add(self, account: Doc, line: Doc, ahead: int = 2) -> None:
        day = debits.business_day(self._engine.now, ahead=ahead)
        id_ = f"{account['id']}/{day}"
        batch = self._bank.get(b.BATCH, id_)
        if batch is None:
            batch = self._bank.put(b.BATCH, {"id": id_, "lines": []}, account)
            self._engine.at(day + _NOON, "razorpay.settle", batch=id_)
        batch["lines"].append(line)
        self._bank.put(b.BATCH, batch)

    def _settle(self, args: dict[str, Any]) -> None:
        batch = self._bank.need(b.BATCH, args["batch"])
        account = self._bank.account_of(b.BATCH, batch["id"])
        lines = batch["lines"]
        amount = sum(line["credit"] - line["debit"] for line in lines)
        batch["lines"] = []
        self._bank.put(b.BATCH, batch)
        if amount <= 0:  # nothing to pay out: it waits for the next payout
            for line in lines:
                self._add(account, line, ahead=1)
            return
        now = self._engine.now
        id_ = self._bank.new_id("setl_", batch["id"], "settlement")
        utr = f"AXISCN{self._engine.draws.number(id_, 'utr') % 10**10:010d}"
        for line in lines:
            line.update(settled=True, settled_at=now, settlement_id=id_, settlement_utr=utr)
        doc = {
            "id": id_, "entity": "settlement", "amount": amount, "status": "processed",
            "fees": sum(line["fee"] for line in lines), "tax": sum(line["tax"] for line in lines),
            "utr": utr, "created_at": now, "_lines": lines,
        }  # fmt: skip
        self._bank.put(b.SETTLEMENT, doc, account)
        self._bank.emit(account, "settlement.processed", settlement=doc)

    def recon(self, account: Doc, since: int, until: int) -> list[Doc]:
        """The lines of every settlement made in [since, until), newest settlement first."""
        store = self._engine.store
        found = store.newest(account["id"], b.SETTLEMENT, since, until - 1)
        return [line for settlement in found for line in settlement["_lines"]]


def month_or_day(year: int, month: int, day: int | None) -> tuple[int, int]:
    """[since, until) of a month or one day in India. Raises ValueError for no such date."""
    first = date(year, month, day or 1)
    if day is None:
        after = date(year + month // 12, month % 12 + 1, 1)
    else:
        after = date.fromordinal(first.toordinal() + 1)
    return _midnight(first), _midnight(after)


def _midnight(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY - debits.IST


def _line(
    type_: str, entity_id: str, payment: Doc, amount: int, *, credit: int = 0, debit: int = 0,
    fee: int = 0, tax: int = 0,
) -> Doc:  # fmt: skip
    card = payment.get("card") or {}
    return {
        "entity_id": entity_id, "type": type_, "debit": debit, "credit": credit, "amount": amount,
        "currency": payment["currency"], "fee": fee, "tax": tax, "on_hold": False,
        "settled": False, "created_at": payment["created_at"], "settled_at": None,
        "settlement_id": None, "posted_at": None, "credit_type": "default",
        "description": payment["description"], "notes": "{}", "payment_id": None,
        "settlement_utr": None, "order_id": payment["order_id"], "order_receipt": None,
        "method": payment["method"], "card_network": card.get("network"),
        "card_issuer": card.get("issuer"), "card_type": card.get("type"), "dispute_id": None,
    }  # fmt: skip

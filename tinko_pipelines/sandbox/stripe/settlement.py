"""Balance transactions with fees, daily automatic payouts, and their reconciliation."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.rhythms import DAY
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.desk import Desk

# 2.9% and a fixed part in minor units, as the US price list has it (3% and ₹0 in India)
_FEES = {"usd": (29, 30), "eur": (29, 25), "gbp": (29, 20), "inr": (30, 0)}
_SETTLES_AFTER = 2 * DAY
_PAYOUT_FAILS = 0.006


class Settlement:
    """The merchant's balance at Stripe and what leaves it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.engine.on("stripe.payout", self._pay_out)
        desk.engine.on("stripe.payout_arrives", self._arrive)
        desk.engine.on("stripe.payout_reconciled", self._reconciled)

    def fee(self, amount: int, currency: str) -> int:
        """Stripe's fee for a charge, in minor units."""
        per_mille, fixed = _FEES.get(currency, (29, 30))
        return (amount * per_mille + 500) // 1000 + fixed

    def book(
        self, account: Doc, source: Doc, amount: int, kind: str, fee: int = 0,
        category: str | None = None,
    ) -> Doc:  # fmt: skip
        """A balance transaction of `amount` (negative: out) with its fee.

        `category` is its reporting category, where that is not the type itself.
        """
        desk = self._desk
        at_once = kind in ("payout", "payout_failure")
        made = shapes.balance_transaction(
            desk.new_id("txn_", source["id"], kind), desk.now, amount=amount, fee=fee,
            currency=source["currency"], kind=kind, source=source["id"],
            available_on=desk.now + (0 if at_once else _SETTLES_AFTER),
        )  # fmt: skip
        made["reporting_category"] = category or kind
        desk.save(account, made)
        if kind != "payout":
            desk.engine.store.put("stripe.unpaid", {"id": made["id"], "account": account["id"]})
        if desk.engine.store.get("stripe.payout_day", account["id"]) is None:
            desk.engine.store.put("stripe.payout_day", {"id": account["id"]})
            first = (desk.now // DAY + 1) * DAY + 300
            desk.engine.at(first, "stripe.payout", account=account["id"])
        return made

    def _account(self, args: dict[str, Any]) -> Doc:
        found = self._desk.engine.store.get("account", args["account"])
        if found is None:
            raise KeyError(args["account"])
        return found

    def _pay_out(self, args: dict[str, Any]) -> None:
        desk, account = self._desk, self._account(args)
        desk.engine.at(desk.now + DAY, "stripe.payout", account=account["id"])
        ready: dict[str, list[Doc]] = {}
        for row in desk.engine.store.all("stripe.unpaid"):
            line = desk.find(account, row["id"]) if row["account"] == account["id"] else None
            if line is not None and line["available_on"] <= desk.now:
                ready.setdefault(line["currency"], []).append(line)
        for currency, lines in sorted(ready.items()):
            total = sum(line["net"] for line in lines)
            if total > 0:
                self._send(account, currency, total, lines)

    def _send(self, account: Doc, currency: str, total: int, lines: list[Doc]) -> None:
        desk = self._desk
        id_ = desk.new_id("po_", account["id"], f"payout {currency}")
        made = shapes.payout(id_, desk.now, total, currency, desk.now + DAY)
        made["destination"] = f"ba_{id_[3:]}"
        own = self.book(account, made, -total, "payout")
        made["balance_transaction"] = own["id"]
        for line in (*lines, own):
            line["status"] = "available"
            desk.save(account, line)
            desk.tie(line["id"], payout=id_)
            desk.engine.store.delete("stripe.unpaid", line["id"])
        desk.engine.store.put(
            "stripe.payout_lines", {"id": id_, "lines": [line["id"] for line in (*lines, own)]}
        )
        desk.save(account, made)
        desk.emit(account, "payout.created", made)
        desk.engine.at(desk.now + DAY, "stripe.payout_arrives", account=account["id"], payout=id_)

    def _arrive(self, args: dict[str, Any]) -> None:
        desk, account = self._desk, self._account(args)
        made = desk.need(account, args["payout"], "po")
        made["status"] = "paid"
        desk.save(account, made)
        desk.emit(account, "payout.paid", made)
        if desk.engine.draws.chance(_PAYOUT_FAILS, made["id"], "fails"):
            desk.engine.at(desk.now + 7200, "stripe.payout_reconciled", **args, failed=True)
        else:
            desk.engine.at(desk.now + 900, "stripe.payout_reconciled", **args, failed=False)

    def _reconciled(self, args: dict[str, Any]) -> None:
        desk, account = self._desk, self._account(args)
        made = desk.need(account, args["payout"], "po")
        if args["failed"]:
            # the bank sent it back: the sum returns to the balance and leaves with the next one
            back = self.book(account, made, made["amount"], "payout_failure",
                             category="payout_reversal")  # fmt: skip
            made.update(status="failed", failure_code="account_closed",
                        failure_message="The bank account has been closed.",
                        failure_balance_transaction=back["id"])  # fmt: skip
            desk.save(account, made)
            desk.emit(account, "payout.failed", made)
            return
        made["reconciliation_status"] = "completed"
        desk.save(account, made)
        desk.emit(account, "payout.reconciliation_completed", made)

"""What Stripe retries itself: invoices with `auto_advance`, a few days apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinko_pipelines.sandbox.rhythms import DAY, HOUR
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe.codes import NEVER
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, Desk

if TYPE_CHECKING:
    from tinko_pipelines.sandbox.stripe.invoices import Invoices

# days after the failure before; then Stripe gives up and leaves the invoice open
SMART_RETRY_DAYS = (3, 5, 7)


class SmartRetries:
    """Plans the next attempt after a failure and makes it when it is due."""

    def __init__(self, desk: Desk, invoices: Invoices) -> None:
        self._desk, self._invoices = desk, invoices
        desk.engine.on("stripe.retry_invoice", self._retry)

    def plan(self, account: Doc, made: Doc, country: str) -> None:
        """Set `next_payment_attempt` by the count of attempts; null when there are no more."""
        desk, step = self._desk, made["attempt_count"] - 1
        # Stripe does not retry cards issued in India by itself
        if country == "IN" or not 0 <= step < len(SMART_RETRY_DAYS):
            made["next_payment_attempt"] = None
            return
        hours = desk.engine.draws.between(-6, 6, made["id"], "smart retry", step)
        when = desk.now + SMART_RETRY_DAYS[step] * DAY + hours * HOUR
        made["next_payment_attempt"] = when
        desk.engine.at(when, "stripe.retry_invoice", account=account["id"], invoice=made["id"])

    def _retry(self, args: dict[str, Any]) -> None:
        desk, invoices = self._desk, self._invoices
        account = desk.engine.store.get("account", args["account"])
        made = desk.find(account, args["invoice"]) if account else None
        if account is None or made is None or made["status"] != "open":
            return
        intent = invoices.intent_of(account, made)
        method = desk.find(account, invoices.default_method(account, made))
        last = (intent or {}).get("last_payment_error") or {}
        if method is None:
            return
        if last.get("advice_code") == NEVER and last["payment_method"]["id"] == method["id"]:
            # after a hard decline the count rises and nothing is charged
            made["attempt_count"] += 1
            self.plan(account, made, method["card"]["country"])
            desk.save(account, made)
            return
        invoices.attempt(account, made, method, actor="psp", cause=AUTOMATIC)

"""What the merchants do by themselves: the first attempt of every debt, by its kind.

The kinds and what follows a failure:
- `recurring_order`: an order and a debit of the stored token, with a notification but for
  e-mandates, whose bank tells its customer of the first debit. No retry.
- `upi_order`: an order without one, on UPI; Razorpay retries three times. Payers without a UPI
  mandate get a `recurring_order` instead.
- `subscription_cycle`: Razorpay charges and retries, then halts.
- `checkout`: a plain order the payer pays on a page; nothing is stored.
"""

from __future__ import annotations

from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.mandates import Mandates
from tinko_pipelines.sandbox.razorpay.orders import Orders
from tinko_pipelines.sandbox.razorpay.subscriptions import Subscriptions
from tinko_pipelines.sandbox.store import Doc

KINDS = {"recurring_order": 0.44, "upi_order": 0.22, "subscription_cycle": 0.18, "checkout": 0.16}


class Merchant:
    """Starts debts at their due instant."""

    def __init__(
        self, bank: Bank, mandates: Mandates, orders: Orders, subscriptions: Subscriptions
    ) -> None:
        self._bank, self._engine = bank, bank.engine
        self._mandates, self._orders, self._subscriptions = mandates, orders, subscriptions

    def start(self, debt: Doc) -> None:
        """The first attempt of a debt of the world. Raises KeyError for an unknown payer."""
        account = self._bank.need("account", debt["account"])
        payer = self._engine.payers.get(debt["payer"])
        if payer is None:
            raise KeyError(debt["payer"])
        kind = self._bank.kind_of(debt)
        if kind == "subscription_cycle":
            self._subscriptions.start_cycle(account, debt, payer)
            return
        token = None if kind == "checkout" else self._mandates.token(account, payer, debt)
        holder = self._mandates.customer(account, payer)
        told = token if kind == "recurring_order" and token["method"] != "emandate" else None
        order = self._orders.make(
            account, debt["amount"], debt["currency"], parent=debt["id"], payer=payer.id,
            debt=debt["id"], notify=told,
            receipt=f"rcpt_{debt['id'].removeprefix('debt_')}", notes={"plan": "monthly"},
            customer_id=holder["id"],
        )  # fmt: skip
        if token is None:
            url = f"{self._engine.base_url}/hosted/razorpay/checkout/{order['id']}"
            self._engine.at(self._engine.now, "payer.hosted", payer=payer.id, url=url)
        else:
            self._orders.debit(account, order, token, actor="merchant", description="Monthly plan")

"""What merchants and their payers do by themselves: the first attempt of every debt."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import Payer
from tinko_pipelines.sandbox.rhythms import DAY, HOUR
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, Cause, Desk
from tinko_pipelines.sandbox.stripe.intents import Intents
from tinko_pipelines.sandbox.stripe.invoices import Invoices
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.payments import Payments
from tinko_pipelines.sandbox.stripe.sessions import Sessions

# kinds of debt: an invoice we may retry, a bare off-session PaymentIntent, a payer in front of a
# Checkout Session or a PaymentIntent, and an invoice Stripe retries itself
KINDS = {
    "invoice": 0.40, "intent": 0.20, "present_session": 0.10, "present_intent": 0.10,
    "auto_invoice": 0.20,
}  # fmt: skip
# share of payers who pay Stripe's own hosted invoice after its e-mail about a failure
_PAYS_AFTER_STRIPES_MAIL = 0.15


class Merchant:
    """Starts debts. Its API calls carry keys of its own, as a real integration's do."""

    def __init__(
        self, desk: Desk, methods: Methods, intents: Intents, invoices: Invoices,
        sessions: Sessions, payments: Payments,
    ) -> None:  # fmt: skip
        self._desk, self._methods, self._intents = desk, methods, intents
        self._invoices, self._sessions, self._payments = invoices, sessions, payments
        payments.on_failure.append(self._stripes_mail)

    def start(self, debt: Doc) -> None:
        """The first attempt of a debt, by its kind."""
        account = self._desk.engine.store.get("account", debt["account"])
        payer = self._desk.engine.payers.get(debt["payer"])
        if account is None or payer is None:
            raise KeyError(debt["id"])
        guest = debt["kind"].startswith("present")
        customer = self._methods.customer(account, payer, guest)
        cause = self._desk.request(account, f"merchant-{debt['id']}")
        getattr(self, f"_{debt['kind']}")(account, debt, payer, customer, cause)

    def _facts(self, debt: Doc) -> dict[str, Any]:
        return {"order_id": f"order-{debt['id'].removeprefix('debt_')}"}

    def _invoice(
        self, account: Doc, debt: Doc, payer: Payer, customer: Doc, cause: Cause, auto: bool = False
    ) -> None:
        made = self._invoices.draft(
            account, customer, debt["amount"], debt["currency"].lower(), auto_advance=auto,
            metadata=self._facts(debt), description="Monthly plan",
            billing_reason="subscription_cycle" if auto else "manual",
        )  # fmt: skip
        self._invoices.finalize(account, made, cause, debt["id"])
        method = self._methods.of_payer(account, payer, 0, customer)
        self._invoices.attempt(account, made, method, actor="merchant",
                               cause=AUTOMATIC if auto else cause)  # fmt: skip

    def _auto_invoice(
        self, account: Doc, debt: Doc, payer: Payer, customer: Doc, cause: Cause
    ) -> None:
        self._invoice(account, debt, payer, customer, AUTOMATIC, auto=True)

    def _intent(self, account: Doc, debt: Doc, payer: Payer, customer: Doc, cause: Cause) -> None:
        method = self._methods.of_payer(account, payer, 0, customer)
        made = self._intents.make(
            account, debt["amount"], debt["currency"], parent=debt["id"], debt=debt["id"],
            cause=cause, customer=customer["id"], metadata=self._facts(debt),
            description="Monthly plan", payment_method=method["id"],
        )  # fmt: skip
        self._payments.charge(account, made, method, present=False, actor="merchant", cause=cause)

    def _present_session(
        self, account: Doc, debt: Doc, payer: Payer, customer: Doc, cause: Cause
    ) -> None:
        desk = self._desk
        made = self._sessions.open(
            account, debt["amount"], debt["currency"].lower(), parent=debt["id"],
            customer=customer["id"], metadata=self._facts(debt),
            success_url="https://shop.example.com/thanks",
            cancel_url="https://shop.example.com/cart",
        )  # fmt: skip
        desk.tie(made["id"], debt=debt["id"])
        desk.engine.store.put(
            "stripe.session_plan",
            {"id": made["id"], "metadata": self._facts(debt), "description": "Order"},
        )
        desk.engine.at(desk.now, "payer.hosted", payer=payer.id, url=made["url"])

    def _present_intent(
        self, account: Doc, debt: Doc, payer: Payer, customer: Doc, cause: Cause
    ) -> None:
        desk = self._desk
        made = self._intents.make(
            account, debt["amount"], debt["currency"], parent=debt["id"], debt=debt["id"],
            cause=cause, customer=customer["id"], metadata=self._facts(debt), description="Order",
            automatic_payment_methods={"allow_redirects": "always", "enabled": True},
        )  # fmt: skip
        url = desk.url(f"/hosted/stripe/pi/{made['id']}", client_secret=made["client_secret"])
        desk.engine.at(desk.now, "payer.hosted", payer=payer.id, url=url)

    def _stripes_mail(self, account: Doc, intent: Doc, charge: Doc, cause: Cause) -> None:
        """Stripe writes to the payer about its own retries; some of them pay at once."""
        desk = self._desk
        made = desk.find(account, desk.tied(intent["id"], "invoice"))
        payer = desk.engine.payers.get(desk.payer_of(intent["customer"]))
        if made is None or payer is None or not made["auto_advance"] or cause.request:
            return
        draws = desk.engine.draws
        if draws.chance(_PAYS_AFTER_STRIPES_MAIL, charge["id"], "heeds Stripe"):
            wait = 600 + int(draws.exponential(payer.delay * HOUR, charge["id"], "pays after"))
            desk.engine.at(desk.now + min(wait, 3 * DAY), "payer.hosted", payer=payer.id,
                           url=made["hosted_invoice_url"])  # fmt: skip

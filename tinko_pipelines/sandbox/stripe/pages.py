"""Stripe's hosted pages: an invoice's, a Checkout Session's, and a PaymentIntent's own."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tinko_pipelines.core.money import Money
from tinko_pipelines.sandbox import hosted
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe.desk import AUTOMATIC, KINDS, Desk
from tinko_pipelines.sandbox.stripe.invoices import Invoices
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.payments import Payments
from tinko_pipelines.sandbox.stripe.sessions import Sessions

_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_SAID = {
    "paid": "This has been paid. Thank you.",
    "void": "This invoice is void: there is nothing to pay.",
    "uncollectible": "This invoice is closed.",
    "draft": "This invoice is not open yet.",
    "complete": "This has been paid. Thank you.",
    "expired": "This page has expired.",
    "succeeded": "This has been paid. Thank you.",
    "canceled": "This payment was cancelled.",
}
_DONE = ("paid", "complete", "succeeded")


class Pages:
    """GET shows a door, POST pays through it; the payer is the actor."""

    def __init__(
        self, desk: Desk, methods: Methods, payments: Payments, invoices: Invoices,
        sessions: Sessions,
    ) -> None:  # fmt: skip
        self._desk, self._methods, self._payments = desk, methods, payments
        self._invoices, self._sessions = invoices, sessions

    def routes(self) -> list[Route]:
        table = {
            "/hosted/stripe/invoice/{id}": self._invoice,
            "/hosted/stripe/session/{id}": self._session,
            "/hosted/stripe/pi/{id}": self._intent,
        }
        return [
            Route(path, self._committed(handler), methods=["GET", "POST"])
            for path, handler in table.items()
        ]

    def _committed(
        self, handler: Callable[[Request, str], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            form = await request.form() if request.method == "POST" else {}
            answer = handler(request, str(form.get("card", "")))
            self._desk.engine.store.commit()
            return answer

        return endpoint

    def _door(self, request: Request, prefix: str) -> tuple[Doc, Doc] | None:
        kind, id_ = f"stripe.{KINDS[prefix][0]}", request.path_params["id"]
        store = self._desk.engine.store
        found = store.get(kind, id_)
        account = store.get("account", store.owner(kind, id_)) if found else None
        return (account, found) if account is not None and found is not None else None

    def _invoice(self, request: Request, card: str) -> Response:
        door = self._door(request, "in")
        if door is None or not _same(
            request.query_params.get("s"), self._desk.tied(door[1]["id"], "secret")
        ):
            return _missing()
        account, bill = door
        money = Money(bill["amount_due"], bill["currency"].upper())
        about = f"Invoice {bill['number']}"
        intent = self._invoices.intent_of(account, bill)
        state = bill["status"] if bill["status"] != "open" else None
        if state is None and (intent is None or intent["status"] not in _PAYABLE):
            state = (intent or {}).get("status", "void")

        def pay(method: Doc) -> Doc:
            return self._invoices.attempt(
                account, bill, method, actor="payer", cause=AUTOMATIC, present=True
            )

        return self._serve(request, account, bill["customer"], money, about, state, card, pay)

    def _session(self, request: Request, card: str) -> Response:
        door = self._door(request, "cs")
        if door is None:
            return _missing()
        account, session = door
        money = Money(session["amount_total"], session["currency"].upper())
        state = None if session["status"] == "open" else session["status"]

        def pay(method: Doc) -> Doc:
            intent = self._sessions.intent(account, session)
            return self._payments.charge(
                account, intent, method, present=True, actor="payer", cause=AUTOMATIC
            )

        return self._serve(request, account, session["customer"], money, "Checkout", state, card,
                           pay, session["customer_email"], session["success_url"])  # fmt: skip

    def _intent(self, request: Request, card: str) -> Response:
        door = self._door(request, "pi")
        if door is None or not _same(
            request.query_params.get("client_secret"), door[1]["client_secret"]
        ):
            return _missing()
        account, intent = door
        money = Money(intent["amount"], intent["currency"].upper())
        state = None if intent["status"] in _PAYABLE else intent["status"]

        def pay(method: Doc) -> Doc:
            return self._payments.charge(
                account, intent, method, present=True, actor="payer", cause=AUTOMATIC
            )

        about = intent["description"] or "Payment"
        back = request.query_params.get("return_url")
        return self._serve(request, account, intent["customer"], money, about, state, card, pay,
                           intent["receipt_email"], back)  # fmt: skip

    def _serve(
        self, request: Request, account: Doc, customer_id: str | None,
        money: Money, about: str, state: str | None, card: str, pay: Callable[[Doc], Doc],
        email: str | None = None, success_url: str | None = None,
    ) -> Response:  # fmt: skip
        merchant = "Sandbox merchant"
        if state is not None:
            kind = "done" if state in _DONE else "closed"
            note = _SAID.get(state, state)
            return hosted.page(brand="stripe", merchant=merchant, money=money, about=about,
                               note=note, state=kind, outcome="closed")  # fmt: skip
        query = request.url.query
        action = f"{request.url.path}?{query}" if query else request.url.path
        saved = self._saved(account, customer_id)
        if request.method == "GET":
            return hosted.page(brand="stripe", merchant=merchant, money=money, about=about,
                               saved=saved, action=action)  # fmt: skip
        charge = pay(self._chosen(account, customer_id, email, card))
        if charge["status"] == "failed":
            return hosted.page(brand="stripe", merchant=merchant, money=money, about=about,
                               note=charge["failure_message"], saved=saved, action=action,
                               outcome="failed")  # fmt: skip
        if success_url and success_url.startswith(("http://", "https://")):
            return hosted.gone_to(success_url, "succeeded")
        return hosted.page(brand="stripe", merchant=merchant, money=money, about=about,
                           note=_SAID["paid"], state="done", outcome="succeeded")  # fmt: skip

    def _saved(self, account: Doc, customer_id: str | None) -> str | None:
        customer = self._desk.find(account, customer_id) or {}
        default = (customer.get("invoice_settings") or {}).get("default_payment_method")
        method = self._desk.find(account, default)
        if method is None:
            return None
        card = method["card"]
        return f"{card['brand'].title()} •••• {card['last4']}"

    def _chosen(self, account: Doc, customer_id: str | None, email: str | None, card: str) -> Doc:
        """The payment method the payer pays with: of the world's payer, or a test card."""
        desk = self._desk
        payer = desk.engine.payers.get(desk.payer_of(customer_id, email))
        customer = desk.find(account, customer_id)
        if payer is not None:
            number = 1 if card == "new" else 0
            return self._methods.of_payer(account, payer, number, customer)
        default = ((customer or {}).get("invoice_settings") or {}).get("default_payment_method")
        kept = desk.find(account, default) if card == "saved" else None
        return kept or self._methods.of_test_card(account, "visa", customer_id or account["id"])


def _same(given: str | None, kept: str | None) -> bool:
    return bool(given and kept and hmac.compare_digest(given, kept))


def _missing() -> Response:
    return hosted.page(brand="stripe", merchant="Stripe", money=Money(0, "USD"),
                       about="There is no such page.", state="closed", status=404)  # fmt: skip

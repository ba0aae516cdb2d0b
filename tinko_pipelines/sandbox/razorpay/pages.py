"""Razorpay's own pages: Checkout on an order, a Payment Link's, a subscription's, an invoice's."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tinko_pipelines.core.money import Money
from tinko_pipelines.sandbox import hosted
from tinko_pipelines.sandbox.agent import OUTCOME_HEADER
from tinko_pipelines.sandbox.payers import Instrument, Payer
from tinko_pipelines.sandbox.razorpay import bank as b
from tinko_pipelines.sandbox.razorpay.bank import Bank, fixed_instrument
from tinko_pipelines.sandbox.razorpay.links import Links
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.store import Doc

Fields = Mapping[str, str]
_CLOSED = {"cancelled": "This link was cancelled.", "expired": "This link has expired."}


@dataclass(frozen=True, slots=True)
class Door:
    """What a page collects: the order behind it (made by `order` when it is needed)."""

    account: Doc
    amount: int
    currency: str
    about: str
    payer: Payer | None
    order: Callable[[], Doc]
    state: str  # open, paid, or why it is closed
    link: Doc | None = None


class Pages:
    """GET shows a door, POST with `card=saved|new` pays through it; the payer is the actor."""

    def __init__(self, bank: Bank, links: Links, payments: Payments) -> None:
        self._bank, self._links, self._payments = bank, links, payments

    def routes(self) -> list[Route]:
        doors: dict[str, Callable[[str], Door | None]] = {
            "checkout": self._order, "l": self._link, "s": self._subscription, "i": self._invoice,
        }  # fmt: skip
        pages = [
            Route(f"/hosted/razorpay/{name}/{{id}}", self._endpoint(find), methods=["GET", "POST"])
            for name, find in doors.items()
        ]
        return [Route("/razorpay/v1/checkout/embedded", self._embedded, methods=["POST"]), *pages]

    # --- the doors ---------------------------------------------------------------------------

    def _payer(self, object_id: str) -> Payer | None:
        ledger = self._bank.engine.ledger
        tied = ledger.tied(object_id, "payer")
        debt = ledger.tied(object_id, "debt")
        known = tied or (ledger.debt(debt)["payer"] if debt else "")
        return self._bank.engine.payers.get(known)

    def _order(self, id_: str) -> Door | None:
        order = self._bank.get(b.ORDER, id_)
        if order is None:
            return None
        state = "paid" if order["status"] == "paid" else "open"
        account = self._bank.account_of(b.ORDER, id_)
        return Door(account, order["amount"], order["currency"], order["receipt"] or "Checkout",
                    self._payer(id_), lambda: order, state)  # fmt: skip

    def _link(self, id_: str) -> Door | None:
        link = self._bank.get(b.LINK, id_)
        if link is None:
            return None
        account = self._bank.account_of(b.LINK, id_)
        state = "open" if link["status"] == "created" else link["status"]
        return Door(account, link["amount"], link["currency"], link["description"] or "Payment",
                    self._links.payer_of(link), lambda: self._links.order_of(account, link),
                    state, link)  # fmt: skip

    def _subscription(self, id_: str) -> Door | None:
        sub = self._bank.get(b.SUBSCRIPTION, id_)
        return self._invoice(sub["_invoice"]) if sub else None

    def _invoice(self, id_: str) -> Door | None:
        invoice = self._bank.get(b.INVOICE, id_)
        return self._order(invoice["order_id"]) if invoice else None

    # --- showing and paying ------------------------------------------------------------------

    def _endpoint(
        self, find: Callable[[str], Door | None]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            fields = await _fields(request)
            door = find(request.path_params["id"])
            if door is None:
                return HTMLResponse("<h1>There is no such page</h1>", status_code=404)
            paying = request.method == "POST" and fields.get("card") in ("saved", "new")
            if paying and door.state == "open":
                answer = self._pay(request.url.path, door, fields)
            else:
                answer = self._show(request.url.path, door, fields)
            self._bank.engine.store.commit()
            return answer

        return endpoint

    async def _embedded(self, request: Request) -> Response:
        """Embedded Checkout: a form posted by the payer's browser with `key_id` and `order_id`."""
        fields = await _fields(request)
        order_id = fields.get("order_id", "")
        door = self._order(order_id)
        if door is None or fields.get("key_id") != door.account["key_id"]:
            return HTMLResponse("<h1>This checkout cannot be opened</h1>", status_code=400)
        kept = {name: fields[name] for name in ("callback_url", "cancel_url") if name in fields}
        about = fields.get("description") or fields.get("name") or ""
        return self._show(f"/hosted/razorpay/checkout/{order_id}", door, kept, about)

    def _show(
        self, path: str, door: Door, fields: Fields, about: str = "", note: str = ""
    ) -> Response:
        closed, outcome = door.state != "open", "failed" if note else None
        if closed:
            paid = door.state == "paid"
            note = "This has been paid. Thank you." if paid else _CLOSED.get(door.state, "Closed.")
            outcome = "closed"
        kept = {name: fields[name] for name in ("callback_url", "cancel_url") if fields.get(name)}
        return hosted.page(
            brand="Razorpay sandbox", merchant=f"Merchant {door.account['account_id']}",
            money=Money(door.amount, door.currency), about=about or door.about, note=note,
            state=("done" if door.state == "paid" else "closed") if closed else "open",
            action=f"{self._bank.engine.base_url}{path}", fields=kept,
            saved=_label(door.payer.instruments[0]) if door.payer else None, outcome=outcome,
        )  # fmt: skip

    def _pay(self, path: str, door: Door, fields: Fields) -> Response:
        order = door.order()
        instrument = self._instrument(door.payer, order, fields["card"])
        payment = self._payments.pay_present(door.account, order, instrument, door.payer,
                                             description=_shown_as(order))  # fmt: skip
        if payment["status"] == "failed":
            return self._show(path, door, fields, note=str(payment["error_description"]))
        link = door.link
        if link is not None and link["callback_url"]:
            told = self._links.callback(door.account, link, payment)
            glue = "&" if "?" in link["callback_url"] else "?"
            return hosted.gone_to(link["callback_url"] + glue + urlencode(told), "succeeded")
        if fields.get("callback_url"):
            return _post_to(fields["callback_url"], _signed(door.account, order, payment))
        return hosted.page(
            brand="Razorpay sandbox", merchant=f"Merchant {door.account['account_id']}",
            money=Money(door.amount, door.currency), about=door.about, state="done",
            note="Paid. Thank you.", outcome="succeeded",
        )  # fmt: skip

    def _instrument(self, payer: Payer | None, order: Doc, card: str) -> Instrument:
        """The payer's stored instrument, or another; without one, a card that always works."""
        if payer is not None and (card == "saved" or len(payer.instruments) > 1):
            return payer.instruments[0 if card == "saved" else 1]
        return fixed_instrument(f"ins_new_{order['id']}", "card", "")


def _label(instrument: Instrument) -> str:
    if instrument.method == "card":
        return f"{instrument.network.title()} •••• {instrument.last4}"
    return "UPI" if instrument.method == "upi" else f"{instrument.issuer} netbanking"


def _shown_as(order: Doc) -> str | None:
    """How a payment made on a page describes itself: links by their id without its prefix."""
    if order["_link"]:
        return f"#{order['_link'].removeprefix('plink_')}"
    return f"Invoice #{order['_invoice']}" if order["_invoice"] else None


async def _fields(request: Request) -> dict[str, str]:
    if request.method != "POST":
        return dict(request.query_params)
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _signed(account: Doc, order: Doc, payment: Doc) -> dict[str, str]:
    """What Checkout hands to the shop; `verify_payment_signature` of the SDK accepts it."""
    said = f"{order['id']}|{payment['id']}".encode()
    return {
        "razorpay_payment_id": payment["id"], "razorpay_order_id": order["id"],
        "razorpay_signature": hmac.new(account["key_secret"].encode(), said, "sha256").hexdigest(),
    }  # fmt: skip


def _post_to(url: str, fields: Fields) -> Response:
    """Checkout posts its result to the callback URL from the payer's browser."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    body = (
        f'<!doctype html><html lang="en"><title>Paid</title><form id="return" method="post" '
        f'action="{escape(url)}">{hidden}<button>Back to the shop</button></form>'
        f"<script>document.getElementById('return').submit()</script></html>"
    )
    return HTMLResponse(body, headers={OUTCOME_HEADER: "succeeded"})

"""The Razorpay surface: its parts put together, as `surfaces.Surface` asks."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.routing import BaseRoute, Route

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.payers import Outcome
from tinko_pipelines.sandbox.razorpay.bank import Bank
from tinko_pipelines.sandbox.razorpay.disputes import Disputes
from tinko_pipelines.sandbox.razorpay.gateway import Gateway, missing
from tinko_pipelines.sandbox.razorpay.links import Links
from tinko_pipelines.sandbox.razorpay.mandates import Mandates
from tinko_pipelines.sandbox.razorpay.merchant import KINDS, Merchant
from tinko_pipelines.sandbox.razorpay.orders import Orders
from tinko_pipelines.sandbox.razorpay.pages import Pages
from tinko_pipelines.sandbox.razorpay.payments import Payments
from tinko_pipelines.sandbox.razorpay.reads import Reads
from tinko_pipelines.sandbox.razorpay.refunds import Refunds
from tinko_pipelines.sandbox.razorpay.settlements import Settlements
from tinko_pipelines.sandbox.razorpay.subscriptions import Subscriptions
from tinko_pipelines.sandbox.razorpay.writes import Writes
from tinko_pipelines.sandbox.store import Doc

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class RazorpaySurface:
    """Razorpay as the engine sees it."""

    psp = "razorpay"
    kinds = KINDS

    def __init__(self, engine: Engine) -> None:
        self._engine, self._gateway = engine, Gateway(engine)
        self._bank = bank = Bank(engine)
        mandates, settlements = Mandates(bank), Settlements(bank)
        refunds = Refunds(bank, settlements)
        payments = Payments(bank, settlements, refunds)
        orders = Orders(bank, mandates, payments)
        links = Links(bank, orders, payments)
        Disputes(bank, payments, settlements)
        subscriptions = Subscriptions(bank, mandates, orders, payments)
        self._merchant = Merchant(bank, mandates, orders, subscriptions)
        self._reads = Reads(bank, settlements)
        self._writes = Writes(bank, self._reads, mandates, orders, payments, links, refunds)
        self._pages = Pages(bank, links, payments)

    def routes(self) -> list[BaseRoute]:
        table = [*self._writes.routes(), *self._reads.routes()]
        calls = [
            Route(f"/razorpay/v1/{path}", self._gateway.endpoint(work, charge), methods=[method])
            for method, path, work, charge in table
        ]
        rest = Route("/razorpay/{path:path}", self._gateway.endpoint(missing, False),
                     methods=_METHODS)  # fmt: skip
        return [*self._pages.routes(), *calls, rest]

    def credentials(self, account: Doc) -> dict[str, Any]:
        key = self._engine.key
        return {
            "key_id": f"rzp_test_{key('key id', account['id'], length=14)}",
            "key_secret": key("key secret", account["id"], length=24),
            "webhook_secret": key("webhook", account["id"], length=40),
        }

    def start_debt(self, debt: Doc) -> None:
        self._merchant.start(debt)

    def sign(self, account: Doc, event_id: str, body: bytes) -> dict[str, str]:
        """HMAC over the raw body alone; the event's id travels unsigned beside it."""
        secret = account["webhook_secret"].encode()
        return {"x-razorpay-signature": hmac.new(secret, body, "sha256").hexdigest(),
                "x-razorpay-event-id": event_id,
                "user-agent": "Razorpay-Webhook/v1"}  # fmt: skip

    def stored_outcome(self, debt: Doc, at: int) -> Outcome:
        """What a debit of the debt's stored instrument at `at` would come to. Pure."""
        instrument = self._engine.payers.instrument(debt["instrument"])
        return self._bank.stored_outcome(debt["id"], instrument, debt["amount"], at)


def make_surface(engine: Engine) -> RazorpaySurface:
    """The Razorpay surface of an engine."""
    return RazorpaySurface(engine)

"""The Stripe-shaped PSP: the official SDK drives it unchanged."""

from __future__ import annotations

import hmac
import time
from typing import Any

from starlette.routing import BaseRoute, Route

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe.api import Api
from tinko_pipelines.sandbox.stripe.desk import Desk
from tinko_pipelines.sandbox.stripe.dispatch import Dispatch
from tinko_pipelines.sandbox.stripe.intents import Intents
from tinko_pipelines.sandbox.stripe.invoices import Invoices
from tinko_pipelines.sandbox.stripe.merchant import KINDS, Merchant
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.pages import Pages
from tinko_pipelines.sandbox.stripe.payments import Payments
from tinko_pipelines.sandbox.stripe.refunds import Disputes, Refunds
from tinko_pipelines.sandbox.stripe.sessions import Sessions
from tinko_pipelines.sandbox.stripe.settlement import Settlement


class StripeSurface:
    """Stripe as the engine sees it (`surfaces.Surface`)."""

    psp = "stripe"
    kinds = KINDS

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        desk = Desk(engine)
        methods, settlement = Methods(desk), Settlement(desk)
        payments = Payments(desk, methods, settlement)
        intents = Intents(desk, methods, payments)
        invoices = Invoices(desk, methods, intents, payments)
        sessions = Sessions(desk, intents, payments)
        Disputes(desk, settlement, payments)
        self._merchant = Merchant(desk, methods, intents, invoices, sessions, payments)
        api = Api(desk, methods, intents, invoices, sessions, Refunds(desk, settlement))
        self._dispatch = Dispatch(desk, api)
        self._pages = Pages(desk, methods, payments, invoices, sessions)

    def routes(self) -> list[BaseRoute]:
        methods = ["GET", "POST", "DELETE"]
        api = Route("/stripe/v1/{path:path}", self._dispatch.__call__, methods=methods)
        return [api, *self._pages.routes()]

    def credentials(self, account: Doc) -> dict[str, Any]:
        return {
            "secret_key": f"sk_test_{self._engine.key('key', account['id'], length=48)}",
            "webhook_secret": f"whsec_{self._engine.key('webhook', account['id'], length=40)}",
        }

    def start_debt(self, debt: Doc) -> None:
        self._merchant.start(debt)

    def sign(self, account: Doc, event_id: str, body: bytes) -> dict[str, str]:
        """`Stripe-Signature` over the wall clock's second: `construct_event` looks at the wall."""
        stamp = int(time.time())
        signed = hmac.new(
            account["webhook_secret"].encode(), f"{stamp}.".encode() + body, "sha256"
        ).hexdigest()
        return {"Stripe-Signature": f"t={stamp},v1={signed}",
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}  # fmt: skip


def make_surface(engine: Engine) -> StripeSurface:
    """The Stripe surface of an engine."""
    return StripeSurface(engine)

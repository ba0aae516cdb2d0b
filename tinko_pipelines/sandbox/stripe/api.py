"""Which URL does what: Stripe's endpoints as one table of patterns and handlers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import listing
from tinko_pipelines.sandbox.stripe.desk import Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import StripeError, no_such
from tinko_pipelines.sandbox.stripe.forms import flag, rows
from tinko_pipelines.sandbox.stripe.intents import Intents
from tinko_pipelines.sandbox.stripe.invoices import Invoices
from tinko_pipelines.sandbox.stripe.methods import Methods
from tinko_pipelines.sandbox.stripe.refunds import Refunds
from tinko_pipelines.sandbox.stripe.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: its account, parameters, ids of the path, and cause."""

    account: Doc
    params: dict[str, Any]
    ids: tuple[str, ...]
    cause: Cause

    @property
    def id(self) -> str:
        return self.ids[0]


Handler = Callable[[Call], Doc]


@dataclass(frozen=True, slots=True)
class Endpoint:
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    charges: bool  # whether it may move money, so that the `_charge` faults strike it


class Api:
    """The endpoints of the Stripe surface."""

    def __init__(
        self, desk: Desk, methods: Methods, intents: Intents, invoices: Invoices,
        sessions: Sessions, refunds: Refunds,
    ) -> None:  # fmt: skip
        self._desk, self._methods, self._intents = desk, methods, intents
        self._invoices, self._sessions, self._refunds = invoices, sessions, refunds
        self.endpoints = [
            Endpoint(method, re.compile(f"^{path.replace('*', '([^/]+)')}$"), handler, charges)
            for method, path, handler, charges in self._table()
        ]

    def _table(self) -> list[tuple[str, str, Handler, bool]]:
        m, i, v, s = self._methods, self._intents, self._invoices, self._sessions
        pi, inv, cs = self._one("pi"), self._one("in"), self._one("cs")
        plain: list[tuple[str, str, Handler]] = [
            ("GET", "account", self._account),
            ("POST", "customers", lambda c: m.create_customer(c.account, c.params)),
            ("GET", "customers", self._list("customer", "email")),
            ("GET", "customers/*", self._get("cus")),
            ("POST", "customers/*",
             lambda c: m.update_customer(c.account, self._one("cus")(c), c.params)),
            ("GET", "customers/*/payment_methods", self._customer_methods),
            ("POST", "payment_methods", lambda c: m.create(c.account, c.params)),
            ("GET", "payment_methods", self._list("payment_method", "customer", "type")),
            ("GET", "payment_methods/*", self._get("pm")),
            ("POST", "payment_methods/*/attach",
             lambda c: m.attach(c.account, c.id, c.params.get("customer", ""))),
            ("POST", "payment_methods/*/detach", lambda c: m.detach(c.account, c.id)),
            ("GET", "payment_intents", self._list("payment_intent", "customer")),
            ("GET", "payment_intents/*", self._get("pi")),
            ("POST", "payment_intents/*", lambda c: i.update(c.account, pi(c), c.params)),
            ("POST", "payment_intents/*/cancel",
             lambda c: i.cancel(c.account, pi(c), c.params, c.cause)),
            ("GET", "charges", self._charges),
            ("GET", "charges/*", self._get("ch")),
            ("POST", "invoiceitems", lambda c: v.create_item(c.account, c.params)),
            ("POST", "invoices", lambda c: v.create(c.account, c.params, c.cause)),
            ("GET", "invoices", self._list("invoice", "customer", "status")),
            ("GET", "invoices/*", self._get("in")),
            ("POST", "invoices/*", lambda c: v.update(c.account, inv(c), c.params)),
            ("POST", "invoices/*/finalize", lambda c: v.finalize(c.account, inv(c), c.cause)),
            ("POST", "invoices/*/void", lambda c: v.void(c.account, inv(c), c.cause)),
            ("POST", "invoices/*/mark_uncollectible",
             lambda c: v.mark_uncollectible(c.account, inv(c), c.cause)),
            ("GET", "invoice_payments", self._invoice_payments),
            ("GET", "invoice_payments/*", self._get("inpay")),
            ("POST", "checkout/sessions", lambda c: s.create(c.account, c.params)),
            ("GET", "checkout/sessions",
             self._list("session", "payment_intent", "customer", "status")),
            ("GET", "checkout/sessions/*", self._get("cs")),
            ("POST", "checkout/sessions/*/expire",
             lambda c: s.expire(c.account, cs(c), c.cause)),
            ("GET", "refunds", self._list("refund", "charge", "payment_intent")),
            ("GET", "refunds/*", self._get("re")),
            ("GET", "disputes", self._list("dispute", "charge", "payment_intent")),
            ("GET", "disputes/*", self._get("dp")),
            ("GET", "balance_transactions", self._balance_transactions),
            ("GET", "balance_transactions/*", self._get("txn")),
            ("GET", "payouts", self._list("payout", "status")),
            ("GET", "payouts/*", self._get("po")),
            ("GET", "events", self._events),
            ("GET", "events/*", self._event),
            ("GET", "webhook_endpoints", self._endpoints),
            ("POST", "webhook_endpoints", self._set_endpoint),
        ]  # fmt: skip
        charging: list[tuple[str, str, Handler]] = [
            ("POST", "payment_intents", lambda c: i.create(c.account, c.params, c.cause)),
            ("POST", "payment_intents/*/confirm",
             lambda c: i.confirm(c.account, pi(c), c.params, c.cause)),
            ("POST", "payment_intents/*/capture",
             lambda c: i.capture(c.account, pi(c), c.params, c.cause)),
            ("POST", "invoices/*/pay", lambda c: v.pay(c.account, inv(c), c.params, c.cause)),
            ("POST", "refunds", lambda c: self._refunds.create(c.account, c.params, c.cause)),
        ]  # fmt: skip
        return [(*row, False) for row in plain] + [(*row, True) for row in charging]

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
        """The endpoint of a request. Raises StripeError 404 for a URL nobody knows."""
        for endpoint in self.endpoints:
            if endpoint.method == method and (match := endpoint.pattern.match(path)):
                return endpoint, match.groups()
        raise StripeError(404, "invalid_request_error",
                          f"Unrecognized request URL ({method}: /v1/{path}).")  # fmt: skip

    def answer(self, endpoint: Endpoint, call: Call) -> Doc:
        """Do what was asked; the answer with its expansions. Raises StripeError."""
        return listing.expanded(self._desk, call.account, endpoint.handler(call), call.params)

    def _one(self, prefix: str) -> Handler:
        return lambda call: self._desk.need(call.account, call.id, prefix)

    def _get(self, prefix: str) -> Handler:
        return self._one(prefix)

    def _list(self, kind: str, *filters: str) -> Handler:
        path = {"session": "checkout/sessions"}.get(kind, f"{kind}s")

        def handler(call: Call) -> Doc:
            wanted = {name: call.params[name] for name in filters if name in call.params}
            return listing.page(
                self._desk, call.account, kind, f"/v1/{path}", call.params,
                lambda doc: all(doc[name] == value for name, value in wanted.items()),
            )  # fmt: skip

        return handler

    def _charges(self, call: Call) -> Doc:
        intent = call.params.get("payment_intent")
        if not intent:
            return self._list("charge", "customer")(call)
        # an intent's charges are known by their ids: no walk through every charge there is
        found: list[Doc] = []
        number = 0
        while True:
            id_ = self._desk.engine.draws.object_id("ch_", intent, "charge", number)
            charge = self._desk.find(call.account, id_)
            if charge is None:
                break
            found.insert(0, charge)
            number += 1
        since, until = listing.created_span(call.params)
        kept = (c for c in found if (since or 0) <= c["created"] <= (until or c["created"]))
        return listing.cut(kept, "/v1/charges", call.params)

    def _customer_methods(self, call: Call) -> Doc:
        return listing.page(
            self._desk, call.account, "payment_method", f"/v1/customers/{call.id}/payment_methods",
            call.params, lambda doc: doc["customer"] == call.id,
        )  # fmt: skip

    def _invoice_payments(self, call: Call) -> Doc:
        payment = call.params.get("payment") or {}
        intent, bill = payment.get("payment_intent"), call.params.get("invoice")
        if intent is None and bill is None:
            return self._list("invoice_payment", "status")(call)
        owner = bill or self._desk.tied(intent, "invoice")
        row = self._desk.find(call.account, self._desk.tied(owner, "join"))
        fits = row is not None and intent in (None, row["payment"]["payment_intent"])
        if row is not None and call.params.get("status") not in (None, row["status"]):
            fits = False
        return listing.cut([row] if row and fits else [], "/v1/invoice_payments", call.params)

    def _balance_transactions(self, call: Call) -> Doc:
        payout = call.params.get("payout")
        if not payout:
            return self._list("balance_transaction", "type", "source", "currency")(call)
        self._desk.need(call.account, payout, "po", "payout")
        kept = self._desk.engine.store.get("stripe.payout_lines", payout)
        lines = [self._desk.find(call.account, id_) for id_ in reversed((kept or {})["lines"])]
        return listing.cut(
            (line for line in lines if line and call.params.get("type") in (None, line["type"])),
            "/v1/balance_transactions", call.params,
        )  # fmt: skip

    def _events(self, call: Call) -> Doc:
        types = set(rows(call.params, "types")) or {call.params.get("type")} - {None}
        found = listing.page(
            self._desk, call.account, "event", "/v1/events", call.params,
            lambda doc: not types or doc["type"] in types,
        )  # fmt: skip
        return {**found, "data": [orjson.loads(row["body"]) for row in found["data"]]}

    def _event(self, call: Call) -> Doc:
        row = self._desk.engine.store.get("event", call.id, call.account["id"])
        if row is None:
            raise no_such("event", call.id)
        body: Doc = orjson.loads(row["body"])
        return body

    def _account(self, call: Call) -> Doc:
        return {
            "id": call.account["account_id"], "object": "account", "business_type": "company",
            "business_profile": {"name": "Sandbox merchant", "url": None, "mcc": "5734"},
            "capabilities": {"card_payments": "active", "transfers": "active"},
            "charges_enabled": True, "controller": {"type": "account"}, "country": "US",
            "created": self._desk.engine.world.start, "default_currency": "usd",
            "details_submitted": True, "email": "merchant@example.com", "metadata": {},
            "payouts_enabled": True,
            "settings": {"dashboard": {"display_name": "Sandbox merchant", "timezone": "Etc/UTC"},
                         "payouts": {"schedule": {"delay_days": 2, "interval": "daily"}}},
            "type": "standard",
        }  # fmt: skip

    def _webhook(self, account: Doc, number: int, url: str, on: bool) -> Doc:
        id_ = self._desk.engine.draws.object_id("we_", account["id"], "webhook", number)
        status = "enabled" if on else "disabled"
        return {"id": id_, "object": "webhook_endpoint", "url": url, "status": status,
                "enabled_events": ["*"], "livemode": False, "metadata": {}, "api_version": None,
                "created": self._desk.engine.world.start}  # fmt: skip

    def _endpoints(self, call: Call) -> Doc:
        account, others = call.account, call.account.get("other_webhooks", ())
        own = [(account["url"], not account.get("webhook_off"))] if account["url"] else []
        known = [self._webhook(account, n, *one) for n, one in enumerate([*own, *others])]
        return listing.cut(known, "/v1/webhook_endpoints", call.params)

    def _set_endpoint(self, call: Call) -> Doc:
        call.account["url"] = call.params.get("url") or None
        self._desk.engine.store.put("account", call.account)
        made = self._webhook(call.account, 0, call.account["url"], on=True)
        flag(call.params, "connect")
        return {**made, "secret": call.account["webhook_secret"]}

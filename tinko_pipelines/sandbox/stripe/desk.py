"""What every part of the Stripe surface needs: objects, ids, events, and who is behind a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import shapes
from tinko_pipelines.sandbox.stripe.errors import no_such

# id prefix -> (kind in the store, Stripe's word for it)
KINDS: dict[str, tuple[str, str]] = {
    "ch": ("charge", "charge"),
    "pi": ("payment_intent", "payment_intent"),
    "pm": ("payment_method", "PaymentMethod"),
    "cus": ("customer", "customer"),
    "txn": ("balance_transaction", "balance transaction"),
    "in": ("invoice", "invoice"),
    "inpay": ("invoice_payment", "invoice_payment"),
    "re": ("refund", "refund"),
    "po": ("payout", "payout"),
    "dp": ("dispute", "dispute"),
    "cs": ("session", "checkout.session"),
}
_STORED = {object_: f"stripe.{kind}" for kind, object_ in (
    ("charge", "charge"), ("payment_intent", "payment_intent"), ("customer", "customer"),
    ("payment_method", "payment_method"), ("balance_transaction", "balance_transaction"),
    ("invoice", "invoice"), ("invoice_payment", "invoice_payment"), ("refund", "refund"),
    ("payout", "payout"), ("dispute", "dispute"), ("session", "checkout.session"),
)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happened: an API request with its idempotency key, or Stripe on its own."""

    request: str | None = None
    key: str | None = None


AUTOMATIC = Cause()


class Desk:
    """The Stripe surface's hands on the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def now(self) -> int:
        return self.engine.now

    def nth(self, parent: str, purpose: str) -> int:
        """0, 1, 2 … for each thing of that purpose under a parent; kept across restarts."""
        store = self.engine.store
        counts = store.get("stripe.count", parent) or {"id": parent}
        number: int = counts.get(purpose, 0)
        counts[purpose] = number + 1
        store.put("stripe.count", counts)
        return number

    def new_id(self, prefix: str, parent: str, purpose: str) -> str:
        """The next id of that purpose under a parent: deterministic, whatever the request's key."""
        return self.engine.draws.object_id(prefix, parent, purpose, self.nth(parent, purpose))

    def save(self, account: Doc, doc: Doc) -> Doc:
        """Keep an object, or note that it changed."""
        return self.engine.store.put(_STORED[doc["object"]], doc, account=account["id"])

    def find(self, account: Doc, id_: str | None) -> Doc | None:
        """An account's object by its id, whatever its kind."""
        kind = KINDS.get((id_ or "").partition("_")[0])
        if kind is None or id_ is None:
            return None
        return self.engine.store.get(f"stripe.{kind[0]}", id_, account["id"])

    def need(self, account: Doc, id_: str, prefix: str, param: str = "id") -> Doc:
        """As `find`, of one kind. Raises StripeError 404 when there is none."""
        kind, word = KINDS[prefix]
        found = self.engine.store.get(f"stripe.{kind}", id_, account["id"])
        if found is None:
            raise no_such(word, id_, param)
        return found

    def emit(self, account: Doc, type_: str, obj: Doc, cause: Cause = AUTOMATIC) -> None:
        """An event with the object as it is now."""
        number = self.nth(obj["id"], type_)
        id_ = self.engine.draws.object_id("evt_", obj["id"], type_, number)
        body = shapes.event(id_, self.now, type_, obj, (cause.request, cause.key))
        self.engine.emit(account, id_, type_, orjson.dumps(body))

    def request(self, account: Doc, key: str | None = None) -> Cause:
        """A new API request of the account, made by whomever."""
        return Cause(self.new_id("req_", account["id"], "request")[:18], key)

    def tie(self, object_id: str, **to: str | None) -> None:
        self.engine.ledger.tie(object_id, **to)

    def tied(self, object_id: str | None, what: str) -> str | None:
        return self.engine.ledger.tied(object_id, what)

    def payer_of(self, customer_id: str | None, email: str | None = None) -> str:
        """The payer behind a customer or an e-mail address; '' when the world knows none."""
        known = self.tied(customer_id, "payer")
        if known is None and email:
            payer = self.engine.payers.by_email(email)
            known = payer.id if payer else None
        return known or ""

    def url(self, path: str, **query: Any) -> str:
        """An address of this sandbox as others see it."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return f"{self.engine.base_url}{path}{'?' + asked if asked else ''}"

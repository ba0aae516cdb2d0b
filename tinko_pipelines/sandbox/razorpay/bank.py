"""What Razorpay's side keeps: documents by kind, ids, events, and who stands behind a token.

Shared by every part of the surface, so that each of them holds only its own rules.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.payers import (
    AUTH_REQUIRED,
    DAY,
    HARD,
    SOFT,
    Instrument,
    Outcome,
    Payer,
)
from tinko_pipelines.sandbox.razorpay.entities import ID_LENGTH, public
from tinko_pipelines.sandbox.razorpay.reasons import PAUSED
from tinko_pipelines.sandbox.store import Doc

ORDER, PAYMENT, CUSTOMER, TOKEN = "rzp_order", "rzp_payment", "rzp_customer", "rzp_token"
LINK, SUBSCRIPTION, INVOICE = "rzp_link", "rzp_subscription", "rzp_invoice"
REFUND, SETTLEMENT, BATCH, DISPUTE = "rzp_refund", "rzp_settlement", "rzp_batch", "rzp_dispute"

# kinds of debt that Razorpay itself collects again
PSP_RETRIED = frozenset(("upi_order", "subscription_cycle"))
TEST_WORDS = {"success": "", "refund_fails": "", "failure": "do_not_honor"} | {
    code: code for code in (*SOFT, *HARD, AUTH_REQUIRED)
}


class Bank:
    """Store, ids and events of the Razorpay side."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    # --- documents ---------------------------------------------------------------------------

    def put(self, kind: str, doc: Doc, account: Doc | None = None) -> Doc:
        """Keep a new document of `account`, or (without one) note a change."""
        owner = account["id"] if account else ""
        return self.engine.store.put(kind, doc, account=owner, created=doc.get("created_at", 0))

    def get(self, kind: str, id_: str | None, account: Doc | None = None) -> Doc | None:
        found = (
            self.engine.store.get(kind, id_, account["id"] if account else None) if id_ else None
        )
        return found

    def need(self, kind: str, id_: str) -> Doc:
        """A document that must be there: KeyError is a bug of the sandbox."""
        found = self.engine.store.get(kind, id_)
        if found is None:
            raise KeyError(id_)
        return found

    def account_of(self, kind: str, id_: str) -> Doc:
        """The merchant account an object belongs to."""
        return self.need("account", self.engine.store.owner(kind, id_))

    def new_id(self, prefix: str, parent: str, purpose: str, ordinal: int | str = 0) -> str:
        return self.engine.draws.object_id(prefix, parent, purpose, ordinal, length=ID_LENGTH)

    def count_up(self, parent: str, purpose: str) -> int:
        """The next ordinal of that purpose for that parent: what others do never shifts it."""
        key = f"{parent}/{purpose}"
        row = self.engine.store.get("rzp_ordinal", key) or {"id": key, "next": 0}
        ordinal = int(row["next"])
        self.engine.store.put("rzp_ordinal", {"id": key, "next": ordinal + 1})
        return ordinal

    # --- events ------------------------------------------------------------------------------

    def emit(self, account: Doc, event: str, **entities: Doc) -> None:
        """Send an event with these entities as they stand now (`payment=…, order=…`)."""
        at, first = self.engine.now, next(iter(entities.values()))
        body = {
            "entity": "event", "account_id": account["account_id"], "event": event,
            "contains": list(entities),
            "payload": {name: {"entity": public(doc)} for name, doc in entities.items()},
            "created_at": at,
        }  # fmt: skip
        event_id = self.new_id("", first["id"], event, self.count_up(first["id"], event))
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        self.engine.emit(account, event_id, event, raw)

    # --- who stands behind ---------------------------------------------------------------------

    def payer_of(self, customer_id: str | None) -> Payer | None:
        """The world's payer behind a customer, if it is one."""
        found = self.engine.ledger.tied(customer_id, "payer")
        return self.engine.payers.get(found) if found else None

    def payer_by_email(self, email: Any) -> Payer | None:
        return self.engine.payers.by_email(email) if isinstance(email, str) else None

    def kind_of(self, debt: Doc) -> str:
        """The kind of a debt as it is collected: only UPI goes without a notification."""
        if debt["kind"] == "upi_order":
            method = self.engine.payers.instrument(debt["instrument"]).method
            return "upi_order" if method == "upi" else "recurring_order"
        return str(debt["kind"])

    def instrument_of(self, token: Doc) -> Instrument:
        """What a token charges; a test token's instrument is made from the token itself."""
        if token["_fixed"] is None:
            return self.engine.payers.instrument(token["_instrument"])
        return self.engine.payers.add_instrument(
            fixed_instrument(token["_instrument"], token["method"], token["_fixed"])
        )

    def stored_outcome(
        self, debt_id: str | None, instrument: Instrument, amount: int, at: int
    ) -> Outcome:
        """What a debit of a stored instrument at `at` comes to; a paused mandate says no first."""
        outcome = self.engine.payers.would_succeed(instrument, amount, at)
        if debt_id and instrument.method == "upi" and outcome.code not in HARD:
            pause = self.pause_of(debt_id)
            if pause and pause[0] <= at < pause[1]:
                return Outcome(False, PAUSED, outcome.luck)
        return outcome

    def pause_of(self, debt_id: str) -> tuple[int, int] | None:
        """When the payer of a UPI mandate pauses and resumes it, if they do (epoch seconds)."""
        draws = self.engine.draws
        debt = self.engine.store.get("debt", debt_id)
        if debt is None or not draws.chance(0.05, debt_id, "pauses"):
            return None
        begin = debt["due"] + draws.between(-DAY, 10 * DAY, debt_id, "pauses at")
        return begin, begin + draws.between(2 * DAY, 9 * DAY, debt_id, "pauses for")


def fixed_instrument(id_: str, method: str, code: str) -> Instrument:
    """A test instrument: `code` always comes of it ('' always succeeds)."""
    return replace(_TEST, id=id_, method=method, fixed=code,
                   network="visa" if method == "card" else method)  # fmt: skip


_TEST = Instrument(
    id="", payer="", method="card", network="visa", issuer="HDFC", country="IN", funding="debit",
    last4="1111", exp_month=12, exp_year=2099, fingerprint="test000000000000", grumpy=0.0,
    wants_auth=False, broken_at=None, broken_code="", fixed="",
)  # fmt: skip

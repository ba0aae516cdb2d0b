"""The ledger of truth: what really happened to each debt, in words no PSP uses.

Surfaces tell it every attempt and how it ended; `truth.py` and `violations.py` only read it.
Documents: `debt` {id, account, payer, kind, amount, currency, due, started, instrument} and
`attempt` {id, debt, account, actor, at, state, code, amount, refunded, …}.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinko_pipelines.sandbox.store import Doc, Store

PENDING, SUCCEEDED, FAILED, AUTHORIZED, CANCELED = (
    "pending", "succeeded", "failed", "authorized", "canceled",
)  # fmt: skip


class Ledger:
    """Debts, the PSP objects tied to them, and the attempts on them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_debt: dict[str, list[str]] = {}
        self._match: dict[tuple[str, str, int, str], str] = {}
        for attempt in store.all("attempt"):
            self._by_debt.setdefault(attempt["debt"], []).append(attempt["id"])
        for debt in store.all("debt"):
            self._remember(debt)

    def _remember(self, debt: Doc) -> None:
        if debt["payer"]:
            key = (debt["account"], debt["payer"], debt["amount"], debt["currency"])
            self._match[key] = debt["id"]

    def add_debt(self, debt: Doc) -> Doc:
        """A debt of the world. `amount` in minor units, `due` in epoch seconds."""
        self._remember(debt)
        return self._store.put("debt", {"started": False, **debt})

    def debt(self, debt_id: str) -> Doc:
        """Raises KeyError for a debt nobody owes."""
        found = self._store.get("debt", debt_id)
        if found is None:
            raise KeyError(debt_id)
        return found

    def debts(self) -> Iterator[Doc]:
        return self._store.all("debt")

    def match(self, account: str, payer: str, amount: int, currency: str) -> str | None:
        """The debt of that payer, amount and currency: a payer's debts all differ in amount.

        This is how a door that Tinko opened (a session, a link, a new order) is known to be
        for a debt of the world.
        """
        return self._match.get((account, payer, amount, currency.upper()))

    def adhoc(self, object_id: str, account: str, payer: str, amount: int, currency: str) -> str:
        """A debt for an object that was created over the API and matches none of the world's."""
        debt_id = f"debt_{object_id}"
        if self._store.get("debt", debt_id) is None:
            self.add_debt({"id": debt_id, "account": account, "payer": payer, "kind": "adhoc",
                           "amount": amount, "currency": currency.upper(), "due": 0,
                           "instrument": ""})  # fmt: skip
        return debt_id

    def tie(self, object_id: str, **to: str | None) -> None:
        """Remember privately what a PSP object is about: debt, payer, instrument …"""
        known = self._store.get("tie", object_id) or {"id": object_id}
        known.update({key: value for key, value in to.items() if value is not None})
        self._store.put("tie", known)

    def tied(self, object_id: str | None, what: str) -> str | None:
        """What `tie` remembered of an object, or None."""
        known = self._store.get("tie", object_id) if object_id else None
        return known.get(what) if known else None

    def attempt(
        self, id_: str, *, debt: str, account: str, actor: str, at: int, amount: int,
        currency: str, instrument: str = "", method: str = "card", network: str = "",
        state: str = PENDING, code: str | None = None, captured: int | None = None,
        made_up: bool = False, owner: str = "merchant", facts: dict[str, str] | None = None,
    ) -> Doc:  # fmt: skip
        """One try to collect, whoever made it. `code` is the PSP's own word for a failure.

        `owner` says who may retry this door (`merchant` or `psp`); `facts` are further marks
        that `violations.py` looks at.
        """
        row = {
            "id": id_, "debt": debt, "account": account, "actor": actor, "at": at, "state": state,
            "code": code, "made_up": made_up, "amount": amount, "currency": currency.upper(),
            "refunded": 0, "instrument": instrument, "method": method, "network": network,
            "owner": owner, "paid_at": at if state == SUCCEEDED else None,
            "captured": (amount if captured is None else captured) if state == SUCCEEDED else 0,
            "facts": facts or {},
        }  # fmt: skip
        self._by_debt.setdefault(debt, []).append(id_)
        known = self._store.get("debt", debt)
        if known is not None and not known["started"]:
            known["started"] = True
            self._store.put("debt", known)
        return self._store.put("attempt", row)

    def end(
        self, id_: str, state: str, *, at: int, code: str | None = None,
        captured: int | None = None, made_up: bool = False,
    ) -> None:  # fmt: skip
        """How a pending (or failed, then late) attempt ended."""
        row = self._store.get("attempt", id_)
        if row is None:
            raise KeyError(id_)
        row["state"], row["code"] = state, code
        row["made_up"] = made_up
        if state == SUCCEEDED:
            row["captured"] = row["amount"] if captured is None else captured
            row["paid_at"] = at
        self._store.put("attempt", row)

    def refund(self, id_: str, amount: int) -> None:
        """`amount` minor units of an attempt went back (negative when a refund failed)."""
        row = self._store.get("attempt", id_)
        if row is None:
            raise KeyError(id_)
        row["refunded"] += amount
        self._store.put("attempt", row)

    def attempts(self, debt_id: str) -> list[Doc]:
        """A debt's attempts, oldest first."""
        rows = (self._store.get("attempt", id_) for id_ in self._by_debt.get(debt_id, []))
        return [row for row in rows if row is not None]

    def all_attempts(self) -> Iterator[Doc]:
        return self._store.all("attempt")

    def net(self, debt_id: str) -> int:
        """Captures minus refunds of a debt, in minor units."""
        return sum(row["captured"] - row["refunded"] for row in self.attempts(debt_id))

    def is_paid(self, debt_id: str) -> bool:
        return self.net(debt_id) >= int(self.debt(debt_id)["amount"])

"""The engine: one object that holds the store, the time, the world and the PSP surfaces.

Everything runs on one asyncio loop, so a synchronous handler is atomic; whatever it changed is
committed before it is answered or delivered.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tinko_pipelines.sandbox.deliveries import Deliveries
from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.faults import Faults
from tinko_pipelines.sandbox.ledger import Ledger
from tinko_pipelines.sandbox.payers import Payers
from tinko_pipelines.sandbox.store import Doc, Store
from tinko_pipelines.sandbox.surfaces import Surface
from tinko_pipelines.sandbox.timers import Timers
from tinko_pipelines.sandbox.world import World, make_debts

Handler = Callable[[dict[str, Any]], Awaitable[None] | None]

_KEPT_BY_RESET = frozenset(("account", "meta"))


class WorldExists(Exception):
    """Another world is already there."""


class Engine:
    """`now` is business time in epoch seconds; it moves only through `clockwork`."""

    def __init__(self, data: Path, secret: str, base_url: str, now: int) -> None:
        self.secret, self.base_url = secret.encode(), base_url.rstrip("/")
        self.store = Store(data / "sandbox.sqlite3")
        self.faults = Faults(self.store)
        self.surfaces: dict[str, Surface] = {}
        self.handlers: dict[str, Handler] = {}
        self.deliveries = Deliveries(self)
        self._open(now)
        self.on("debt.start", self._start_debt)

    def _open(self, now: int) -> None:
        kept = self.store.get("meta", "world")
        self.world = World.from_json(kept["world"]) if kept else World(start=now)
        clock = self.store.get("meta", "now")
        self.now: int = clock["at"] if clock else now
        self.draws = Draws(self.world.seed)
        self.payers = Payers(self.draws, self.world.start, self.world.days)
        self.ledger = Ledger(self.store)
        self.timers = Timers(self.store)
        for debt in self.ledger.debts():
            if debt["payer"].startswith("payer_"):
                psp, _, number = debt["payer"].removeprefix("payer_").rpartition("_")
                self.payers.make(psp, int(number))
        for quirk in self.store.all("quirk"):
            self.payers.set_quirk(quirk["id"], *quirk["quirk"])

    # --- the seams for a PSP surface ---------------------------------------------------------

    def register(self, surface: Surface) -> None:
        """Make a PSP known. Its timers' handlers are registered by itself with `on`."""
        self.surfaces[surface.psp] = surface

    def on(self, action: str, handler: Handler) -> None:
        """Call `handler(args)` when a timer of that action falls due (sync or async)."""
        self.handlers[action] = handler

    def at(self, when: int, action: str, **args: Any) -> None:
        """Do `action` at the business instant `when` (never before now)."""
        self.timers.add(max(when, self.now), action, args)

    def emit(self, account: Doc, event_id: str, type_: str, body: bytes) -> None:
        """An event of an account: kept for ever, delivered to its endpoint as drawn."""
        self.store.put(
            "event",
            {"id": event_id, "type": type_, "created": self.now, "body": body.decode()},
            account=account["id"],
        )
        self.deliveries.enqueue(account, event_id)

    def key(self, *what: str, length: int = 32) -> str:
        """A secret derived from SANDBOX_SECRET: nothing secret is written down."""
        return hmac.new(self.secret, "/".join(what).encode(), "sha256").hexdigest()[:length]

    def door(self, account: Doc, object_id: str, payer: str, amount: int, currency: str) -> str:
        """Tie an object created over the API to the debt it is for, and name that debt."""
        debt = self.ledger.match(account["id"], payer, amount, currency) if payer else None
        if debt is None:
            debt = self.ledger.adhoc(object_id, account["id"], payer, amount, currency)
        self.ledger.tie(object_id, debt=debt)
        return debt

    @property
    def idle(self) -> bool:
        """Whether there is no world and nothing is going to happen."""
        return self.store.get("meta", "world") is None and not len(self.timers)

    # --- accounts and world ------------------------------------------------------------------

    def account(self, psp: str, account_id: str) -> Doc | None:
        return self.store.get("account", f"{psp}:{account_id}")

    def open_account(self, psp: str, account_id: str) -> Doc:
        """The merchant account, opened if there is none. Raises KeyError for an unknown PSP."""
        surface = self.surfaces[psp]
        found = self.account(psp, account_id)
        if found is None:
            found = {"id": f"{psp}:{account_id}", "psp": psp, "account_id": account_id, "url": None}
            found.update(surface.credentials(found))
            self.store.put("account", found)
        return found

    def set_world(self, world: World) -> bool:
        """Make the world; False when this very world is already there.

        Raises WorldExists when another one is, ValueError when no account could bill.
        """
        kept = self.store.get("meta", "world")
        if kept:
            if kept["world"] == world.to_json():
                return False
            raise WorldExists("another world is running; POST /_sandbox/reset first")
        accounts = {
            psp: sorted(a["id"] for a in self.store.all("account") if a["psp"] == psp)
            for psp in self.surfaces
        }
        if world.obligations and not any(accounts.values()):
            raise ValueError("open an account (POST /_sandbox/accounts) before the world")
        self.store.put("meta", {"id": "world", "world": world.to_json()})
        self.store.put("meta", {"id": "now", "at": world.start})
        self._open(world.start)
        kinds = {psp: surface.kinds for psp, surface in self.surfaces.items()}
        for debt in make_debts(world, self.draws, self.payers, accounts, kinds):
            self.ledger.add_debt(debt)
            self.at(debt["due"], "debt.start", debt=debt["id"])
            quirk = self.payers.instrument(debt["instrument"]).quirk
            if quirk:
                self.store.put("quirk", {"id": debt["instrument"], "quirk": list(quirk)})
        self.store.commit()
        return True

    def reset(self, now: int) -> None:
        """Forget the world and every PSP object; accounts and endpoints stay."""
        self.store.wipe(_KEPT_BY_RESET)
        for row in list(self.store.all("meta")):
            self.store.delete("meta", row["id"])
        self.store.commit()
        self._open(now)

    def _start_debt(self, args: dict[str, Any]) -> None:
        meta = self.store.get("meta", "finished")
        if meta is None:
            debt = self.ledger.debt(args["debt"])
            self.surfaces[debt["account"].split(":", 1)[0]].start_debt(debt)

    def finish(self) -> None:
        """No new debts from now on."""
        self.store.put("meta", {"id": "finished", "at": self.now})

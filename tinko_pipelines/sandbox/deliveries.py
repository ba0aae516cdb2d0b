"""Webhooks on their way: on time, late, twice, out of order, and some never.

What becomes of an event is drawn from its id. A delivery that is not answered with 2xx (or not
at all: the receiver may be down) is tried again with back-off in business time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tinko_pipelines.sandbox.poster import Poster
from tinko_pipelines.sandbox.rhythms import HOUR
from tinko_pipelines.sandbox.store import Doc

if TYPE_CHECKING:
    from tinko_pipelines.sandbox.engine import Engine

# like Stripe's: soon at first, then hours apart; then every twelve hours until day five
RETRY_AFTER = (60, 300, 1800, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR)
_LAST_RETRY, _GIVE_UP = 12 * HOUR, 120 * HOUR
# a webhook that was not answered for so long is switched off, until its merchant switches it on
# (razorpay.com/docs/webhooks/best-practices)
_SWITCHED_OFF_AFTER = {"razorpay": 24 * HOUR}
_AT_ONCE = 8


class Deliveries:
    """Rows `delivery` {id, account, fate, made, sends, answered, heard, last_status}; `heard`: when
    it was first answered with 2xx, missing until then."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._poster = Poster()

    def enqueue(self, account: Doc, event_id: str) -> None:
        """Plan the deliveries of an event made now."""
        engine, draws = self._engine, self._engine.draws
        fate = self._fate(account, event_id)
        engine.store.put(
            "delivery",
            {"id": event_id, "account": account["id"], "fate": fate, "made": engine.now,
             "sends": 0, "answered": 0, "last_status": None},
        )  # fmt: skip
        if fate == "never":
            return
        wait = draws.between(0, 45, event_id, "delay")
        if fate == "late":
            wait = draws.between(HOUR, 36 * HOUR, event_id, "lateness")
        engine.at(engine.now + wait, "deliver", event=event_id, tries=0)
        if fate == "twice":
            again = wait + draws.between(5, 8 * HOUR, event_id, "again")
            engine.at(engine.now + again, "deliver", event=event_id, tries=0)

    def _fate(self, account: Doc, event_id: str) -> str:
        engine, world = self._engine, self._engine.world
        what = f"WEBHOOK {account['account_id']}"
        if engine.faults.strikes(
            ("drop_webhooks",),
            account["psp"],
            what,
            at=engine.now,
            draws=engine.draws,
            charge=False,
        ):
            return "never"
        shares = {"late": world.late, "twice": world.twice, "never": world.never}
        shares["prompt"] = max(0.0, 1.0 - sum(shares.values()))
        return engine.draws.weighted(shares, event_id, "fate")

    async def send(self, timers: list[Doc]) -> int:
        """Deliver what these timers say, all at once but few at a time; how many got a 2xx.

        Returns when each was answered, refused or timed out: the barrier of a step.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(timer: Doc) -> bool:
            async with gate:
                return await self._send(timer)

        self._engine.store.commit()  # an event is kept before anyone hears of it
        return sum(await asyncio.gather(*(one(timer) for timer in timers)))

    async def _send(self, timer: Doc) -> bool:
        engine, event_id = self._engine, timer["args"]["event"]
        row = engine.store.get("delivery", event_id)
        event = engine.store.get("event", event_id)
        if row is None or event is None:
            engine.timers.done(timer)
            return False
        account = engine.store.get("account", row["account"])
        status = await self._post(account, event) if account else None
        row["sends"] += 1
        row["last_status"] = status
        answered = status is not None and 200 <= status < 300
        if account is not None and account["url"]:
            self._note(account, answered=answered)
        if answered:
            row["answered"] += 1
            row.setdefault("heard", engine.now)
            engine.store.put("delivery", row)
            engine.timers.done(timer)
            return True
        engine.store.put("delivery", row)
        self._again(timer, row)
        return False

    def _note(self, account: Doc, *, answered: bool) -> None:
        """Since when its endpoint does not answer; past its PSP's patience it is switched off."""
        now, limit = self._engine.now, _SWITCHED_OFF_AFTER.get(account["psp"])
        if answered:
            if account.pop("deaf_since", None) is not None:
                self._engine.store.put("account", account)
        elif limit is not None and not account.get("webhook_off"):
            since = account.setdefault("deaf_since", now)
            account["webhook_off"] = now - since >= limit
            self._engine.store.put("account", account)

    def _again(self, timer: Doc, row: Doc) -> None:
        engine, args = self._engine, timer["args"]
        engine.timers.done(timer)
        tries = args["tries"]
        wait = RETRY_AFTER[tries] if tries < len(RETRY_AFTER) else _LAST_RETRY
        if engine.now + wait - row["made"] <= _GIVE_UP or tries < len(RETRY_AFTER):
            engine.at(engine.now + wait, "deliver", event=args["event"], tries=tries + 1)

    async def _post(self, account: Doc, event: Doc) -> int | None:
        if not account["url"] or account.get("webhook_off"):
            return None
        body = event["body"].encode()
        surface = self._engine.surfaces[account["psp"]]
        headers = {
            "content-type": "application/json; charset=utf-8",
            **surface.sign(account, event["id"], body),
        }
        try:
            return await self._poster.post(account["url"], body, headers)
        except OSError:
            return None

    async def close(self) -> None:
        await self._poster.close()

    def waiting(self) -> int:
        """Deliveries that are still to be made."""
        return sum(row["action"] == "deliver" for row in self._engine.store.all("timer"))

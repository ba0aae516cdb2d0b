"""The control API under `/_sandbox/`: accounts, endpoints, the world, time, faults, the truth."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tinko_pipelines.sandbox.baselines import baselines
from tinko_pipelines.sandbox.clockwork import Clockwork
from tinko_pipelines.sandbox.engine import Engine, WorldExists
from tinko_pipelines.sandbox.truth import truth
from tinko_pipelines.sandbox.world import World, epoch, moment

Body = dict[str, Any]


def problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"status": status, "detail": detail}, status_code=status)


class Control:
    """Handlers of the control API; each answers JSON, errors as {status, detail}."""

    def __init__(self, engine: Engine, clockwork: Clockwork) -> None:
        self._engine, self._clockwork = engine, clockwork

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Callable[[Body], Awaitable[Any]]]] = [
            ("POST", "accounts", self.open_account),
            ("PUT", "endpoints", self.set_endpoint),
            ("PUT", "world", self.set_world),
            ("GET", "world", self.world),
            ("POST", "advance", self.advance),
            ("POST", "run", self.run),
            ("POST", "pause", self.pause),
            ("POST", "resume", self.resume),
            ("POST", "finish", self.finish),
            ("POST", "reset", self.reset),
            ("GET", "truth", self.truth),
            ("GET", "baselines", self.baselines),
            ("GET", "debts", self.debts),
            ("PUT", "faults", self.set_faults),
            ("GET", "faults", self.faults),
            ("GET", "health", self.health),
        ]
        return [
            Route(f"/_sandbox/{name}", self._endpoint(handler), methods=[method])
            for method, name, handler in table
        ]

    def _endpoint(
        self, handler: Callable[[Body], Awaitable[Any]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                raw = await request.body()
                body = json.loads(raw) if raw else {}
                if not isinstance(body, dict):
                    return problem(400, "the body must be a JSON object")
                answer = await handler(body)
            except WorldExists as error:
                return problem(409, str(error))
            except KeyError as error:
                return problem(422, f"missing or unknown: {error.args[0]}")
            except (ValueError, TypeError) as error:
                return problem(422, str(error))
            except psycopg.Error as error:
                return problem(503, f"the business clock cannot be reached: {error}")
            self._engine.store.commit()
            return JSONResponse(answer)

        return endpoint

    async def open_account(self, body: Body) -> Body:
        account = self._engine.open_account(body["psp"], body["account_id"])
        if "category" in body:  # what kind of merchant it is (RBI)
            account["category"] = body["category"]
            self._engine.store.put("account", account)
        own = ("id", "url", "webhook_off", "deaf_since", "other_webhooks")
        return {name: value for name, value in account.items() if name not in own}

    async def set_endpoint(self, body: Body) -> Body:
        account = self._engine.account(body["psp"], body["account_id"])
        if account is None:
            raise KeyError(f"account {body['account_id']}")
        if body["url"] is not None and urlsplit(body["url"]).scheme != "http":
            raise ValueError(f"url must be http, not {body['url']!r}")
        account["url"] = body["url"]
        # `active` false: switched off, as a PSP does after a day of failures
        account["webhook_off"] = body.get("active") is False
        # what else the account has, (address, on): listed, never delivered to
        account["other_webhooks"] = [[one["url"], one["active"]] for one in body.get("others", [])]
        account.pop("deaf_since", None)
        self._engine.store.put("account", account)
        return {"account_id": account["account_id"], "url": account["url"]}

    async def set_world(self, body: Body) -> Body:
        made = self._engine.set_world(World.from_json(body))
        return {"created": made, **await self.world({})}

    async def world(self, _: Body) -> Body:
        engine = self._engine
        return {
            "world": engine.world.to_json(),
            "now": moment(engine.now).isoformat(),
            "timers": len(engine.timers),
            "mode": {name: value for name, value in self._clockwork.mode.items() if name != "id"},
            "finished": engine.store.get("meta", "finished") is not None,
        }

    async def advance(self, body: Body) -> Body:
        return dict(await self._clockwork.advance(epoch(body["to"])))

    async def run(self, body: Body) -> Body:
        rate = float(body.get("rate", 1))
        if not 0 < rate <= 100_000:
            raise ValueError("rate must be above 0 and at most 100000")
        await self._clockwork.run(rate)
        return await self.world({})

    async def pause(self, _: Body) -> Body:
        self._clockwork.pause(True)
        return {"paused": True}

    async def resume(self, _: Body) -> Body:
        self._clockwork.pause(False)
        return {"paused": False}

    async def finish(self, _: Body) -> Body:
        self._engine.finish()
        delivered = await self._clockwork.flush()
        return {"delivered": delivered, "pending": self._engine.deliveries.waiting()}

    async def reset(self, _: Body) -> Body:
        self._engine.reset(int(time.time()))
        return await self.world({})

    async def truth(self, _: Body) -> Body:
        return truth(self._engine.store, self._engine.ledger)

    async def baselines(self, _: Body) -> Body:
        return await asyncio.to_thread(baselines, self._engine)

    async def debts(self, _: Body) -> Body:
        """Every debt with its attempts: for finding out where two counts part."""
        ledger = self._engine.ledger
        return {
            "debts": [{**debt, "attempts": ledger.attempts(debt["id"])} for debt in ledger.debts()]
        }

    async def set_faults(self, body: Body) -> Body:
        script = self._engine.faults.replace(body)
        if "forget_idempotency_keys" in script:
            for row in list(self._engine.store.all("idempotency")):
                self._engine.store.delete("idempotency", row["id"])
        return script

    async def faults(self, _: Body) -> Body:
        return self._engine.faults.script

    async def health(self, _: Body) -> Body:
        return {"ok": True, "now": moment(self._engine.now).isoformat()}

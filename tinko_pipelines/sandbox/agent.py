"""A payer with a browser: follows links, submits forms, pays on hosted pages, gives up.

Pages of the sandbox itself are opened in process; anything else goes over HTTP.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from starlette.types import ASGIApp

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.payers import HARD, Payer
from tinko_pipelines.sandbox.rhythms import HOUR

# a hosted page says here what came of it: succeeded, failed, pending or closed
OUTCOME_HEADER = "x-sandbox-outcome"
_TIMEOUT = httpx.Timeout(15.0, connect=2.0)


class Form(HTMLParser):
    """The first form with a given id: its action, method and hidden inputs."""

    def __init__(self, form_id: str, page: str) -> None:
        super().__init__()
        self._wanted, self._inside = form_id, False
        self.action: str | None = None
        self.method = "get"
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form" and got.get("id") == self._wanted and self.action is None:
            self._inside, self.action = True, got.get("action", "")
            self.method = got.get("method", "get").lower()
        elif tag == "input" and self._inside and got.get("type") == "hidden":
            self.fields[got.get("name", "")] = got.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Agent:
    """Acts for payers at the instants their timers say (`payer.follow`, `payer.hosted`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outside: httpx.AsyncClient | None = None
        self._inside: httpx.AsyncClient | None = None
        engine.on("payer.follow", self.follow)
        engine.on("payer.hosted", self.hosted)

    def install(self, app: ASGIApp) -> None:
        """The sandbox's own pages are opened through `app`."""
        transport = httpx.ASGITransport(app=app)
        self._inside = httpx.AsyncClient(transport=transport, base_url=self._engine.base_url)

    async def _request(self, method: str, url: str, fields: dict[str, str] | None = None) -> Any:
        own = urlsplit(url).netloc == urlsplit(self._engine.base_url).netloc
        if own and self._inside is not None:
            client = self._inside
        else:
            if self._outside is None:
                self._outside = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
            client = self._outside
            self._engine.store.commit()
        if method == "get":
            return await client.get(url, params=fields or None)
        return await client.post(url, data=fields or {})

    async def follow(self, args: dict[str, Any]) -> None:
        """Open the link of a message, press its button, and pay where it leads."""
        engine, url, tries = self._engine, args["url"], args.get("tries", 0)
        try:
            page = await self._request("get", url)
            if page.status_code != 200 or "<form" not in page.text:
                return  # nothing to press: paid by now, or the link is too old
            answer = await self._request("post", url)
        except httpx.HTTPError:
            if tries < 5:  # the site is down; a payer who means it comes back
                again = engine.now + (600, HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR)[tries]
                engine.at(again, "payer.follow", **{**args, "tries": tries + 1})
            return
        if answer.status_code in (302, 303) and "location" in answer.headers:
            target = urljoin(url, answer.headers["location"])
            await self.hosted({"payer": args["payer"], "url": target})
        elif answer.status_code == 200:
            form = Form("handover", answer.text)
            if form.action:
                await self.hosted(
                    {"payer": args["payer"], "url": urljoin(url, form.action),
                     "method": form.method, "fields": form.fields}
                )  # fmt: skip

    async def hosted(self, args: dict[str, Any]) -> None:
        """Pay on a hosted page: the saved card unless it is known to be dead, then another.

        After a failure a persistent payer tries again within the hour, three times at most.
        """
        engine, tries = self._engine, args.get("tries", 0)
        payer = engine.payers.get(args["payer"])
        if payer is None:
            return
        try:
            page = await self._request(args.get("method", "get"), args["url"], args.get("fields"))
            form = Form("pay", page.text)
            if page.status_code != 200 or form.action is None:
                return
            card = self._card(payer, tries)
            target = urljoin(args["url"], form.action)
            answer = await self._request("post", target, {**form.fields, "card": card})
        except httpx.HTTPError:
            return
        if answer.headers.get(OUTCOME_HEADER) == "failed" and tries < 3:
            # by the payer's own count of visits: addresses hold ports and tokens
            number = args["visit"] if "visit" in args else self._visits(payer)
            args = {**args, "visit": number}
            visit = f"{number}.{tries}"
            if engine.draws.chance(payer.persistence, payer.id, "persists", visit):
                wait = engine.draws.between(60, 900, payer.id, "tries again", visit)
                engine.at(engine.now + wait, "payer.hosted", **{**args, "tries": tries + 1})

    def _visits(self, payer: Payer) -> int:
        store = self._engine.store
        kept = store.get("visits", payer.id) or {"id": payer.id, "count": 0}
        store.put("visits", {**kept, "count": kept["count"] + 1})
        return int(kept["count"])

    def _card(self, payer: Payer, tries: int) -> str:
        first = payer.instruments[0]
        dead = self._engine.payers.would_succeed(first, 0, self._engine.now, True).code in HARD
        return "new" if len(payer.instruments) > 1 and (dead or tries % 2) else "saved"

    async def close(self) -> None:
        for client in (self._outside, self._inside):
            if client is not None:
                await client.aclose()
        self._outside = self._inside = None

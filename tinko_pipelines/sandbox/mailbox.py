"""Payers read their mail: the link with `/pay/` in it is what some of them act on."""

from __future__ import annotations

import logging
import re
from typing import Any

import httpx

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.rhythms import HOUR

log = logging.getLogger(__name__)
_LINK = re.compile(r"https?://[^\s<>\"']+/pay/[^\s<>\"']+")
FATIGUE = 0.65  # each further message on one debt is heeded that much less


class Mailbox:
    """Reads the mail page's JSON API from where it stopped, across restarts."""

    def __init__(self, engine: Engine, url: str | None) -> None:
        self._engine, self._url = engine, url.rstrip("/") if url else None
        self._client: httpx.AsyncClient | None = None

    async def read(self) -> int:
        """Read what is new; each reader who will act is given the time they act at."""
        if self._url is None:
            return 0
        store = self._engine.store
        place = store.get("meta", "mail") or {"id": "mail", "after": 0}
        read = 0
        while messages := await self._page(place["after"]):
            for message in messages:
                place["after"] = max(place["after"], message["id"])
                self._heed(message)
            read += len(messages)
            store.put("meta", place)
        return read

    async def _page(self, after: int) -> list[dict[str, Any]]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=5.0, trust_env=False)
        try:
            answer = await self._client.get(f"{self._url}/api/messages", params={"after": after})
            answer.raise_for_status()
            messages: list[dict[str, Any]] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("the mail page cannot be read: %s", error)
            return []
        return messages

    def _heed(self, message: dict[str, Any]) -> None:
        engine, draws = self._engine, self._engine.draws
        to = message["to"]
        payer = engine.payers.by_email(to[0] if isinstance(to, list) else to)
        link = _LINK.search(message.get("text") or "") or _LINK.search(message.get("html") or "")
        if payer is None or link is None:
            return
        kept = engine.store.get("mail_count", payer.id) or {"id": payer.id, "count": 0}
        count = kept["count"]
        engine.store.put("mail_count", {**kept, "count": count + 1})
        # not by message id: what others were sent must not change what this payer does
        heeds = payer.heeds * FATIGUE ** min(count, 4)
        if draws.chance(heeds, payer.id, "heeds", count):
            wait = 300 + draws.exponential(payer.delay * HOUR, payer.id, "acts after", count)
            engine.at(engine.now + int(wait), "payer.follow", payer=payer.id, url=link.group(0))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

"""How business time moves: step by step (the demo) or along the database's clock (`make up`)."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import psycopg

from tinko_pipelines.core.clock import ClockRow
from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.mailbox import Mailbox
from tinko_pipelines.sandbox.rhythms import HOUR
from tinko_pipelines.sandbox.world import moment

log = logging.getLogger(__name__)
_TICK_SECONDS = 0.25
_MAIL_SECONDS = 2.0


class MovableClock(Protocol):
    """The business clock the sandbox owns in the demo (`core.clock.DatabaseClock` is one)."""

    def now(self) -> datetime: ...
    def freeze_at(self, instant: datetime) -> None: ...
    def run_from(self, instant: datetime, rate: float) -> None: ...


@dataclass
class MemoryClock:
    """A movable clock of this process alone, for a sandbox without a database."""

    row: ClockRow = field(
        default_factory=lambda: ClockRow(datetime.now(UTC), datetime.now(UTC), 1.0, False)
    )

    def now(self) -> datetime:
        return self.row.at(datetime.now(UTC))

    def freeze_at(self, instant: datetime) -> None:
        self.row = ClockRow(instant, datetime.now(UTC), 0.0, True)

    def run_from(self, instant: datetime, rate: float) -> None:
        self.row = ClockRow(instant, datetime.now(UTC), rate, False)


class Clockwork:
    """Moves the engine through time. One step at a time: steps take a lock."""

    def __init__(self, engine: Engine, clock: MovableClock, mailbox: Mailbox) -> None:
        self.engine, self._clock, self.mailbox = engine, clock, mailbox
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._mail_at = float("-inf")

    @property
    def mode(self) -> dict[str, object]:
        kept = self.engine.store.get("meta", "mode")
        return kept or {"id": "mode", "running": False, "paused": False, "rate": 0.0}

    def _set_mode(self, **changes: object) -> None:
        self.engine.store.put("meta", {**self.mode, **changes})
        self.engine.store.commit()

    async def advance(self, to: int) -> dict[str, int]:
        """Freeze the business clock at `to` and let everything happen up to it.

        Returns after the barrier: whatever was due has been answered. Counts: timers acted on,
        deliveries answered with 2xx, mails read, deliveries still waiting for their time, errors of
        the sandbox itself (0, or a bug).
        Raises psycopg.Error when the clock cannot be written.
        """
        async with self._lock:
            if self.engine.idle:  # nothing has happened yet: time may also go back, to the start
                self.engine.now = to
            await asyncio.to_thread(self._clock.freeze_at, moment(max(to, self.engine.now)))
            counts = await self._move(to)
        counts["pending"] = self.engine.deliveries.waiting()
        names = ("events", "delivered", "mail_read", "pending", "errors")
        return {name: counts[name] for name in names}

    async def _move(self, to: int) -> Counter[str]:
        counts: Counter[str] = Counter()
        while self.engine.now < to:
            # at most an hour at once, so that a long catch-up still delivers in between
            counts += await self._step(min(to, (self.engine.now // HOUR + 1) * HOUR))
        return counts

    async def _step(self, to: int) -> Counter[str]:
        engine, counts = self.engine, Counter[str]()
        if engine.world.obligations and self._mail_is_due():
            counts["mail_read"] += await self.mailbox.read()
        while True:
            deliveries = []
            while (timer := engine.timers.due(to)) is not None:
                engine.now = max(engine.now, timer["at"])
                if timer["action"] == "deliver":
                    deliveries.append(timer)
                    continue
                counts["events"] += 1
                try:
                    result = engine.handlers[timer["action"]](timer["args"])
                    if inspect.isawaitable(result):
                        await result
                except Exception:
                    # one actor's error must not lose the others' turn; the driver sees the count
                    log.exception("%s %s failed", timer["action"], timer["args"])
                    counts["errors"] += 1
                engine.timers.done(timer)
            if not deliveries:
                break
            self._keep_now()
            counts["delivered"] += await engine.deliveries.send(deliveries)
        engine.now = max(engine.now, to)
        self._keep_now()
        engine.store.commit()
        return counts

    def _keep_now(self) -> None:
        """Part of the next commit: a restart goes on from here."""
        self.engine.store.put("meta", {"id": "now", "at": self.engine.now})

    def _mail_is_due(self) -> bool:
        """At every step of a frozen clock, every two wall seconds of a running one."""
        wall = asyncio.get_running_loop().time()
        if self.mode["running"] and wall - self._mail_at < _MAIL_SECONDS:
            return False
        self._mail_at = wall
        return True

    async def flush(self) -> int:
        """Deliver now whatever was still to be delivered (what is never sent stays so)."""
        async with self._lock:
            sent = await self.engine.deliveries.send(self.engine.timers.take("deliver"))
            self.engine.store.commit()
        return sent

    async def run(self, rate: float) -> None:
        """Follow the business clock from now on; it is set going at `rate` if it stands."""
        if not self.mode["running"]:
            await asyncio.to_thread(self._clock.run_from, moment(self.engine.now), rate)
            self._set_mode(running=True, paused=False, rate=rate)
        self.resume_loop()

    def resume_loop(self) -> None:
        """Start the loop if the kept mode is running (also after a restart)."""
        if self.mode["running"] and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._loop())

    def pause(self, paused: bool) -> None:
        """Traffic off or on. Time goes on; what fell due meanwhile happens on resuming."""
        self._set_mode(paused=paused)

    async def _loop(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self.mode["paused"]:
                continue
            try:
                now = await asyncio.to_thread(self._clock.now)
                async with self._lock:
                    await self._move(int(now.timestamp()))
            except psycopg.Error as error:
                log.warning("the business clock cannot be read, waiting: %s", error)
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("a step of the world failed; going on")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.engine.deliveries.close()
        await self.mailbox.close()

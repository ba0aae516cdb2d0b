"""What one worker process does: resolve what is unresolved, make what is due, die when told to."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tinko_pipelines.core.clock import FixedClock, WallClock
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.recovery.unknown import read_pending, resolve_unresolved
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.core.tenants.desk import Desk


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    `now` is business time, `wall` what the wall says when the work begins; both ISO 8601. `steps`
    are of `STEPS`, in order. It dies at the first point called `die_at`, or at the `die_after`th
    point of any name; with neither it lives.
    """

    database: str
    now: str
    wall: str
    steps: Sequence[str] = ("resolve", "execute")
    limit: int = 300
    die_at: str | None = None
    die_after: int | None = None


class MovedWall(WallClock):
    """The wall, moved: leases pass without anybody sleeping. `monotonic` is the real one."""

    def __init__(self, at_start: datetime) -> None:
        self._ahead = at_start - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


@dataclass
class Points:
    """Counts the points that are passed, by every thread, and kills at the one that was asked."""

    order: Order
    last_words: Callable[[str], None]
    passed: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, label: str) -> None:
        with self.lock:
            self.passed[label] += 1
            if label == self.order.die_at or self.passed.total() == self.order.die_after:
                self.last_words(label)
                os.kill(os.getpid(), signal.SIGKILL)


def perform(order: Order, last_words: Callable[[str], None]) -> Mapping[str, Any]:
    """Do what is ordered; returns what became of the attempts, by step.

    `last_words` is told the label of the point at which the process is about to be killed.
    """
    settings = get_settings()
    engine = make_engine(order.database, pool_size=8)
    clock = FixedClock(datetime.fromisoformat(order.now))
    wall = MovedWall(datetime.fromisoformat(order.wall))
    desk, point = Desk(engine, settings), Points(order, last_words)
    steps: dict[str, Callable[[], Counter[str]]] = {
        "resolve": lambda: resolve_unresolved(engine, desk, clock, wall, point=point),
        "execute": lambda: execute_due(
            engine, desk, clock, settings, limit=order.limit, wall=wall, point=point
        ),
        "read_pending": lambda: read_pending(engine, desk, clock),
    }
    done = {name: dict(steps[name]()) for name in order.steps}
    engine.dispose()
    return done | {"passed": dict(point.passed)}

"""`webhooks`: signed 1 kB events over HTTP, against one insert per request and against no database.

All three are the whole API on one uvicorn worker (uvloop, httptools) and one Postgres with fsync
on; wrk saturates them by 256 connections (by 64 the server rests for a seventh of the time), and is
on the same cores. After each measured run the rows in the inbox are counted: every 2xx must have
one. Then ours gets 70 % of its own saturation from an open loop of Poisson arrivals, over as many
connections, and its 99th percentile is held to 100 ms.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.harness import Benchmark, Further, Rate, register
from tests.benchmarks.webhook_load import Load, paced, signed_events, wrk
from tests.benchmarks.webhook_stack import HOST, Served, Stack, serving, stack

SECONDS, CLIENTS, ROUNDS = 5, 256, 5
SHARE_OF_SATURATION, P99_GOAL_MS = 0.7, 100
# more than any of the three can take; wrk says so if not
EVENTS_PER_SECOND = 9_000


class Contender:
    """One served app and what was seen of it."""

    def __init__(self, name: str, served: Served, stack: Stack, folder: Path) -> None:
        self.name, self._served, self._stack, self._folder = name, served, stack, folder
        self.loads: list[Load] = []
        self.server_cpu: list[float] = []
        self.lost = 0

    def saturate(self, run: str, seconds: int) -> float:
        """Requests per second of one closed-loop run."""
        events = signed_events(EVENTS_PER_SECOND * seconds, self._stack.secret, run)
        before = self._served.cpu_seconds()
        load = wrk(self._served.url, self._stack.path, events, self._folder, seconds, CLIENTS)
        self.server_cpu.append((self._served.cpu_seconds() - before) / load.seconds)
        self._count(load)
        return load.rate

    def pace(self, run: str, rate: float, seconds: int) -> Load:
        """One open-loop run at `rate` requests per second."""
        events = signed_events(int(rate * seconds), self._stack.secret, run)
        load = paced(HOST, self._served.port, self._stack.path, events, rate)
        self._count(load)
        return load

    def _count(self, load: Load) -> None:
        if load.acknowledged < load.requests:
            raise RuntimeError(f"{self.name} refused {load.requests - load.acknowledged} requests")
        if self.name != "ceiling":
            # what was under way when wrk stopped is stored and not acknowledged: never the reverse
            self.lost += max(0, load.acknowledged - self._stack.rows())
        self._stack.empty()
        self.loads.append(load)


@register("webhooks")
def webhooks_benchmark(scale: float) -> Iterator[Benchmark]:
    seconds = max(1, round(SECONDS * scale))
    runs = (f"{number:04d}" for number in itertools.count())
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="tinko-webhooks-")))
        # the unprivileged Postgres must reach its data
        folder.chmod(0o755)
        shared = held.enter_context(stack(folder))
        contenders = {
            name: Contender(name, held.enter_context(serving(shared, name, folder)), shared, folder)
            for name in ("ours", "one_by_one", "ceiling")
        }

        def rate_of(name: str) -> Rate:
            return lambda: contenders[name].saturate(next(runs), seconds)

        def further() -> Further:
            ours, ceiling = contenders["ours"], contenders["ceiling"]
            saturation = statistics.median(load.rate for load in ours.loads[1:])
            wanted = SHARE_OF_SATURATION * saturation
            calm = [ours.pace(next(runs), wanted, 2 * seconds) for _ in range(3)]
            p99 = statistics.median(load.p99_ms for load in calm)
            lost = sum(contender.lost for contender in contenders.values())
            numbers = {
                "seconds_per_run": seconds,
                "paced_rate": round(wanted),
                "p50_ms": round(statistics.median(load.p50_ms for load in calm), 2),
                "p99_ms": round(p99, 2),
                "lost": lost,
                "acknowledged": sum(load.acknowledged for load in ours.loads),
                **{
                    f"{name}_client_cpu": round(
                        statistics.median(load.client_cpu for load in contender.loads[1:]), 2
                    )
                    for name, contender in (("ours", ours), ("ceiling", ceiling))
                },
                **{
                    f"{name}_server_cpu": round(statistics.median(contender.server_cpu[1:]), 2)
                    for name, contender in (("ours", ours), ("ceiling", ceiling))
                },
            }
            return Further(
                numbers, {"p99_within_100_ms": p99 <= P99_GOAL_MS, "none_lost": lost == 0}
            )

        yield Benchmark(
            unit="requests/s",
            ours=rate_of("ours"),
            ceiling=rate_of("ceiling"),
            peers={"one_insert_per_request": rate_of("one_by_one")},
            ratio_to_ceiling=0.6,
            further=further,
            rounds=ROUNDS,
        )

"""`marts`: what an analyst of one organisation waits for, over 50,000,000 tries of 50 of them.

Ours is the sample dashboard, all its queries, on the marts. The peer answers its first panel from
the ledger's own rows, as one would without marts. The ceiling is a query that reads nothing. The
goals are the slowest query's p95 and the seconds of an hourly build, tests and all.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from clickhouse_connect.driver.client import Client

from tests.benchmarks import marts_world as world
from tests.benchmarks.dashboard import queries
from tests.benchmarks.harness import Benchmark, Further, register, timed
from tinko_pipelines.core.analytics import schema
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.compare import built_to
from tinko_pipelines.core.analytics.dbt import DbtProject

ATTEMPTS, GOAL_MS, GOAL_SECONDS = 50_000_000, 150.0, 30.0
RUNS = 50  # of each query, each of another organisation
WINDOW_DAYS = 90

# the first panel without marts: which debts failed, and what their cases came to
RAW = """
select
    countIf(c.state in ('recovered', 'settled')) / count() as recovery_rate
from (
    select a.obligation_id as obligation_id, min(f.failed_at) as first_failed_at
    from tinko.attempts as a final
    inner join tinko.failures as f final on a.id = f.attempt_id and a.org_id = f.org_id
    where a.org_id = '{org}' and f.org_id = '{org}' and a.state = 'failed'
    group by obligation_id
) as failed
inner join tinko.cases as c final on failed.obligation_id = c.obligation_id
where
    c.org_id = '{org}' and c.state in ('recovered', 'settled', 'exhausted', 'cancelled', 'reversed')
    and failed.first_failed_at >= toDateTime('{start} 00:00:00')
"""


@contextmanager
def server(folder: Path) -> Iterator[tuple[ClickHouseAddress, psutil.Process]]:
    """The embedded ClickHouse in a process of its own, as the stack runs it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "tinko_pipelines.local.chserver"
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--data", str(folder), "--port", str(port)],
        env={**os.environ, "CHSERVER_WRITER_PASSWORD": "bench"},
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping")
                break
            time.sleep(0.1)
        address = ClickHouseAddress("127.0.0.1", port, "tinko_writer", "bench")
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(engine: psutil.Process) -> float:
    """What dbt, in this process, and the engine have used: it does not grow with the neighbours."""
    used = engine.cpu_times()
    return time.process_time() + float(used.user + used.system)


def build_all(project: DbtProject, client: Client, position: int) -> int:
    """Build until everything that was carried is in; the number of builds it took."""
    builds = 0
    while builds == 0 or built_to(client, "recovery_daily") < position:
        project.build(tests=False)
        builds += 1
    return builds


@register("marts")
def marts(scale: float) -> Iterator[Benchmark]:
    attempts = int(ATTEMPTS * scale)
    with (
        tempfile.TemporaryDirectory(prefix="tinko-marts-") as name,
        server(Path(name, "data")) as (address, engine),
    ):
        client = address.client(timeout=1800)
        schema.apply(client)
        began = time.monotonic()
        world.fill(client, attempts)
        filled = time.monotonic()
        project = DbtProject(address, target=Path(name, "target"))
        builds = build_all(project, client, world.LAST)
        history = time.monotonic()
        # what a build tests is of the one before it too: the first hour still looks at the history
        world.an_hour(client, attempts, world.LAST)
        project.build()
        changed = world.an_hour(client, attempts, world.LAST + 1)
        started, spent = time.monotonic(), cpu_seconds(engine)
        project.build()
        hourly, spent = time.monotonic() - started, cpu_seconds(engine) - spent
        latencies = measured(client)
        numbers: dict[str, Any] = {
            "attempts": attempts,
            "tries_changed_in_the_hour": changed,
            "hourly_build_seconds": round(hourly, 1),
            "hourly_build_cpu_seconds": round(spent, 1),
            "history_builds": builds,
            "history_seconds": round(history - filled, 1),
            "fill_seconds": round(filled - began, 1),
            "queries": latencies,
            "slowest_p95_ms": max(one["p95_ms"] for one in latencies.values()),
        }
        orgs = world.orgs_in_turn()
        yield Benchmark(
            unit="dashboards/s",
            ours=timed(lambda: show(client, next(orgs)), 1),
            peers={"raw_scan_of_one_panel": timed(lambda: raw(client, next(orgs)), 1)},
            ceiling=timed(lambda: empty(client), 1),
            further=lambda: Further(
                numbers,
                {
                    "p95_within_150_ms": numbers["slowest_p95_ms"] <= GOAL_MS,
                    "hourly_build_within_30_s": hourly <= GOAL_SECONDS,
                },
            ),
        )
        client.close()


def measured(client: Client) -> dict[str, dict[str, float]]:
    """Milliseconds of each of the dashboard's queries, as its client waits for them."""
    taken: dict[str, list[float]] = {}
    for _, org in zip(range(RUNS), world.orgs_in_turn(), strict=False):
        for name, sql in asked(org):
            started = time.perf_counter()
            client.query(sql)
            taken.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    return {
        name: {
            "p50_ms": round(statistics.median(times), 1),
            "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
        }
        for name, times in taken.items()
    }


def asked(org: str) -> list[tuple[str, str]]:
    return list(queries(org, world.CURRENCY, world.last_days(WINDOW_DAYS), world.END))


def show(client: Client, org: str) -> None:
    for _, sql in asked(org):
        client.query(sql)


def raw(client: Client, org: str) -> None:
    client.query(RAW.format(org=org, start=world.last_days(WINDOW_DAYS)))


def empty(client: Client) -> None:
    for _ in asked(world.org(0)):
        client.query("select 1")

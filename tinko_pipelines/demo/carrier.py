"""The daily carry and build, in a process of its own: the world need not wait for its marts.

A day's build is at work while the hours of the next go by, as the daemon's are beside each other.
It only reads the ledger, and notes how far it has come.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache

from tinko_pipelines.core.analytics.relations import RELATIONS
from tinko_pipelines.demo.runner import Runner
from tinko_pipelines.local.child import die_with_parent

# the mart that is compared, and the facts, of which none may fall behind the others; the other
# marts are built once, at the end
DAILY = (
    *(f"clickhouse/{relation.name}" for relation in RELATIONS),
    "clickhouse/sink_positions",
    "stg_organisations",
    "int_changed_debts",
    "int_changed_rows",
    "int_attempts",
    "int_failed_obligations",
    "int_messages",
    "recovery_daily",
)


class Carrier:
    """One build at a time; whoever asks for the next waits for the one before."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._under_way: Future[None] = pool.submit(_ready)

    def carry(self) -> None:
        """Begin to carry the ledger as it stands, and to build recovery_daily.

        Raises what the build before it raised.
        """
        self.wait()
        self._under_way = self._pool.submit(_carry)

    def wait(self) -> None:
        """Until nothing is under way. Raises what was raised there."""
        self._under_way.result()


@contextmanager
def carrier() -> Iterator[Carrier]:
    """A carrier with this process's environment; its process loads the definitions at once.

    Nothing is under way afterwards. Raises what the last build raised.
    """
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _settle_in, (os.getpid(),))
    with pool:
        one = Carrier(pool)
        yield one
        one.wait()


def _settle_in(parent: int) -> None:
    # Dagster takes SIGTERM for an interrupt, which ends a run and not this process
    die_with_parent(parent, signal.SIGKILL)
    # the terminal's Ctrl-C is for the world, which ends this
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready() -> None:
    _runner()


def _carry() -> None:
    _runner().steps(*DAILY)


@cache
def _runner() -> Runner:
    # seconds of imports, and not the parent's
    from tinko_pipelines.definitions import defs  # noqa: PLC0415

    return Runner(defs())

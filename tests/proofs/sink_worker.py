"""A fresh process that carries the ledger to one target, and dies where it is told to."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tinko_pipelines.core.analytics.relations import ATTEMPTS, OBLIGATIONS
from tinko_pipelines.core.analytics.sink import each
from tinko_pipelines.core.analytics.targets import opened
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.settings import Settings

NOW = datetime(2026, 9, 28, 9, tzinfo=UTC)
RELATIONS = (ATTEMPTS, OBLIGATIONS)
# in the middle of what the target is asked, by a thread
WITHIN = "within"


@dataclass(frozen=True)
class Order:
    """It dies at the `nth` time that it passes `die_at`, or so many seconds `within` the nth
    sending; a worker without a label lives."""

    worker: str
    target: str
    settings: dict
    batch_rows: int
    die_at: str | None = None
    nth: int = 1
    within: float = 0.0


def perform(order):
    """Run in the worker's process."""
    passed = Counter()

    def point(label):
        passed[label] += 1
        if label == order.die_at and passed[label] == order.nth:
            die()
        if order.die_at == WITHIN and label == "sending" and passed[label] == order.nth:
            threading.Timer(order.within, die).start()
        if order.die_at == WITHIN and label == "accepted" and passed[label] == order.nth:
            die()

    settings = Settings(**order.settings)
    with opened(order.target, settings) as target:
        engine = make_engine(order.worker, pooled=False)
        for _ in each(engine, target, FixedClock(NOW), RELATIONS, order.batch_rows, point):
            pass


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def workers():
    """What is yielded performs an order in a process of its own; its exit code."""
    context = multiprocessing.get_context("forkserver")
    # what a worker imports is imported once
    context.set_forkserver_preload(
        ["tests.proofs.sink_worker", "adbc_driver_postgresql.dbapi", "boto3"]
    )

    def work(order):
        process = context.Process(target=perform, args=(order,))
        process.start()
        process.join()
        return process.exitcode

    yield work

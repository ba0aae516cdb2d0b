"""The course of a world, hour by hour: its traffic, what is late, what is pending, its books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tinko_pipelines.demo.driver import HOUR, Driver

Progress = Callable[[float, str], None]
# late authorisations take up to five days, the slowest bank debit less
SETTLING_DAYS = 7
# each day lists the one before it again; its books are held against each other once a week
LISTED_AGAIN = 2
RECONCILED_EVERY = 7


def play(driver: Driver, start: datetime, days: int, progress: Progress) -> None:
    """All of it: `days` of traffic, then no new debts, what was late delivered, what is pending
    settled.

    Nothing is charged after the last day: the ladder it is held against stops there too.
    """
    for step in range(1, days * 24 + 1):
        to = start + step * HOUR
        driver.hour(to)
        if step % 24 == 0:
            _close(driver, to, step // 24)
        progress(step / (days * 24), f"day {step // 24 + 1} of {days}")
    driver.sandbox.call("POST", "finish")
    end = start + timedelta(days=days)
    for step in range(1, SETTLING_DAYS * 4 + 1):
        driver.hour(end + step * 6 * HOUR, charging=False)
        if step % 4 == 0:
            progress(1.0, "settling what is pending")
            driver.runner.job("resolve")
    last, every = end + timedelta(days=SETTLING_DAYS), days + SETTLING_DAYS
    driver.day(last, lookback_days=every)
    progress(1.0, "holding the books against each other")
    driver.reconcile(last, lookback_days=every)


def _close(driver: Driver, to: datetime, day: int) -> None:
    driver.day(to, lookback_days=LISTED_AGAIN)
    if day % RECONCILED_EVERY == 0:
        driver.reconcile(to, lookback_days=RECONCILED_EVERY)

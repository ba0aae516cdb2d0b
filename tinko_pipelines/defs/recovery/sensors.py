"""Sensors only ring; SQL claims.

The run key is the oldest waiting id and a coarse bucket of wall time: the same work does not
ring twice within a bucket, and stuck work rings again in the next. While a run of the job has yet
to begin, nothing rings: it takes what waits now too, and a queue of its like would only grow.
"""

from __future__ import annotations

import time
from typing import Any

import dagster as dg

from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.recovery.jobs import charge, notify, recover, resolve
from tinko_pipelines.defs.runs import YET_TO_BEGIN, has_run

BUCKET_SECONDS = 60
INTERVAL = 15


def _ring(
    context: dg.SensorEvaluationContext,
    job: str,
    oldest: object,
    waiting: int,
    what: str,
) -> dg.RunRequest | dg.SkipReason:
    if not waiting:
        return dg.SkipReason(f"no {what}")
    if has_run(context, job, YET_TO_BEGIN):
        return dg.SkipReason(f"a run of {job} is about to begin")
    bucket = int(time.time() // BUCKET_SECONDS)
    return dg.RunRequest(run_key=f"{oldest}:{bucket}", tags={"tinko/waiting": str(waiting)})


def _one(platform: Platform, feature: str, name: str, **values: Any) -> Any:
    with unit_of_work(platform.engine) as connection:
        return connection.execute(query(feature, name), values).one()


_running = dg.DefaultSensorStatus.RUNNING


@dg.sensor(job=recover, minimum_interval_seconds=INTERVAL, default_status=_running)
def inbox_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Events that wait, failures without a case, or cases whose time has come."""
    inbox = _one(platform, "inbox", "oldest_pending")
    cases = _one(platform, "recovery", "pending_decisions", now=platform.clock.now())
    oldest, waiting = inbox.oldest or cases.oldest, inbox.waiting + cases.due
    return _ring(context, recover.name, oldest, waiting, "events or decisions wait")


@dg.sensor(job=charge, minimum_interval_seconds=INTERVAL, default_status=_running)
def due_attempts_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Attempts whose time has come, and whose PSP is not away."""
    now, wall = platform.clock.now(), WallClock().now()
    due = _one(platform, "charging", "due_count", now=now, wall=wall)
    return _ring(context, charge.name, due.oldest, due.due, "attempts are due")


@dg.sensor(job=resolve, minimum_interval_seconds=60, default_status=_running)
def unknown_attempts_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Attempts that outlived their lease."""
    found = _one(platform, "charging", "unresolved_count", wall=WallClock().now())
    return _ring(context, resolve.name, found.oldest, found.waiting, "attempts are unresolved")


@dg.sensor(job=notify, minimum_interval_seconds=INTERVAL, default_status=_running)
def outbox_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Messages whose time has come."""
    due = _one(
        platform,
        "recovery",
        "due_messages",
        now=platform.clock.now(),
        wall=WallClock().now(),
    )
    return _ring(context, notify.name, due.oldest, due.due, "messages are due")

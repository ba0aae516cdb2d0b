"""What of a job is already asked for: a sensor that rings again adds nothing to it."""

from __future__ import annotations

import dagster as dg

# not NOT_STARTED: a daemon killed before it queued a run may leave one so for ever
YET_TO_BEGIN = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
UNDER_WAY = (*YET_TO_BEGIN, dg.DagsterRunStatus.STARTED)


def has_run(
    context: dg.SensorEvaluationContext,
    job: str,
    statuses: tuple[dg.DagsterRunStatus, ...] = UNDER_WAY,
) -> bool:
    """Whether a run of `job` stands at one of these statuses."""
    runs = dg.RunsFilter(job_name=job, statuses=statuses)
    return context.instance.get_runs_count(runs) > 0

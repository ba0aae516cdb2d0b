"""`python -m tinko_pipelines.local.stale_runs`: mark runs as failed whose processes are gone.

For the moment before the code server starts: then no run of this instance can be alive, and a
run that stays "started" would hold one of the few places for ever. Opening the instance also makes
its tables, which the webserver and the daemon would otherwise do at the same time.
"""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

_ALIVE = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def main() -> None:
    with DagsterInstance.get() as instance:
        for run in instance.get_runs(RunsFilter(statuses=_ALIVE)):
            instance.report_run_failed(run, "Its process ended with the code server.")


if __name__ == "__main__":
    main()

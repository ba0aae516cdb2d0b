"""While a run of its job has yet to begin, a sensor does not ring for another."""

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from tinko_pipelines.defs.recovery.sensors import _ring

HERE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("tinko"), "__repository__")


@pytest.mark.parametrize(
    ("job", "status", "rings"),
    [
        ("recover", Status.QUEUED, False),
        ("recover", Status.STARTING, False),
        ("recover", Status.STARTED, True),
        ("recover", Status.SUCCESS, True),
        ("recover", Status.FAILURE, True),
        ("recover", Status.NOT_STARTED, True),
        ("charge", Status.QUEUED, True),
    ],
)
def test_it_rests_for_a_run_of_its_own_that_is_about_to_begin(job, status, rings):
    with dg.DagsterInstance.ephemeral() as instance:
        origin = RemoteJobOrigin(HERE, job)
        instance.add_run(dg.DagsterRun(job_name=job, status=status, remote_job_origin=origin))
        context = dg.build_sensor_context(instance=instance)
        answer = _ring(context, "recover", "oldest", 3, "events wait")
    assert isinstance(answer, dg.RunRequest if rings else dg.SkipReason)

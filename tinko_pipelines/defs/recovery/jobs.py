"""The jobs that the sensors ring: one from inbox to decision, one for each way out."""

import dagster as dg

# a run takes a batch and starts in seconds: its steps share one process (DESIGN.md section 6)
in_process = dg.in_process_executor

recover = dg.define_asset_job(
    "recover",
    selection=["events", "failures", "cases", "decisions"],
    executor_def=in_process,
    description="Inbox to decision.",
)
charge = dg.define_asset_job(
    "charge", selection=["attempts"], executor_def=in_process, description="Due attempts."
)
resolve = dg.define_asset_job(
    "resolve",
    selection=["attempt_outcomes"],
    executor_def=in_process,
    description="Attempts whose outcome is not known.",
)
notify = dg.define_asset_job(
    "notify", selection=["payer_messages"], executor_def=in_process, description="The outbox."
)


@dg.definitions
def jobs() -> dg.Definitions:
    return dg.Definitions(jobs=[recover, charge, resolve, notify])

"""The jobs that the sensors ring: one from inbox to decision, one for each way out."""

import dagster as dg

# of what waits for one of the two places: debts before listings and books, which are long and can
# wait. It starves nobody: runs of a sensor begin at least 15 s apart
FIRST = {"dagster/priority": "10"}

recover = dg.define_asset_job(
    "recover",
    selection=["events", "failures", "cases", "decisions"],
    tags=FIRST,
    description="Inbox to decision.",
)
charge = dg.define_asset_job(
    "charge",
    selection=["attempts"],
    tags=FIRST,
    description="Due attempts.",
)
resolve = dg.define_asset_job(
    "resolve",
    selection=["attempt_outcomes"],
    tags=FIRST,
    description="Attempts whose outcome is not known.",
)
notify = dg.define_asset_job(
    "notify",
    selection=["payer_messages"],
    tags=FIRST,
    description="The outbox.",
)


@dg.definitions
def jobs() -> dg.Definitions:
    return dg.Definitions(jobs=[recover, charge, resolve, notify])
